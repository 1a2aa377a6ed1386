"""Time and memory of a search iteration, compared with the literal, edge-by-edge supernet.

    python benchmarks/search_step.py [--k 4] [--batch 64] [--backend auto] [--json]

Both supernets have the same weights and use the same batches. A weight step is forward, backward,
clipping and SGD. An architecture step is forward, backward and Adam on alpha and beta. A bilevel
iteration is one of each. In the literal form the architecture step also computes the gradients of
the weights, as the PC-DARTS code does. The literal form uses contiguous or channels_last images,
whichever is faster on this machine.

Both are timed in turn in one process that keeps freed memory, as a search does. Peak memory is
measured in a new process for each form. Ratios below 1 favour the product. `min` compares the
fastest repeats; `median` is the median of the paired ratios.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parents[1]))

from cells.topology import Topology
from darts.methods.architecture import Architecture
from darts.methods.gradient import Bilevel, LabelledBatch
from darts.runs.optimisers import create_sgd
from darts.searching.steps import ArchitectureStep, WeightStep
from darts.searching.supernet import Supernet
from darts.system.device import keep_memory
from genotypes import SPACES
from ops.backends import BACKENDS
from ops.initialise import initialise
from ops.native.target import describe_target
from tests.reference.correspondence import copy_weights
from tests.reference.supernet import ReferenceSupernet

STEPS = ("weight step", "architecture step", "bilevel iteration")
FORMS = ("product", "literal")


class Form:
    """A supernet with its architecture and both optimisers."""

    def __init__(self, supernet: nn.Module, options: argparse.Namespace, literal: bool) -> None:
        self.supernet, self.literal = supernet, literal
        generator = torch.Generator().manual_seed(0)
        self.architecture = Architecture(Topology(options.nodes), generator=generator)
        settings = {"momentum": 0.9, "weight_decay": 3e-4}
        cpu = torch.device("cpu")
        weights = (
            torch.optim.SGD(supernet.parameters(), 0.1, **settings)
            if literal
            else create_sgd(supernet.parameters(), learning_rate=0.1, device=cpu, **settings)
        )
        self.adam = torch.optim.Adam(self.architecture.parameters(), 6e-4, betas=(0.5, 0.999))
        problem = Bilevel(supernet, self.architecture, weights, functional.cross_entropy)
        self._weights = WeightStep(problem, 5.0)
        self._architecture = ArchitectureStep(problem, self.adam)

    def weight_step(self, batch: LabelledBatch) -> None:
        self._weights(batch)

    def architecture_step(self, batch: LabelledBatch) -> None:
        if not self.literal:
            self._architecture(batch, batch)
            return
        self.adam.zero_grad()
        logits = self.supernet(batch.images, self.architecture.tables())
        functional.cross_entropy(logits, batch.labels).backward()
        self.adam.step()

    def seconds(self, step: str, batch: LabelledBatch) -> float:
        parts: dict[str, list[Callable[[LabelledBatch], None]]] = {
            "weight step": [self.weight_step],
            "architecture step": [self.architecture_step],
            "bilevel iteration": [self.architecture_step, self.weight_step],
        }
        start = time.perf_counter()
        for part in parts[step]:
            part(batch)
        return time.perf_counter() - start


def build(form: str, options: argparse.Namespace) -> nn.Module:
    if form == "literal":
        return ReferenceSupernet(options.channels, options.layers, options.nodes, options.k)
    return Supernet(
        Topology(options.nodes),
        SPACES["darts"].operations,
        channels=options.channels,
        layers=options.layers,
        k=options.k,
        backend=options.backend,
    ).to(memory_format=torch.channels_last)


def random_batch(options: argparse.Namespace, channels_last: bool) -> LabelledBatch:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(options.batch, 3, options.size, options.size, generator=generator)
    labels = torch.randint(10, (options.batch,), generator=generator)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return LabelledBatch(images.contiguous(memory_format=layout), labels)


def peak_memory(form: str, channels_last: bool, options: argparse.Namespace) -> float:
    """Peak resident memory in GB of a new process that runs two bilevel iterations of one form."""
    settings = [f"--{name}={getattr(options, name)}" for name in SETTINGS]
    layout = ["--channels-last"] if channels_last else []
    command = [sys.executable, __file__, *settings, "--memory-of", form, *layout]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def memory_of(options: argparse.Namespace) -> float:
    supernet = build(options.memory_of, options)
    if options.channels_last and options.memory_of == "literal":
        supernet.to(memory_format=torch.channels_last)
    form = Form(supernet, options, options.memory_of == "literal")
    batch = random_batch(options, options.channels_last)
    for _ in range(2):
        form.seconds("bilevel iteration", batch)
    return peak_resident()


def peak_resident() -> float:
    """Peak resident memory of this process in GB."""
    try:  # ru_maxrss of a child process may include the memory of its parent at the fork.
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024 / 1e9
    except OSError:
        pass
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


SETTINGS = ("k", "channels", "layers", "nodes", "batch", "size", "backend", "threads")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--k", type=int, default=4)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--size", type=int, default=32, help="height and width of the images")
    parser.add_argument("--backend", choices=BACKENDS, default="auto")
    parser.add_argument("--threads", type=int, default=0, help="0: PyTorch's default")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=STEPS)
    parser.add_argument("--no-memory", action="store_true", help="do not measure peak memory")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--memory-of", choices=FORMS, help=argparse.SUPPRESS)
    parser.add_argument("--channels-last", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    keep_memory()
    if options.memory_of:
        print(memory_of(options))
        return

    start = time.perf_counter()
    fused = build("product", options)
    built = time.perf_counter() - start
    literal = build("literal", options)
    initialise(literal, torch.Generator().manual_seed(0))
    copy_weights(literal, fused)
    product, reference = Form(fused, options, False), Form(literal, options, True)
    batch = random_batch(options, channels_last=True)

    # Warm up, and choose the faster layout for the literal form.
    start = time.perf_counter()
    product.seconds("bilevel iteration", batch)
    first = time.perf_counter() - start
    layouts: dict[bool, float] = {}
    for channels_last in (False, True):
        layout = torch.channels_last if channels_last else torch.contiguous_format
        literal.to(memory_format=layout)
        images = random_batch(options, channels_last)
        layouts[channels_last] = min(reference.seconds("weight step", images) for _ in range(3))
    literal_last = layouts[True] < layouts[False]
    layout = torch.channels_last if literal_last else torch.contiguous_format
    literal.to(memory_format=layout)
    literal_batch = random_batch(options, literal_last)

    results = {}
    for step in options.steps:
        ours, theirs = [], []
        for _ in range(options.repeats):
            ours.append(product.seconds(step, batch))
            theirs.append(reference.seconds(step, literal_batch))
        images = options.batch * (2 if step == "bilevel iteration" else 1)
        results[step] = {
            "seconds": min(ours),
            "literal_seconds": min(theirs),
            "ratio_min": min(ours) / min(theirs),
            "ratio_median": statistics.median(a / b for a, b in zip(ours, theirs, strict=True)),
            "images_per_second": images / min(ours),
        }
    memory = {}
    if not options.no_memory:
        memory = {form: peak_memory(form, literal_last, options) for form in FORMS}

    report = {
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "repeats": options.repeats,
        **{name: getattr(options, name) for name in SETTINGS if name != "threads"},
        "backend": fused.backend,
        "native_target": describe_target(),
        "literal_layout": "channels_last" if literal_last else "contiguous",
        "construction_seconds": built,
        "first_iteration_seconds": first,
        "steps": results,
        "memory_gb": memory,
        "time_ratio": results.get("weight step", {}).get("ratio_median"),
        "bilevel_ratio": results.get("bilevel iteration", {}).get("ratio_median"),
        "memory_ratio": memory["product"] / memory["literal"] if memory else None,
    }
    print(json.dumps(report, indent=2) if options.json else as_table(report))


def as_table(report: dict) -> str:
    lines = [
        f"{report['processor']}, {report['threads']} threads, torch {report['torch']}, "
        f"Python {report['python']}, {report['repeats']} repeats",
        f"K = {report['k']}, C = {report['channels']}, {report['layers']} cells, "
        f"{report['nodes']} nodes, batch {report['batch']} of {report['size']}x{report['size']}, "
        f"float32; back end: {report['backend']}, kernels for {report['native_target']}; "
        f"literal form: {report['literal_layout']}",
        f"construction {report['construction_seconds']:.1f} s, "
        f"first iteration {report['first_iteration_seconds']:.2f} s",
        f"{'':20}{'product':>10}{'literal':>10}{'min':>8}{'median':>8}{'images/s':>10}",
    ]
    for step, row in report["steps"].items():
        lines.append(
            f"{step:20}{row['seconds']:8.2f} s{row['literal_seconds']:8.2f} s"
            f"{row['ratio_min']:8.3f}{row['ratio_median']:8.3f}{row['images_per_second']:10.0f}"
        )
    if memory := report["memory_gb"]:
        ratio = report["memory_ratio"]
        lines.append(
            f"{'peak memory':20}{memory['product']:7.2f} GB{memory['literal']:7.2f} GB{ratio:8.3f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
