"""Time and memory of a training step of a derived network, compared with a plain implementation.

    python benchmarks/retrain_step.py [--genotype pcdarts_cifar10] [--channels 36] [--layers 20]
                                      [--batch 32] [--threads 2] [--repeats 5] [--json]
    python benchmarks/retrain_step.py --device cuda --precision bf16 --batch 96 --compile

The straightforward form is the same network with the same weights, drop path and auxiliary head,
but in the contiguous layout. `--compile` adds our form, compiled. All forms are timed in turn in
one process. Peak memory is measured in a new process for each form.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parents[1]))

from darts.models.registry import create_network
from darts.runs.optimisers import create_sgd
from darts.system.device import (
    check_precision,
    device_name,
    peak_memory,
    precision_context,
    resolve_device,
    synchronise,
)
from darts.training.compiled import Forward, compiled

FORMS = ("straightforward", "ours", "compiled")


class Step:
    """One training step in one of the forms."""

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
        self.context = partial(precision_context, arguments.precision, self.device)
        layout = torch.contiguous_format if form == "straightforward" else torch.channels_last
        self.network.to(memory_format=layout)
        images = torch.randn(arguments.batch, 3, 32, 32, generator=self.generator)
        self.images = images.to(self.device).contiguous(memory_format=layout)
        self.labels = torch.zeros(arguments.batch, dtype=torch.int64, device=self.device)
        self.optimiser = create_sgd(
            self.network.parameters(),
            learning_rate=0.01,
            momentum=0.9,
            weight_decay=3e-4,
            device=self.device,
        )
        self.forward: Forward = self.network
        self.compiling_seconds = 0.0
        if form == "compiled":
            start = time.perf_counter()
            forward = compiled(self.network, self.images, self.context)
            self.compiling_seconds = time.perf_counter() - start
            if forward is None:
                sys.exit(2)  # The log says why.
            self.forward = forward

    def __call__(self) -> float:
        synchronise(self.device)
        start = time.perf_counter()
        self.optimiser.zero_grad(set_to_none=True)
        with self.context():
            logits, auxiliary = self.forward(self.images, 0.2, self.generator)
            assert auxiliary is not None
            loss = functional.cross_entropy(logits, self.labels)
            loss = loss + 0.4 * functional.cross_entropy(auxiliary, self.labels)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        synchronise(self.device)
        return time.perf_counter() - start


def memory(form: str) -> int:
    """Peak memory in bytes of two steps, measured in a new process."""
    command = [sys.executable, __file__, *sys.argv[1:], "--memory-of", form]
    return int(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--genotype", default="pcdarts_cifar10")
    parser.add_argument("--channels", type=int, default=36)
    parser.add_argument("--layers", type=int, default=20)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--compile", action="store_true", help="also time our form compiled")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--memory-of", choices=FORMS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    check_precision(arguments.precision, resolve_device(arguments.device))
    if arguments.memory_of:
        step = Step(arguments.memory_of, arguments)
        step(), step()
        print(peak_memory(step.device))
        return
    forms = FORMS if arguments.compile else FORMS[:2]
    steps = {form: Step(form, arguments) for form in forms}
    times: dict[str, list[float]] = {form: [] for form in forms}
    for repeat in range(arguments.repeats + 1):
        for form, step in steps.items():
            taken = step()
            if repeat:
                times[form].append(taken)
    peaks = {form: memory(form) for form in forms}
    result = {}
    for form in forms[1:]:
        ratios = [a / b for a, b in zip(times["straightforward"], times[form], strict=True)]
        prefix = "" if form == "ours" else f"{form}_"
        result[f"{prefix}speedup_median"] = statistics.median(ratios)
        result[f"{prefix}speedup_min"] = min(ratios)
        result[f"{prefix}memory_ratio"] = peaks[form] / peaks["straightforward"]
    if arguments.compile:
        result["compiling_seconds"] = steps["compiled"].compiling_seconds
    if arguments.json:
        print(json.dumps(result))
        return
    print(
        f"{device_name(resolve_device(arguments.device))}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, {arguments.genotype}, C = {arguments.channels}, "
        f"{arguments.layers} cells, batch {arguments.batch}, {arguments.precision}, "
        f"{arguments.repeats} repeats"
    )
    print(f"{'form':16}  {'min ms':>8}  {'median ms':>9}  images/s  peak MiB")
    for form in forms:
        best, middle = 1000 * min(times[form]), 1000 * statistics.median(times[form])
        speed, peak = 1000 * arguments.batch / middle, peaks[form] / 2**20
        print(f"{form:16}  {best:8.1f}  {middle:9.1f}  {speed:8.1f}  {peak:8.0f}")
    for form, prefix in (("ours", ""), ("compiled", "compiled_"))[: len(forms) - 1]:
        print(
            f"{form}: faster {result[prefix + 'speedup_median']:.2f} times (median; worst pair "
            f"{result[prefix + 'speedup_min']:.2f}), memory {result[prefix + 'memory_ratio']:.2f}"
        )
    if arguments.compile:
        print(f"compiling took {result['compiling_seconds']:.0f} s")


if __name__ == "__main__":
    main()
