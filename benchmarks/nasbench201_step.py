"""Time of a step of the NAS-Bench-201 supernet, beside its literal form, edge by edge.

    python benchmarks/nasbench201_step.py [--cells 5] [--batch 64] [--threads 2] [--steps 3]

A bilevel iteration is two passes, forward and backward: one with the gradient of alpha, one with
that of the weights. C = 16, images of 32x32 (arXiv 2001.00326, §2). The literal form is that of the
tests. Prints the median seconds of both and their ratio.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch import Tensor, nn
from torch.nn import functional

from cells.topology import EdgeWeights, Topology
from darts.searching.stages_supernet import StagesSupernet
from darts.system.device import device_name
from genotypes import SPACES
from tests.reference.stages import LiteralStages


def bilevel(net: nn.Module, literal: bool, alpha: Tensor, images: Tensor, labels: Tensor) -> None:
    for learned in (True, False):
        for parameter in net.parameters():
            parameter.requires_grad_(literal or not learned)
            parameter.grad = None
        table = alpha.softmax(dim=1) if learned else alpha.detach().softmax(dim=1)
        logits = (
            net(images, table, None)
            if literal
            else net(images, {"normal": EdgeWeights(table, None)})
        )
        functional.cross_entropy(logits, labels).backward()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=5, help="cells of each stage")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--only", choices=("literal", "fused"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    space, layers = SPACES["nasbench201"], 3 * options.cells
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(options.batch, 3, 32, 32, generator=generator)
    labels = torch.zeros(options.batch, dtype=torch.int64)
    alpha = torch.zeros(6, len(space.operations)).requires_grad_()
    nets = {
        "literal": LiteralStages(16, layers, space.operations),
        "fused": StagesSupernet(
            Topology(3, inputs=1),
            space.operations,
            channels=16,
            layers=layers,
            k=1,
            normalised=False,
            backend="torch",
        ).to(memory_format=torch.channels_last),
    }
    print(
        f"{device_name(torch.device('cpu'))}, torch {torch.__version__}, {options.threads} threads"
    )
    found = {name: [] for name in nets}
    for _ in range(options.steps + 1):
        for name, net in nets.items():
            if options.only not in (None, name):
                continue
            layout = torch.channels_last if name == "fused" else torch.contiguous_format
            given = images.contiguous(memory_format=layout)
            start = time.perf_counter()
            bilevel(net, name == "literal", alpha, given, labels)
            found[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(times[1:]) for name, times in found.items() if times}
    shown = " | ".join(f"{name} {seconds:.2f} s" for name, seconds in medians.items())
    print(
        shown, f"| ratio {medians['fused'] / medians['literal']:.2f}" if len(medians) == 2 else ""
    )


if __name__ == "__main__":
    main()
