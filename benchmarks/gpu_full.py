"""Everything that a GPU has to show, part by part: `python benchmarks/search_gpu.py --full`.

Each part is a process of its own with a time limit, so that one that fails or hangs costs only its
own figures. Results are written after each part, to `gpu.json` and `gpu.md`. A part needs this
repository, PyTorch, numpy, PyYAML and Pillow, and nothing else.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from torch.nn import functional

HERE = Path(__file__).parent
FORMS = ("triton+graphs", "literal", "torch+graphs", "triton", "torch")
SMALL = "--k 1 --channels 4 --layers 3 --nodes 1 --batch 2 --size 4 --iterations 1 --rounds 1"
PUBLISHED = (
    "Published: the authors' code ends its supernet at 84.6 to 85.3 % on the architecture's "
    "images, and its cells retrain to 97.2 to 97.5 %. Target on an H100: the paper's search in "
    "at most 2 minutes, at least 8 times as fast as the literal form, below 3 GB."
)


@dataclass(frozen=True)
class Part:
    """One part.

    Attributes:
        name: Its name in the results.
        limit: Seconds that it may take.
        command: Its arguments after the interpreter; "{out}" stands for the file of its figures,
            which otherwise are its standard output.
    """

    name: str
    limit: float
    command: tuple[str, ...]


def parts(options: argparse.Namespace) -> list[Part]:
    """All parts, the most important first."""
    smoke = ("--smoke",) if options.smoke else ()
    precision = ("--precision", options.precision)
    small = tuple(SMALL.split()) if options.smoke else ()
    here, steps = str(HERE / "gpu_full.py"), str(HERE / "search_gpu.py")
    own = ("--part-out", "{out}", *precision, *smoke)
    chosen = ("--dataset", options.dataset) if options.dataset else ()
    retrain = (str(HERE / "retrain_step.py"), "--json", "--precision")
    if options.smoke:
        retrain += ("fp32", "--channels", "4", "--layers", "3", "--batch", "2", "--repeats", "1")
    else:
        retrain += (options.precision, "--device", "cuda", "--batch", "96")
    compile_ = () if options.smoke else ("--compile",)
    forms = [
        Part(f"steps {form}", 90, (steps, "--json", "--forms", form, *precision, *small, *smoke))
        for form in FORMS
    ]
    wanted = [
        Part("parity", 90, (here, "--part", "parity", *own)),
        *forms[:2],
        Part("search", 210, (here, "--part", "search", *own, *chosen)),
        *forms[2:],
        Part("retraining", 60, retrain),
        Part("retraining compiled", 150, (*retrain, *compile_)),
        Part("population", 60, (here, "--part", "population", *own)),
    ]
    # Interpreted kernels on a busy CPU take as long as they take.
    return [replace(one, limit=600) for one in wanted] if options.smoke else wanted


def measure_everything(options: argparse.Namespace) -> int:
    """Run all parts within the time; the exit code is 1 if a part failed."""
    folder, end = Path(options.out), time.monotonic() + 60 * options.minutes
    folder.mkdir(parents=True, exist_ok=True)
    results: dict[str, dict[str, Any]] = {}
    for part in parts(options):
        if options.parts and part.name not in options.parts:
            continue
        left = end - time.monotonic()
        print(f"{part.name} ...", end=" ", flush=True, file=sys.stderr)
        if left < 5:
            results[part.name] = {"failed": "no time was left", "seconds": 0.0}
        else:
            results[part.name] = run_part(part, folder, min(part.limit, left))
        print(results[part.name].get("failed", "done"), file=sys.stderr)
        write(folder, results)
    print((folder / "gpu.md").read_text())
    return 1 if any("failed" in one for one in results.values()) else 0


def run_part(part: Part, folder: Path, limit: float) -> dict[str, Any]:
    """The figures of one part; or why there are none, with the last lines that it printed."""
    out = folder / f"{part.name.replace(' ', '-')}.json"
    out.unlink(missing_ok=True)
    command = [sys.executable, *(out.as_posix() if one == "{out}" else one for one in part.command)]
    start = time.monotonic()
    log = folder / f"{out.stem}.log"
    # Kernels are interpreted on a CPU; on a GPU they must not be.
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    if "--smoke" in part.command:
        environment["TRITON_INTERPRET"] = "1"
    with log.open("w") as stream:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE if "{out}" not in part.command else stream,
            stderr=stream,
            text=True,
            start_new_session=True,
            env=environment,
            cwd=HERE.parent,
        )
        failed = ""
        try:
            printed, _ = process.communicate(timeout=limit)
            if process.returncode:
                failed = f"exit code {process.returncode}"
        except subprocess.TimeoutExpired:
            failed = f"stopped after {limit:.0f} s"
            _kill(process)
            printed = ""
    found: dict[str, Any] = {"seconds": round(time.monotonic() - start, 1)}
    try:
        text = out.read_text() if "{out}" in part.command else printed
        found["figures"] = json.loads(text)  # What a stopped part had is kept.
    except (OSError, ValueError, TypeError):
        failed = failed or "it gave no figures"
    if failed:
        last = log.read_text(errors="replace").strip().splitlines()[-3:]
        found["failed"] = failed + (f": {last[-1]}" if last else "")
        found["last_lines"] = last
    return found


def _kill(process: subprocess.Popen) -> None:
    """End a part with all processes that it has started; a kernel that hangs may not notice."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            process.wait(5)
            return
        except (subprocess.TimeoutExpired, ProcessLookupError):
            continue


