"""Training steps of derived networks and RegNets on a CPU, compared with plain PyTorch.

    python benchmarks/derived_step.py [--threads 1] [--repeats 9] [--only demo regnet] [--json]
    python benchmarks/derived_step.py --profile --only demo      # where the time of our form goes

The straightforward form is the same network with the same weights in the contiguous layout, layer
by layer in PyTorch; "torch" is ours without the kernels (DARTS_BACKEND=torch). All forms take their
steps in turns in one process, so that their ratios mean something on a machine that is not idle.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parents[1]))

from darts.costs.count import count
from darts.models.anynet.regnet import RegNet
from darts.models.registry import Model, create_network
from darts.runs.optimisers import create_sgd
from darts.system.device import keep_memory
from ops.backends import VARIABLE

FORMS = ("straightforward", "torch", "ours")


@dataclass(frozen=True)
class Case:
    """A network and its batch; `channels` and `layers` are None for networks with their own."""

    model: str | Model
    pixels: int
    batch: int = 64
    channels: int | None = None
    layers: int | None = None
    auxiliary: bool = False
    drop_path: float = 0.1


CASES: Mapping[str, Case] = {
    "demo": Case("pcdarts_cifar10", 8, channels=16, layers=5),
    "derived": Case("pcdarts_cifar10", 32, channels=6, layers=5),
    "regnet": Case(
        RegNet(depth=9, w0=16, wa=12.0, wm=2.2, group_width=8).config(stem="cifar"),
        32,
        drop_path=0.0,
    ),
    "paper": Case(
        "pcdarts_cifar10", 32, batch=32, channels=36, layers=20, auxiliary=True, drop_path=0.2
    ),
}


class Step:
    """One training step of a case in one of the forms."""

    def __init__(self, form: str, case: Case) -> None:
        self.form, self.case = form, case
        self.generator = torch.Generator().manual_seed(0)
        self.network = create_network(
            case.model,
            num_classes=10,
            channels=case.channels,
            layers=case.layers,
            stem="cifar" if isinstance(case.model, str) else None,
            auxiliary=case.auxiliary,
            generator=self.generator,
        )
        layout = torch.contiguous_format if form == "straightforward" else torch.channels_last
        self.network.to(memory_format=layout)
        images = torch.randn(case.batch, 3, case.pixels, case.pixels, generator=self.generator)
        self.images = images.contiguous(memory_format=layout)
        self.labels = torch.arange(case.batch) % 10
        self.optimiser = create_sgd(
            self.network.parameters(),
            learning_rate=0.01,
            momentum=0.9,
            weight_decay=3e-4,
            device=torch.device("cpu"),
        )

    def __call__(self) -> tuple[float, float]:
        """Take a step; its seconds on the clock and of the processor."""
        os.environ[VARIABLE] = "auto" if self.form == "ours" else "torch"
        clock, processor = time.perf_counter(), time.process_time()
        self.optimiser.zero_grad(set_to_none=True)
        logits, auxiliary = self.network(self.images, self.case.drop_path, self.generator)
        loss = functional.cross_entropy(logits, self.labels)
        if auxiliary is not None:
            loss = loss + 0.4 * functional.cross_entropy(auxiliary, self.labels)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        return time.perf_counter() - clock, time.process_time() - processor


def measure(case: Case, repeats: int) -> dict[str, float]:
    """Medians of the forms' times, and of their paired ratios to the straightforward form."""
    steps = {form: Step(form, case) for form in FORMS}
    times: dict[str, list[tuple[float, float]]] = {form: [] for form in FORMS}
    for repeat in range(repeats + 1):
        for form, step in steps.items():
            taken = step()
            if repeat:
                times[form].append(taken)
    result = {"macs": float(count(steps["ours"].network, case.pixels).macs)}
    for form in FORMS:
        for i, clock in enumerate(("wall", "processor")):
            own = [taken[i] for taken in times[form]]
            base = [taken[i] for taken in times["straightforward"]]
            result[f"{form}_{clock}_ms"] = 1000 * statistics.median(own)
            ratios = [one / other for one, other in zip(base, own, strict=True)]
            result[f"{form}_{clock}_speedup"] = statistics.median(ratios)
    return result


def profile(case: Case) -> None:
    """Print where the time of our form goes."""
    step = Step("ours", case)
    step(), step()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        for _ in range(3):
            step()
    print(profiler.key_averages().table(sort_by="self_cpu_time_total", row_limit=25))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--only", nargs="+", choices=tuple(CASES), default=tuple(CASES))
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_memory()  # As runs do.
    if arguments.profile:
        for name in arguments.only:
            profile(CASES[name])
        return
    results = {name: measure(CASES[name], arguments.repeats) for name in arguments.only}
    if arguments.json:
        print(json.dumps(results))
        return
    print(f"torch {torch.__version__}, {arguments.threads} threads, {arguments.repeats} repeats")
    print(f"{'network':8} {'M macs':>7} {'form':16} {'wall ms':>8} {'processor':>9} {'times':>6}")
    for name, result in results.items():
        for form in FORMS:
            print(
                f"{name:8} {result['macs'] / 1e6:7.1f} {form:16} {result[f'{form}_wall_ms']:8.1f} "
                f"{result[f'{form}_processor_ms']:9.1f} "
                f"{result[f'{form}_processor_speedup']:6.2f}"
            )


if __name__ == "__main__":
    main()
