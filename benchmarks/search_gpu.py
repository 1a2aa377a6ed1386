"""Time of a search iteration on a GPU: literal supernet, PyTorch engine, Triton, CUDA graphs.

    python benchmarks/search_gpu.py [--precision bf16] [--forms literal triton+graphs] [--json]
    python benchmarks/search_gpu.py --full [--minutes 10] [--out FOLDER] [--dataset cifar10]
    python benchmarks/search_gpu.py --full --smoke

All forms have the same weights and use the same batch, which is already on the device. A bilevel
iteration is an architecture step and a weight step, including the optimisers. In the literal form
the architecture step also computes the gradients of the weights, as the PC-DARTS code does. Times
are device times between two events around `--iterations` iterations; the output has the best and
the median of `--rounds` rounds.

`check` compares logits and architecture gradient in float32, without TF32, with the literal form.
The time of the paper's search is computed from the measured times: 50 epochs of 97 steps at batch
256, of which the first 15 have no architecture step. `input` is the time to make both batches from
images on the device, including a wait for the device that a search does not need; its share is
therefore an upper bound.

`--full` measures everything, each part in a process of its own with a time limit
(benchmarks/gpu_full.py), and writes `gpu.json` and `gpu.md`. `--smoke` tries the same parts on the
CPU with tiny networks, where kernels of Triton are interpreted and graphs are not recorded. Without
a CUDA device the exit code is 2.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parents[1]))

from cells.topology import Topology
from darts.data.augmentation import Augmentation
from darts.data.dataset import ImageTensor
from darts.data.loader import BatchLoader
from darts.methods.architecture import Architecture
from darts.methods.gradient import Bilevel, LabelledBatch, StepOutcome
from darts.runs.optimisers import create_adam, create_sgd
from darts.searching.recording import WARM_UP, CudaGraphs, RecordedIteration, Step
from darts.searching.steps import ArchitectureStep, BilevelIteration, WeightStep
from darts.searching.supernet import Supernet
from darts.system.device import peak_memory, precision_context, synchronise
from genotypes import SPACES
from ops.initialise import initialise
from tests.reference.correspondence import copy_weights
from tests.reference.supernet import ReferenceSupernet

FORMS = ("literal", "torch", "torch+graphs", "triton", "triton+graphs")
STEPS = ("weight step", "bilevel iteration")
EPOCHS, WARM_UP_EPOCHS, STEPS_PER_EPOCH = 50, 15, 25_000 // 256
LAUNCHES = (
    "cudaLaunchKernel",
    "cudaLaunchKernelExC",
    "cuLaunchKernel",
    "cuLaunchKernelEx",
    "cudaGraphLaunch",
)
MEAN, STD = (0.491, 0.482, 0.447), (0.247, 0.243, 0.262)


class LiteralArchitectureStep:
    """The step of the PC-DARTS code: it also computes the gradients of the weights, unused."""

    def __init__(
        self,
        supernet: nn.Module,
        architecture: Architecture,
        optimiser: torch.optim.Optimizer,
        context: partial[AbstractContextManager[object]],
    ) -> None:
        self.supernet, self.architecture = supernet, architecture
        self.optimiser, self.context = optimiser, context

    def __call__(self, validation: LabelledBatch, training: LabelledBatch) -> StepOutcome:
        self.optimiser.zero_grad()
        with self.context():
            logits = self.supernet(validation.images, self.architecture.tables())
            loss = functional.cross_entropy(logits, validation.labels)
        loss.backward()
        self.optimiser.step()
        return StepOutcome(loss.detach(), logits.detach())


def build(form: str, literal: ReferenceSupernet, options: argparse.Namespace) -> nn.Module:
    """A supernet of one form on the device, with the weights of `literal`."""
    if form == "literal":
        supernet: nn.Module = ReferenceSupernet(
            options.channels, options.layers, options.nodes, options.k
        )
        supernet.load_state_dict(literal.state_dict())
    else:
        supernet = Supernet(
            Topology(options.nodes),
            SPACES["darts"].operations,
            channels=options.channels,
            layers=options.layers,
            k=options.k,
            backend=form.partition("+")[0],
            device=options.device.type,
        )
        copy_weights(literal, supernet)
    return supernet.to(options.device).to(memory_format=torch.channels_last)


def create_iteration(form: str, supernet: nn.Module, options: argparse.Namespace) -> Step:
    """The iteration of a search; for the literal form that of the PC-DARTS code."""
    generator = torch.Generator().manual_seed(0)
    architecture = Architecture(Topology(options.nodes), generator=generator).to(options.device)
    sgd = create_sgd(
        supernet.parameters(),
        learning_rate=0.1,
        momentum=0.9,
        weight_decay=3e-4,
        device=options.device,
    )
    adam = create_adam(
        architecture.parameters(),
        learning_rate=6e-4,
        betas=(0.5, 0.999),
        weight_decay=1e-3,
        device=options.device,
    )
    context = partial(precision_context, options.precision, options.device)
    problem = Bilevel(supernet, architecture, sgd, functional.cross_entropy, context)
    weight_step = WeightStep(problem, 5.0)
    if form == "literal":
        step = LiteralArchitectureStep(supernet, architecture, adam, context)
        return BilevelIteration(step, weight_step)  # type: ignore[arg-type]
    iteration = BilevelIteration(ArchitectureStep(problem, adam), weight_step)
    return (
        RecordedIteration(iteration, CudaGraphs(options.device), insist=True)
        if form.endswith("graphs") and options.device.type == "cuda"
        else iteration
    )


def random_batch(options: argparse.Namespace, size: int | None = None) -> LabelledBatch:
    generator = torch.Generator().manual_seed(1)
    shape = (size or options.batch, 3, options.size, options.size)
    images = torch.randn(shape, generator=generator).to(options.device)
    labels = torch.randint(10, shape[:1], generator=generator).to(options.device)
    return LabelledBatch(images.contiguous(memory_format=torch.channels_last), labels)


def measure(form: str, literal: ReferenceSupernet, options: argparse.Namespace) -> dict:
    """Times in ms, peak memory in GB, and the seconds of the warm-up."""
    on_cuda = options.device.type == "cuda"
    gc.collect()
    if on_cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    iteration = create_iteration(form, build(form, literal, options), options)
    batch = random_batch(options)
    report: dict = {}
    for step in STEPS:
        batches = (batch, batch) if step == "bilevel iteration" else (batch,)
        start = time.perf_counter()
        for _ in range(WARM_UP + 2 if on_cuda else 1):
            iteration(*batches)
        synchronise(options.device)
        report[f"{step}, warm-up seconds"] = time.perf_counter() - start
        rounds = [
            milliseconds(lambda: iteration(*batches), options)  # noqa: B023
            for _ in range(options.rounds)
        ]
        report[step] = {"ms": min(rounds), "median_ms": statistics.median(rounds)}
    report["images_per_second"] = 2000 * options.batch / report["bilevel iteration"]["ms"]
    report["peak_memory_gb"] = peak_memory(options.device) / 1e9
    report["reserved_memory_gb"] = torch.cuda.max_memory_reserved() / 1e9 if on_cuda else 0.0
    report["launches"] = launches(iteration, batch) if on_cuda else 0
    report["paper_search_seconds"] = paper_search(report)
    return report


def milliseconds(work: Callable[[], object], options: argparse.Namespace) -> float:
    """Milliseconds of one of `options.iterations` iterations, by the clock of the device."""
    if options.device.type != "cuda":
        start = time.perf_counter()
        for _ in range(options.iterations):
            work()
        return 1000 * (time.perf_counter() - start) / options.iterations
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in range(options.iterations):
        work()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / options.iterations


def launches(iteration: Step, batch: LabelledBatch) -> int:
    """Number of launches by the host in one bilevel iteration; a graph counts as one."""
    # The profiler records calls of the CUDA runtime only together with the device's activity.
    kinds = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=kinds) as profile:
        iteration(batch, batch)
        torch.cuda.synchronize()
    return sum(event.count for event in profile.key_averages() if event.key in LAUNCHES)


def paper_search(report: dict) -> float:
    """Seconds of all steps of the paper's search on CIFAR-10, without input and validation."""
    weight, bilevel = (report[step]["ms"] / 1000 for step in STEPS)
    return STEPS_PER_EPOCH * (WARM_UP_EPOCHS * weight + (EPOCHS - WARM_UP_EPOCHS) * bilevel)


