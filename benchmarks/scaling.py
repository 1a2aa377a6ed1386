"""Growth of time and memory of a search iteration, and its distance from the hardware limit.

    python benchmarks/scaling.py [--threads 2] [--repeats 3] [--plot FILE.svg] [--json]
    DARTS_NATIVE_TARGET=avx2 python benchmarks/scaling.py --roofline

The benchmark changes one setting of the base (K = 4, C = 16, 8 cells, 4 nodes, batch 64 of 32x32)
at a time. Each line is a new process: the fastest of some bilevel iterations, its images per
second, the peak of resident memory, and the share of what the machine's limits would allow. An
architecture step has no gradient of the weights, so a bilevel iteration has five times the
multiply-adds of a forward pass.

The roofline splits the weight step of the base into parts. It counts the multiply-adds of the
convolutions of each part and the bytes of the tensors between parts (each written and read once).
The limits are measured in the same run with a large matrix product and a large copy. `bound` is the
larger of the two resulting times, and `of limit` is its share of the measured time. The product
uses the best instructions of the machine, whatever target the kernels are compiled for.
`--roofline` leaves out the growth.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from torch.profiler import profile

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.search_step import Form, build, peak_resident, processor, random_batch
from cells.skeleton import Skeleton
from cells.topology import Topology
from darts.costs.count import operation_cost
from darts.system.device import keep_memory
from genotypes import SPACES
from ops.native.target import describe_target

BASE = {"k": 4, "channels": 16, "layers": 8, "nodes": 4, "batch": 64, "size": 32}
MOVED = {
    "batch": (16, 32, 64, 128),
    "channels": (8, 16, 32, 48),
    "layers": (5, 8, 11, 14),
    "nodes": (2, 3, 4, 5),
    "size": (16, 32, 48, 64),
    "k": (1, 2, 4, 8),
}
LABELS = {"layers": "cells", "size": "image size", "k": "K"}
FLOAT = 4  # bytes


def measure(settings: argparse.Namespace) -> dict[str, Any]:
    """Seconds and GB of one setting, measured in this process."""
    form = Form(build("product", settings), settings, False)
    batch = random_batch(settings, True)
    form.seconds("bilevel iteration", batch)
    seconds = min(form.seconds("bilevel iteration", batch) for _ in range(settings.repeats))
    return {"seconds": seconds, "gigabytes": peak_resident()}


def in_a_fresh_process(options: argparse.Namespace, moved: dict[str, int]) -> dict[str, Any]:
    values = {**BASE, **moved}
    flags = [f"--{name}={value}" for name, value in values.items()]
    shared = [f"--threads={options.threads}", f"--repeats={options.repeats}"]
    command = [sys.executable, __file__, "--measure", *flags, *shared, "--backend", options.backend]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {**values, **json.loads(done.stdout.splitlines()[-1])}


def limits() -> tuple[float, float]:
    """Multiply-adds and bytes per second: the best of some large products and copies."""
    one, other = torch.randn(2048, 2048), torch.randn(2048, 2048)
    source, target = torch.randn(2**26), torch.empty(2**26)

    def best(action: Any, repeats: int = 5) -> float:
        action()
        spans = []
        for _ in range(repeats):
            start = time.perf_counter()
            action()
            spans.append(time.perf_counter() - start)
        return min(spans)

    macs = 2048**3 / best(lambda: torch.mm(one, other))
    return macs, 2 * source.numel() * FLOAT / best(lambda: target.copy_(source))


def parts(options: argparse.Namespace) -> dict[str, tuple[float, float]]:
    """Multiply-adds and bytes of a weight step, by part of the supernet.

    A backward pass has twice the multiply-adds of the forward pass (for the gradients of inputs and
    weights). It reads the inputs and outputs of the forward pass and the gradient of the outputs,
    and writes the gradient of the inputs.
    """
    topology = Topology(options.nodes)
    totals: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    skeleton = Skeleton.of(
        layers=options.layers,
        channels=options.channels,
        stem=(3 * options.channels, 3 * options.channels),
        width=lambda kind: options.nodes,
    )
    for place in skeleton.cells:
        channels = place.channels
        size, smaller = options.size // place.shrinkage, place.output_size(options.size)
        for slot, width in enumerate((place.before_previous, place.previous)):
            made = channels * size**2
            # The next cell and the one after it share one read of their common input.
            read = width * size**2 if slot else 0
            _count(totals, "preprocessing", width * made, read, made)
        macs = 0
        for edge in topology.edges:
            stride = topology.stride(edge.source, place.reduction)
            for name in SPACES["darts"].operations:
                cost = operation_cost(
                    name, channels // options.k, stride, smaller * stride, searching=True
                )
                macs += cost.conv_macs
        out = options.nodes * channels * smaller**2
        _count(totals, "cells", macs, 2 * channels * size**2, out)
    return {
        name: (options.batch * macs, options.batch * FLOAT * elements)
        for name, (macs, elements) in totals.items()
    }


def bound(options: Any, macs_limit: float, bytes_limit: float) -> tuple[float, str]:
    """Seconds of a bilevel iteration at the machine's limits, and which limit it is."""
    macs = size = 0.0
    for name, (products, moved) in parts(options).items():
        # In the architecture step, a backward pass computes the gradient of its inputs only.
        macs += products * (1.5 if name.endswith("backward") else 2.0)
        size += 2 * moved
    arithmetic, memory = macs / macs_limit, size / bytes_limit
    return max(arithmetic, memory), "arithmetic" if arithmetic > memory else "memory"


