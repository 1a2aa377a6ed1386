"""Time and memory of a step that samples one operation per edge, beside the step that computes all.

    python benchmarks/sampled_step.py [--batch 64] [--steps 4] [--threads 2] [--backends torch ...]

Both steps are a forward and a backward pass of the supernet of DARTS (8 cells, C = 16, K = 1) with
gradients of all weights and of alpha. "one path" draws a new operation per edge for every step, as
GDAS does (arXiv 1910.04465). Each form runs in a new process; the memory that the process uses
before its first step is subtracted. Prints one line per back end and the ratios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

import torch
from torch.nn import functional

from cells.topology import Topology
from darts.methods.architecture import Architecture
from darts.methods.relaxation import Softmax
from darts.methods.sampled import HardGumbel
from darts.searching.supernet import Supernet
from darts.system.device import device_name, peak_memory
from genotypes import SPACES

FORMS = {"softmax": Softmax(edge_normalisation=False), "one path": HardGumbel()}


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Median seconds of a step after the first two, and bytes above those before the first one."""
    torch.set_num_threads(options.threads)
    generator, noise = (torch.Generator().manual_seed(seed) for seed in (0, 1))
    architecture = Architecture(
        Topology(4), relaxation=FORMS[options.form], generator=generator, noise=noise
    )
    supernet = Supernet(Topology(4), SPACES["darts"].operations, k=1, backend=options.backends[0])
    supernet.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.randn(options.batch, 3, options.size, options.size, generator=generator)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.zeros(options.batch, dtype=torch.int64)
    cpu, seconds = torch.device("cpu"), []
    before = peak_memory(cpu)
    for _ in range(options.steps + 2):
        start = time.perf_counter()
        functional.cross_entropy(supernet(images, architecture.tables()), labels).backward()
        seconds.append(time.perf_counter() - start)
        for one in (supernet, architecture):
            one.zero_grad()
    return {"seconds": statistics.median(seconds[2:]), "bytes": peak_memory(cpu) - before}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--backends", nargs="+", default=["torch", "native"])
    parser.add_argument("--form", choices=FORMS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.form:
        print(json.dumps(measure(options)))
        return
    print(
        f"{device_name(torch.device('cpu'))}, torch {torch.__version__}, {options.threads} threads"
    )
    sizes = [f"--{name}={getattr(options, name)}" for name in ("batch", "size", "steps", "threads")]
    for backend in options.backends:
        found = []
        for form in FORMS:
            command = [sys.executable, __file__, *sizes, f"--backends={backend}", f"--form={form}"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found.append(json.loads(done.stdout))
        shown = (f"{one['seconds']:.2f} s {one['bytes'] / 2**20:.0f} MiB" for one in found)
        ratios = [found[1][key] / found[0][key] for key in ("seconds", "bytes")]
        print(f"{backend:7} {' | '.join(shown)} | ratios {ratios[0]:.2f} {ratios[1]:.2f}")


if __name__ == "__main__":
    main()