def input_ms(options: argparse.Namespace) -> float:
    """Median time in ms to make both batches of an iteration from images on the device."""
    generator = torch.Generator().manual_seed(2)
    shape = (max(5_000, options.batch), 3, options.size, options.size)
    pixels = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
    labels = torch.randint(10, shape[:1], generator=generator)
    loader = BatchLoader(
        ImageTensor(pixels, labels).to(options.device),
        torch.arange(len(labels)),
        options.batch,
        options.device,
        Augmentation(mean=MEAN, std=STD, crop_padding=4, flip=True, cutout=16),
        torch.Generator().manual_seed(0),
        torch.Generator().manual_seed(1),
    )
    taken = []
    for _ in range(options.iterations + 3):
        synchronise(options.device)
        start = time.perf_counter()
        loader.next_batch(), loader.next_batch()
        synchronise(options.device)
        taken.append(1000 * (time.perf_counter() - start))
    return statistics.median(taken[3:])


def compare(report: dict, milliseconds: float) -> None:
    """Add the ratios to the literal form and the share of the input time to the report."""
    report["input_ms"] = milliseconds
    literal = report["forms"].get("literal")
    for row in report["forms"].values():
        row["input_share"] = milliseconds / row["bilevel iteration"]["ms"]
        if literal is not None:
            row["time_ratio"] = row["bilevel iteration"]["ms"] / literal["bilevel iteration"]["ms"]
            row["memory_ratio"] = row["peak_memory_gb"] / literal["peak_memory_gb"]