def _count(
    totals: dict[str, list[float]], part: str, macs: float, read: float, made: float
) -> None:
    for name, products, elements in (
        (f"{part}, forward", macs, read + made),
        (f"{part}, backward", 2 * macs, 2 * read + 2 * made),
    ):
        totals[name][0] += products
        totals[name][1] += elements


KERNELS = {
    "_Preprocess": "preprocessing, forward",
    "_PreprocessBackward": "preprocessing, backward",
    "_Cell": "cells, forward",
    "_CellBackward": "cells, backward",
}


def roofline(
    options: argparse.Namespace, macs_limit: float, bytes_limit: float
) -> list[dict[str, Any]]:
    """The parts of a weight step of the native engine, each with its time and limit."""
    form, batch = Form(build("product", options), options, False), random_batch(options, True)
    for _ in range(2):
        form.seconds("weight step", batch)
    spent: dict[str, float] = {}
    whole = float("inf")
    for _ in range(options.repeats):
        with profile() as record:
            whole = min(whole, form.seconds("weight step", batch))
        for event in record.key_averages():
            if name := KERNELS.get(event.key):
                spent[name] = min(spent.get(name, float("inf")), event.self_cpu_time_total / 1e6)
    rows = []
    for name, (macs, size) in parts(options).items():
        arithmetic, memory = macs / macs_limit, size / bytes_limit
        bound = max(arithmetic, memory)
        rows.append(
            {
                "part": name,
                "seconds": spent.get(name),
                "gigamacs": macs / 1e9,
                "gigabytes": size / 1e9,
                "bound_seconds": bound,
                "bound_by": "arithmetic" if arithmetic > memory else "memory",
            }
        )
    rows.append({"part": "the rest", "seconds": whole - sum(spent.values())})
    rows.append({"part": "limits", "gigamacs": macs_limit / 1e9, "gigabytes": bytes_limit / 1e9})
    return rows