def write(folder: Path, results: Mapping[str, Mapping[str, Any]]) -> None:
    """Both files, whole at any time."""
    texts = {
        "gpu.json": json.dumps(_finite(results), indent=1, allow_nan=False),
        "gpu.md": as_markdown(results) + "\n",
    }
    for name, text in texts.items():
        (folder / f"{name}.part").write_text(text)
        (folder / f"{name}.part").replace(folder / name)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_markdown(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures as one page."""
    rows = {
        name.removeprefix("steps "): one["figures"]["forms"][name.removeprefix("steps ")]
        for name, one in results.items()
        if name.startswith("steps ") and "figures" in one
    }
    lines = ["| form | weight ms | bilevel ms | of literal | GB | launches | search s |"]
    lines.append("|---|---|---|---|---|---|---|")
    literal = rows.get("literal", {}).get("bilevel iteration", {}).get("ms")
    for form, row in rows.items():
        both = row["bilevel iteration"]["ms"]
        ratio = f"{both / literal:.3f}" if literal else ""
        lines.append(
            f"| {form} | {row['weight step']['ms']:.1f} | {both:.1f} | {ratio} | "
            f"{row['peak_memory_gb']:.2f} | {row['launches']} | {row['paper_search_seconds']:.0f} |"
        )
    lines += ["", "| part | seconds | figures |", "|---|---|---|"]
    for name, one in results.items():
        figures = one.get("figures", {})
        if name.startswith("steps "):
            checked = figures.get("forms", {}).get(name[6:], {}).get("check", {})
            figures = {"device": figures.get("device"), **checked}
        plain = ", ".join(f"{key} {_short(value)}" for key, value in figures.items())
        failed = f"**{one['failed']}** ".replace("|", "/") if "failed" in one else ""
        lines.append(f"| {name} | {one['seconds']} | {failed}{plain} |")
    return "\n".join([*lines, "", PUBLISHED])


def _short(value: Any) -> str:
    """A figure in few characters; of many, the mean, or the difference closest to its limit.

    >>> _short([1.0, 2.0]), _short([{"name": "logits", "found": 1e-7, "allowed": 1e-6}])
    ('1.5 (mean of 2)', 'at most 0.1 of what is allowed (logits)')
    """
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list) and value and all(isinstance(one, float) for one in value):
        return f"{sum(value) / len(value):.4g} (mean of {len(value)})"
    if isinstance(value, list) and value and isinstance(value[0], Mapping) and "found" in value[0]:
        worst = max(value, key=lambda one: one["found"] / one["allowed"])
        share = worst["found"] / worst["allowed"]
        return f"at most {share:.2g} of what is allowed ({worst['name']})"
    return str(value).replace("|", "/")


# The parts that have no script of their own.


def parity(options: argparse.Namespace) -> dict[str, Any]:
    """The check that a search makes at its start, in three precisions."""
    from darts.searching.assembly import method_of
    from darts.searching.backend_check import check_backend
    from darts.searching.options import SearchOptions
    from darts.searching.probe import SearchSetting, stand_in_dataset
    from darts.searching.recording_check import check_recording
    from genotypes.search_space import DARTS

    found: dict[str, Any] = {}
    for precision in ("fp32",) if options.smoke else (options.precision, "fp32", "fp64"):
        small: dict[str, Any] = {"precision": precision, "dataset": "cifar10"}
        if options.smoke:
            small |= {"channels": 2, "layers": 1, "nodes": 1, "k": 1, "batch_size": 2}
        elif precision == "fp64":
            small |= {"batch_size": 32}
        search = SearchOptions(**small)
        dataset = stand_in_dataset("cifar10", 4 if options.smoke else 32, 10)
        setting = SearchSetting(search, dataset, device_of(options), DARTS, method_of(search))
        checks = [check_backend(setting, "triton")]
        if not options.smoke:
            checks.append(check_recording(setting, "triton" if checks[0].passed else "torch"))
        for one in checks:
            found[f"{one.what} {precision}"] = "right" if one.passed else one.reason
            found[f"{one.what} {precision} seconds"] = one.seconds
            found[f"{one.what} {precision} details"] = one.as_dict()["deviations"]
            save(options, found)
    return found


def search(options: argparse.Namespace) -> dict[str, Any]:
    """The paper's search on CIFAR-10 if it is here, else on random images of its size."""
    from darts.methods.gradient import LabelledBatch
    from darts.runs.optimisers import set_learning_rate
    from darts.runs.schedules import cosine
    from darts.searching.assembly import assemble, method_of
    from darts.searching.images import SearchImages
    from darts.searching.options import SearchOptions
    from darts.searching.probe import SearchSetting
    from darts.searching.scoring import validated
    from darts.searching.settling import settle
    from darts.searching.staging import SEARCH_STREAMS
    from darts.system.device import keep_memory, peak_memory, precision_context, synchronise
    from darts.system.randomness import RandomStreams
    from genotypes.search_space import DARTS

    keep_memory()
    device, name = device_of(options), dataset_of(options)
    small: dict[str, Any] = {"epochs": 50, "arch_warmup_epochs": 15}
    if options.smoke:
        small = {"epochs": 2, "arch_warmup_epochs": 1, "channels": 4, "layers": 3, "nodes": 1}
        small |= {"k": 1, "batch_size": 16}
    precision = "fp32" if options.smoke else options.precision
    chosen = SearchOptions(dataset=name, download=False, precision=precision, **small)
    streams = RandomStreams(chosen.seed, SEARCH_STREAMS)
    images, method = SearchImages(chosen, device, streams), method_of(chosen)
    start = time.perf_counter()
    settled = settle(SearchSetting(chosen, images.dataset, device, DARTS, method))
    chosen, settling = settled.options, time.perf_counter() - start
    steps = images.steps_per_epoch
    made = assemble(chosen, images.dataset, device, streams, steps_per_epoch=steps, method=method)
    found: dict[str, Any] = {"dataset": "random images" if "array:" in name else name}
    found |= {"back end": made.title, "settling seconds": settling}
    begin, took = time.perf_counter(), []
    for epoch in range(chosen.epochs):
        rate = cosine(chosen.learning_rate, chosen.learning_rate_min, epoch, chosen.epochs)
        set_learning_rate(made.weight_optimiser, rate)
        made.supernet.train()
        for _ in range(steps):
            training, validation = LabelledBatch(*images.training.next_batch()), None
            if epoch >= chosen.arch_warmup_epochs:
                validation = LabelledBatch(*images.validation.next_batch())
            scalars = made.iteration(training, validation)
        synchronise(device)
        took.append(time.perf_counter() - begin)
        found |= {"epochs": epoch + 1, "seconds": took[-1], "train loss": scalars["loss"].item()}
        found["peak GB"] = peak_memory(device) / 1e9
        save(options, found)
    context = partial(precision_context, precision, device)
    found |= validated(made.supernet, made.architecture, images, context)
    found["seconds with validation"] = time.perf_counter() - begin
    found["cell"] = str(made.costs.derive("found").as_dict()["normal"])
    return found


def population(options: argparse.Namespace) -> dict[str, Any]:
    """Eight derived networks of different widths, each trained for some steps after the other."""
    from darts.models.registry import create_network
    from darts.runs.optimisers import create_sgd
    from darts.system.device import precision_context, synchronise

    device, number, batch = device_of(options), 8, 2 if options.smoke else 128
    steps, side = (1, 8) if options.smoke else (20, 32)
    precision = "fp32" if options.smoke else options.precision
    images = torch.randn(batch, 3, side, side, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.arange(batch, device=device) % 10
    seconds: list[float] = []
    for index in range(number):
        channels, layers = (4, 3) if options.smoke else (16 + 4 * index, 8)
        generator = torch.Generator().manual_seed(index)
        sizes: dict[str, Any] = {"channels": channels, "layers": layers, "stem": "cifar"}
        network = create_network("pcdarts_cifar10", num_classes=10, generator=generator, **sizes)
        network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        sgd = create_sgd(
            network.parameters(), learning_rate=0.05, momentum=0.9, weight_decay=3e-4, device=device
        )
        for step in range(steps + 1):
            if step == 1:
                synchronise(device)
                begin = time.perf_counter()
            sgd.zero_grad(set_to_none=True)
            with precision_context(precision, device):
                loss = functional.cross_entropy(network(images)[0], labels)
            loss.backward()
            sgd.step()
        synchronise(device)
        seconds.append((time.perf_counter() - begin) / steps)
        mean = sum(seconds) / len(seconds)
        save(options, {"networks": len(seconds), "seconds a step": seconds, "mean": mean})
    speed = batch / mean
    return {"networks": number, "seconds a step": seconds, "mean": mean, "images a second": speed}


def device_of(options: argparse.Namespace) -> torch.device:
    return torch.device("cpu") if options.smoke else torch.device("cuda", 0)


def dataset_of(options: argparse.Namespace) -> str:
    """The data set of the search; random images are written beside the figures."""
    import numpy

    from darts.data.catalogue import find
    from darts.data.options import data_directory

    if options.dataset:
        return options.dataset
    if not options.smoke and find("cifar10", data_directory(None)) is not None:
        return "cifar10"
    file, random = Path(options.part_out).with_suffix(".npz"), numpy.random.default_rng(0)
    arrays, side = {}, 8 if options.smoke else 32
    for which, number in (("train", 64 if options.smoke else 50_000), ("test", 20)):
        pixels = random.integers(0, 256, (number, side, side, 3), dtype=numpy.uint8)
        arrays[f"x_{which}"], arrays[f"y_{which}"] = pixels, numpy.arange(number) % 10
    numpy.savez(file, **arrays)
    return f"array:{file}"


def save(options: argparse.Namespace, figures: Mapping[str, Any]) -> None:
    """Write the figures of a part; those of a part that is stopped later stay."""
    Path(options.part_out).write_text(json.dumps(_finite(figures)))


PARTS: Mapping[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "parity": parity,
    "search": search,
    "population": population,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=PARTS, required=True)
    parser.add_argument("--part-out", required=True, help="file for the figures")
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--dataset")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    save(options, PARTS[options.part](options))


if __name__ == "__main__":
    main()
