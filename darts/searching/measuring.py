"""Timing the back ends that can serve a search: a few iterations of its own shapes, three seconds.

A step may take a minute, so the batch grows from two images for as long as the time allows, and
only times of the same batch are compared. On a CPU it ends at half of the batch, so that the slower
back end takes no memory that the run would not take anyway.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from cells.engines import create_engine
from darts.errors import in_one_line
from darts.methods.gradient import LabelledBatch, SingleLevel
from darts.searching.probe import Probe, SearchSetting, build_probe, random_batch
from darts.searching.recording import WARM_UP, RecordedIteration
from darts.system.device import forget_trial, synchronise
from ops.backends import BackendName

BUDGET = 3.0
"""Seconds that a measurement may take, without the time to compile kernels."""

ROUNDS = 3
"""Iterations that are timed of each back end; the fastest counts."""

# Cells of the supernet that is timed on a CPU, or if even two images of the real one would take too
# long, and the work (in supernets of the paper) from which this is so. All engines work cell by
# cell, and a single iteration of the paper's supernet takes PyTorch two seconds of a laptop.
_FEW_CELLS, _HUGE = 3, 60.0
# Of the time left: what a larger batch may be expected to take.
_SHARE = 0.6


@dataclass(frozen=True)
class Measurement:
    """Times of an iteration by each back end, on one machine.

    Attributes:
        chosen: The fastest back end.
        seconds: Fastest iteration of each back end that was timed.
        images: Images of the batch that was timed; the run may have more.
        layers: Cells of the supernet that was timed; the run may have more.
        rounds: Iterations of each back end.
        missing: Why back ends could not be timed: they do not work here, or an iteration failed.
    """

    chosen: BackendName
    seconds: Mapping[str, float]
    images: int
    layers: int
    rounds: int
    missing: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def line(self) -> str:
        """One line for the terminal."""
        if not self.seconds:
            return f"Back end {self.chosen}: no step could be timed within {BUDGET:.0f} s."
        times = ", ".join(
            f"{name} {_milliseconds(value)}"
            for name, value in sorted(self.seconds.items(), key=lambda item: item[1])
        )
        return (
            f"Back end {self.chosen}: an iteration of {self.images} images and {self.layers} cells "
            f"takes {times} (fastest of {self.rounds})."
        )


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def measure_backends(
    setting: SearchSetting,
    candidates: Sequence[BackendName],
    *,
    missing: Mapping[str, str] = {},
    clock: Callable[[], float] = time.perf_counter,
    budget: float = BUDGET,
) -> Measurement:
    """Time the candidates in turns and choose the fastest one.

    Args:
        setting: The search.
        candidates: Back ends that work here, the preferred one first: it wins a draw, and it is
            chosen if the time does not suffice for a single iteration of each. The last one is
            chosen if none can compute an iteration.
        missing: Why the others do not work here; kept with the result.
        clock: Seconds that pass.
        budget: Seconds that are allowed.
    """
    setting = replace(setting, options=_affordable(setting))
    probe = build_probe(setting, graphs=True)  # Also loads what every search needs anyway.
    timer = _Timer(setting, probe, clock)
    start = clock()
    unit = 2 * setting.options.accumulate
    images, failed = unit, dict(missing)
    working = []
    for name in candidates:
        try:
            timer.seconds(name, images)  # Compiles, on CUDA, and allocates.
            working.append(name)
        except Exception as error:  # Memory, compilers, drivers: the search does without it.
            failed[name] = in_one_line(error)
        if setting.device.type == "cpu" and clock() - start > budget:
            break
    if setting.device.type != "cpu":
        start = clock()  # Kernels of Triton are compiled by now.
    end = start + budget
    times: dict[BackendName, list[float]] = {name: [] for name in working}
    largest = _largest(setting, unit)
    while working and clock() < end:
        for name in working:
            times[name].append(timer.seconds(name, images))
        total = sum(taken[-1] for taken in times.values())
        larger = _larger(images, largest, (end - clock()) * _SHARE / (total * (ROUNDS + 1)), unit)
        if larger > images:
            images, times = larger, {name: [] for name in working}
        elif len(times[working[0]]) >= ROUNDS or clock() + total > end:
            break
    complete: dict[str, float] = {name: min(taken) for name, taken in times.items() if taken}
    if len(complete) < len(candidates) - len(failed) + len(missing):
        complete = {}  # Some were not timed at all, so nothing can be compared.
    chosen = working[0] if working else candidates[-1]
    if complete:
        chosen = min(candidates, key=lambda name: complete.get(name, math.inf))
    forget_trial(setting.device)
    rounds = len(times[chosen]) if complete else 0
    return Measurement(chosen, complete, images, setting.options.layers, rounds, failed)


class _Timer:
    """Times iterations of a probe.

    Args:
        setting: The search.
        probe: Its throw-away copy.
        clock: Seconds that pass.
    """

    def __init__(self, setting: SearchSetting, probe: Probe, clock: Callable[[], float]) -> None:
        self.setting, self.probe, self.clock = setting, probe, clock
        self._batch = random_batch(setting, 2 * setting.options.accumulate)
        self._engine: BackendName | None = None

    def seconds(self, name: BackendName, images: int) -> float:
        """Seconds of one iteration, after those that warm it up."""
        parts, device = self.probe.parts, self.setting.device
        warm_up = 0
        if len(self._batch.images) != images:
            self._batch = random_batch(self.setting, images)
            self._engine = None
        if self._engine != name:
            parts.supernet.engine, self._engine = create_engine(name), name
            if isinstance(parts.iteration, RecordedIteration):
                parts.iteration.forget()
                warm_up = WARM_UP + 1
        for _ in range(warm_up):
            self._iterate(self._batch)
        synchronise(device)
        begin = self.clock()
        self._iterate(self._batch)
        synchronise(device)
        return self.clock() - begin

    def _iterate(self, batch: LabelledBatch) -> None:
        method = self.setting.method
        trains = method.trains_architecture or isinstance(method.gradient, SingleLevel)
        self.probe.sample_channels()
        self.probe.parts.iteration(batch, batch if trains else None)


def _affordable(setting: SearchSetting) -> Any:
    """The options of the search, with few cells on a CPU and where two images would take long."""
    options = setting.options
    pixels = setting.dataset.image_size**2 / (64 if _divides(setting) else 1)
    edges = options.nodes * (options.nodes + 3) / 2
    width = options.channels / options.k
    work = options.layers / 8 * edges / 14 * (width / 4) ** 2 * pixels / 1024
    slow = setting.device.type == "cpu" or work > _HUGE
    few = slow and options.layers > _FEW_CELLS
    return replace(options, layers=_FEW_CELLS) if few else options


def _divides(setting: SearchSetting) -> bool:
    """Whether the stem divides the size of images by 8."""
    stem = setting.options.stem
    return stem == "imagenet" or (stem == "auto" and setting.dataset.image_size >= 96)


def _largest(setting: SearchSetting, unit: int) -> int:
    """The largest batch that may be timed."""
    batch = setting.options.batch_size
    if setting.device.type == "cpu":
        batch //= 2
    return max(unit, batch // unit * unit)


def _larger(images: int, largest: int, factor: float, unit: int) -> int:
    """The next batch, if times grow with its size; `images` itself if it may not grow twofold.

    >>> _larger(2, 32, 50.0, 2), _larger(2, 32, 3.1, 2), _larger(2, 32, 1.5, 2)
    (8, 6, 2)
    """
    if factor < 2 or images >= largest:
        return images
    grown = math.floor(images * min(factor, 4.0)) // unit * unit
    return max(images, min(grown, largest))