def plot(rows: list[dict[str, Any]], path: str) -> None:
    """Plot time and memory over each changed setting, relative to the base, on log axes."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    from darts.report.style import CURVES, MUTED

    figure, axes = pyplot.subplots(1, len(MOVED), figsize=(14, 2.9), sharey=True)
    base = next(row for row in rows if all(row[name] == value for name, value in BASE.items()))
    for axis, (name, values) in zip(axes, MOVED.items(), strict=True):
        chosen = [one_of(rows, name, value) for value in values]
        for measure, colour, marker in (
            ("seconds", CURVES[0], "o"),
            ("gigabytes", CURVES[1], "s"),
        ):
            relative = [row[measure] / base[measure] for row in chosen]
            label = {"seconds": "time", "gigabytes": "memory"}[measure]
            axis.plot(values, relative, color=colour, marker=marker, label=label)
        axis.set(xscale="log", yscale="log", title=LABELS.get(name, name))
        axis.set_xticks(values, [str(value) for value in values], minor=False)
        axis.set_xticks([], minor=True)
        axis.set_yticks([0.25, 0.5, 1, 2, 4], ["¼", "½", "1", "2", "4"])
        axis.set_yticks([], minor=True)
        axis.axhline(1, color=MUTED, linewidth=0.6, linestyle=":")
    axes[0].set_ylabel("relative to the base")
    axes[0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path)


def one_of(rows: list[dict[str, Any]], name: str, value: int) -> dict[str, Any]:
    wanted = {**BASE, name: value}
    return next(row for row in rows if all(row[key] == wanted[key] for key in BASE))


def as_table(report: dict[str, Any]) -> str:
    lines = [
        f"{report['processor']}, {report['threads']} threads, torch {report['torch']}, "
        f"Python {report['python']}, {report['repeats']} repeats, back end {report['backend']}, "
        f"kernels for {report['native_target']}",
    ]
    if report["scaling"]:
        lines.append(f"{'moved':>16}{'seconds':>10}{'images/s':>10}{'GB':>8}{'of limit':>10}")
        for name, values in MOVED.items():
            for value in values:
                row = one_of(report["scaling"], name, value)
                pace = 2 * row["batch"] / row["seconds"]
                moved = f"{LABELS.get(name, name)} {value}"
                lines.append(
                    f"{moved:>16}{row['seconds']:10.3f}{pace:10.0f}{row['gigabytes']:8.2f}"
                    f"{row['bound_seconds'] / row['seconds']:10.0%} ({row['bound_by']})"
                )
        lines.append("")
    lines.append(
        f"{'weight step':>26}{'ms':>8}{'GMAC':>8}{'GB':>8}{'bound ms':>10}{'of limit':>10}"
    )
    *rows, limit = report["roofline"]
    for row in rows:
        text = f"{row['part']:>26}{1e3 * row['seconds']:8.0f}" if row["seconds"] else row["part"]
        if "bound_seconds" in row and row["seconds"]:
            share = row["bound_seconds"] / row["seconds"]
            text += (
                f"{row['gigamacs']:8.2f}{row['gigabytes']:8.2f}{1e3 * row['bound_seconds']:10.0f}"
                f"{share:9.0%} ({row['bound_by']})"
            )
        lines.append(text)
    lines.append(
        f"limits measured here: {limit['gigamacs']:.0f} G multiply-adds a second (matrix product), "
        f"{limit['gigabytes']:.0f} GB a second (copy, read and write)"
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in BASE.items():
        parser.add_argument(f"--{name}", type=int, default=value, help=argparse.SUPPRESS)
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--plot", help="also plot the curves to this file")
    parser.add_argument("--roofline", action="store_true", help="leave out the growth")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_memory()
    if options.measure:
        print(json.dumps(measure(options)))
        return
    moved = {} if options.roofline else MOVED
    settings = {tuple({**BASE, n: v}.items()) for n, values in moved.items() for v in values}
    best = limits()
    grown = [in_a_fresh_process(options, dict(one)) for one in sorted(settings)]
    for row in grown:
        row["bound_seconds"], row["bound_by"] = bound(argparse.Namespace(**row), *best)
    report = {
        "processor": processor(),
        "threads": options.threads,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "repeats": options.repeats,
        "backend": options.backend,
        "native_target": describe_target(),
        "scaling": grown,
        "roofline": roofline(options, *best),
    }
    if options.plot and report["scaling"]:
        plot(report["scaling"], options.plot)
    print(json.dumps(report, indent=2) if options.json else as_table(report))


if __name__ == "__main__":
    main()