def check(form: str, literal: ReferenceSupernet, options: argparse.Namespace) -> dict[str, float]:
    """Relative distances to the literal form in float32, of logits and architecture gradient."""
    found: list[list[Tensor]] = []
    batch = random_batch(options, 16)
    for name in ("literal", form):
        supernet = build(name, literal, options)
        generator = torch.Generator().manual_seed(0)
        architecture = Architecture(Topology(options.nodes), generator=generator).to(options.device)
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            logits = supernet(batch.images, architecture.tables())
            functional.cross_entropy(logits, batch.labels).backward()
        gradients = [p.grad.flatten() for p in architecture.parameters() if p.grad is not None]
        found.append([logits.detach(), torch.cat(gradients)])
    return {
        what: ((ours - theirs).norm() / theirs.norm()).item()
        for what, theirs, ours in zip(("logits", "architecture"), *found, strict=True)
    }


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--k", type=int, default=4)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--size", type=int, default=32, help="height and width of the images")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="bf16")
    parser.add_argument("--forms", nargs="*", choices=FORMS, default=list(FORMS))
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--full", action="store_true", help="measure everything, part by part")
    parser.add_argument("--smoke", action="store_true", help="try the parts on the CPU, tiny")
    parser.add_argument("--minutes", type=float, default=10.0, help="time limit of --full")
    parser.add_argument("--out", default="gpu-results", help="folder of --full")
    parser.add_argument("--dataset", help="data set of --full: cifar10, or random images without")
    parser.add_argument("--parts", nargs="*", help="only these parts of --full")
    parser.add_argument("--json", action="store_true")
    return parser


def main() -> int:
    options = arguments().parse_args()
    if not options.smoke and not torch.cuda.is_available():
        print("No CUDA device is available, so nothing was measured.", file=sys.stderr)
        return 2
    if options.full:
        from benchmarks.gpu_full import measure_everything

        return measure_everything(options)
    options.device = torch.device("cpu") if options.smoke else torch.device("cuda", 0)
    settings = ("precision", "k", "channels", "layers", "nodes", "batch", "size")
    settings += ("iterations", "rounds")
    report: dict = {**header(), **{name: getattr(options, name) for name in settings}}
    literal = ReferenceSupernet(options.channels, options.layers, options.nodes, options.k)
    initialise(literal, torch.Generator().manual_seed(0))
    report["forms"] = {}
    for form in options.forms:
        row = measure(form, literal, options)
        if form in ("torch", "triton"):
            row["check"] = check(form, literal, options)
        report["forms"][form] = row
        print(f"{form}: {row['bilevel iteration']['ms']:.1f} ms", file=sys.stderr)
    compare(report, input_ms(options))
    print(json.dumps(report, indent=2) if options.json else as_table(report))
    return 0


def header() -> dict[str, str]:
    try:
        import triton

        version = triton.__version__
    except ImportError:
        version = "absent"
    return {
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU",
        "torch": torch.__version__,
        "cuda": str(torch.version.cuda),
        "cudnn": str(torch.backends.cudnn.version()),
        "triton": version,
        "python": platform.python_version(),
    }


def as_table(report: dict) -> str:
    lines = [
        "{device}, torch {torch}, CUDA {cuda}, cuDNN {cudnn}, Triton {triton}, Python {python}, "
        "{precision}".format(**report),
        "K = {k}, C = {channels}, {layers} cells, {nodes} nodes, batch {batch} of {size}x{size}; "
        "best of {rounds} x {iterations} iterations".format(**report),
        f"{'':15}{'weight':>10}{'bilevel':>10}{'ratio':>8}{'images/s':>10}{'memory':>10}"
        f"{'launches':>10}{'input':>8}{'search':>10}",
    ]
    for form, row in report["forms"].items():
        ratio = f"{row['time_ratio']:8.3f}" if "time_ratio" in row else f"{'':8}"
        lines.append(
            f"{form:15}{row['weight step']['ms']:7.1f} ms{row['bilevel iteration']['ms']:7.1f} ms"
            f"{ratio}{row['images_per_second']:10.0f}{row['peak_memory_gb']:7.2f} GB"
            f"{row['launches']:10}{100 * row['input_share']:6.1f} %"
            f"{row['paper_search_seconds']:8.0f} s"
        )
    lines.append(f"input: {report['input_ms']:.2f} ms for both batches of an iteration")
    for form, row in report["forms"].items():
        if "check" in row:
            differences = ", ".join(f"{what} {d:.1e}" for what, d in row["check"].items())
            lines.append(f"check of {form} against literal: {differences}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
