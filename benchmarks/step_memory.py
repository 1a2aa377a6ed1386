"""Peak memory and time of a training step with and without the options that save memory.

    python benchmarks/step_memory.py [--task search|retraining] [--batch 64] [--size 32] [--json]

Forms: plain, the batch in 2 and in 4 parts (`--accumulate`), and cells recomputed in the backward
pass (`--recompute-cells`). Each form runs in a new process on the CPU with the PyTorch back end.
The memory that the process uses before its first step is subtracted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from torch.nn import functional

from cells.topology import Topology
from darts.methods.architecture import Architecture
from darts.methods.gradient import Bilevel, LabelledBatch
from darts.models.registry import create_network
from darts.searching.steps import WeightStep
from darts.searching.supernet import Supernet
from darts.system.device import device_name, peak_memory
from genotypes import SPACES

FORMS = {
    "plain": (1, False),
    "--accumulate 2": (2, False),
    "--accumulate 4": (4, False),
    "--recompute-cells": (1, True),
    "--recompute-cells --accumulate 4": (4, True),
}


def search_step(parts: int, recompute: bool) -> Callable[[LabelledBatch], object]:
    generator = torch.Generator().manual_seed(0)
    architecture = Architecture(Topology(4), generator=generator)
    supernet = Supernet(Topology(4), SPACES["darts"].operations, backend="torch")
    supernet.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    supernet.recompute = recompute
    sgd = torch.optim.SGD(supernet.parameters(), lr=0.1, momentum=0.9)
    problem = Bilevel(supernet, architecture, sgd, functional.cross_entropy, parts=parts)
    return WeightStep(problem, 5.0)


def retraining_step(parts: int, recompute: bool) -> Callable[[LabelledBatch], object]:
    network = create_network("pcdarts_cifar10").to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.recompute = recompute
    sgd = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    generator = torch.Generator().manual_seed(0)

    def step(batch: LabelledBatch) -> None:
        sgd.zero_grad()
        for images, labels in batch.split(parts):
            logits, _ = network(images, 0.2, generator)
            (functional.cross_entropy(logits, labels) / parts).backward()
        sgd.step()

    return step


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """Seconds of the second step, and bytes above the memory before the first step."""
    torch.set_num_threads(1)
    parts, recompute = FORMS[arguments.form]
    make = search_step if arguments.task == "search" else retraining_step
    step = make(parts, recompute)
    size = arguments.size
    images = torch.randn(arguments.batch, 3, size, size)
    images = images.contiguous(memory_format=torch.channels_last)
    batch = LabelledBatch(images, torch.zeros(arguments.batch, dtype=torch.int64))
    cpu = torch.device("cpu")
    before = peak_memory(cpu)
    step(batch)
    start = time.perf_counter()
    step(batch)
    return {"seconds": time.perf_counter() - start, "bytes": peak_memory(cpu) - before}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", choices=("search", "retraining"), default="search")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--form", choices=FORMS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.form:
        print(json.dumps(measure(arguments)))
        return
    figures = {}
    for form in FORMS:
        command = [sys.executable, __file__, f"--task={arguments.task}", f"--form={form}"]
        command += [f"--batch={arguments.batch}", f"--size={arguments.size}"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        figures[form] = json.loads(done.stdout)
    if arguments.json:
        print(json.dumps(figures))
        return
    cpu = device_name(torch.device("cpu"))
    print(f"{cpu}, torch {torch.__version__}, 1 thread, {arguments.task}, batch {arguments.batch}")
    for form, found in figures.items():
        print(f"{form:33} {found['bytes'] / 2**20:7.0f} MiB  {found['seconds']:6.2f} s")


if __name__ == "__main__":
    main()
