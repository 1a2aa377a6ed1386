"""A training step of a derived network: ours against a straightforward implementation.

    python benchmarks/retrain_step.py [--genotype pcdarts_cifar10] [--channels 36] [--layers 20]
                                      [--batch 32] [--threads 2] [--repeats 5] [--json]

Straightforward is the same network, the same weights, in the contiguous layout, with drop path and
auxiliary head. Both are timed in turn in one process; peak memory comes from a fresh process each.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

import torch
from torch import nn
from torch.nn import functional

from darts.device import device_name, peak_memory, resolve_device, synchronise
from darts.network import create_network

FORMS = ("straightforward", "ours")


class Step:
    """One training step in one of the two forms."""

    def __init__(self, form: str, arguments: argparse.Namespace) -> None:
        self.device = resolve_device(arguments.device)
        self.generator = torch.Generator().manual_seed(0)
        self.network = create_network(
            arguments.genotype,
            channels=arguments.channels,
            layers=arguments.layers,
            stem="cifar",
            auxiliary=True,
            generator=self.generator,
        ).to(self.device)
        layout = torch.channels_last if form == "ours" else torch.contiguous_format
        self.network.to(memory_format=layout)
        images = torch.randn(arguments.batch, 3, 32, 32, generator=self.generator)
        self.images = images.to(self.device).contiguous(memory_format=layout)
        self.labels = torch.zeros(arguments.batch, dtype=torch.int64, device=self.device)
        self.optimiser = torch.optim.SGD(self.network.parameters(), lr=0.01, momentum=0.9)

    def __call__(self) -> float:
        synchronise(self.device)
        start = time.perf_counter()
        self.optimiser.zero_grad(set_to_none=True)
        logits, auxiliary = self.network(self.images, 0.2, self.generator)
        loss = functional.cross_entropy(logits, self.labels)
        loss = loss + 0.4 * functional.cross_entropy(auxiliary, self.labels)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        synchronise(self.device)
        return time.perf_counter() - start


def memory(form: str) -> int:
    """Peak memory of two steps in a process of their own, in bytes."""
    command = [sys.executable, __file__, *sys.argv[1:], "--memory-of", form]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--genotype", default="pcdarts_cifar10")
    parser.add_argument("--channels", type=int, default=36)
    parser.add_argument("--layers", type=int, default=20)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--memory-of", choices=FORMS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if arguments.memory_of:
        step = Step(arguments.memory_of, arguments)
        step(), step()
        print(peak_memory(step.device))
        return
    steps = {form: Step(form, arguments) for form in FORMS}
    times: dict[str, list[float]] = {form: [] for form in FORMS}
    for repeat in range(arguments.repeats + 1):
        for form, step in steps.items():
            taken = step()
            if repeat:
                times[form].append(taken)
    ratios = [a / b for a, b in zip(times["straightforward"], times["ours"], strict=True)]
    peaks = {form: memory(form) for form in FORMS}
    result = {
        "speedup_median": statistics.median(ratios),
        "speedup_min": min(ratios),
        "memory_ratio": peaks["ours"] / peaks["straightforward"],
    }
    if arguments.json:
        print(json.dumps(result))
        return
    print(
        f"{device_name(resolve_device(arguments.device))}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, {arguments.genotype}, C = {arguments.channels}, "
        f"{arguments.layers} cells, batch {arguments.batch}, {arguments.repeats} repeats"
    )
    print(f"{'form':16}  min s  median s  images/s  peak MiB")
    for form in FORMS:
        best, middle = min(times[form]), statistics.median(times[form])
        speed, peak = arguments.batch / middle, peaks[form] / 2**20
        print(f"{form:16}  {best:5.2f}  {middle:8.2f}  {speed:8.1f}  {peak:8.0f}")
    print(
        f"faster {result['speedup_median']:.2f} times (median; worst pair "
        f"{result['speedup_min']:.2f}), memory {result['memory_ratio']:.2f}"
    )


if __name__ == "__main__":
    main()
