"""A fit that measures nothing: its clock, its machine and its latencies are given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from darts.advising.looking import DataSummary
from darts.advising.machine import Rates, SearchRate, TrainingRate
from darts.fitting.options import FitOptions
from darts.fitting.plan import Machine
from darts.fitting.run import Instruments


class Clock:
    """A clock that a test moves; each reading takes a moment."""

    def __init__(self, tick: float = 0.0) -> None:
        self.now, self.tick = 0.0, tick

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


def machine(scale: float = 1.0, search: bool = False) -> Machine:
    """A machine on which a network of 10^6 multiply-adds takes `scale` ms for an image."""
    rates = [
        TrainingRate(family=family, macs=macs, image_seconds=scale * macs / 1e9)
        for family in ("cells", "regnet", "efficientnet")
        for macs in (60_000, 3_000_000)
    ]
    step = SearchRate(weight_seconds=0.05, step_seconds=0.1, steps=18, backend="torch")
    return Machine(image_size=8, rates=Rates(rates), search=step if search else None)


def summary(images: int = 1442, classes: int = 10) -> DataSummary:
    """Data like the digits."""
    counts = tuple(images // classes for _ in range(classes))
    return DataSummary(
        dataset="digits",
        classes=tuple(map(str, range(classes))),
        train_counts=counts,
        test_counts=tuple(max(1, count // 4) for count in counts),
        size=8,
        sides=(8, 8, 8),
    )


@pytest.fixture
def instruments() -> Instruments:
    """A fit that measures nothing; see `still_instruments`."""
    return still_instruments()


def still_instruments() -> Instruments:
    """A still clock, a given machine, and latencies in proportion to the multiply-adds."""
    return Instruments(
        clock=Clock(),
        measure=lambda options, summary: machine(),
        latency=lambda network, images: network.macs / 1e9,
        export=lambda files: {},
        delay=lambda: 1.0,
    )


@pytest.fixture
def tiny(tmp_path: Path) -> Callable[..., FitOptions]:
    """Options of a fit on tiny images; see `tiny_options`."""
    return tiny_options(tmp_path)


def tiny_options(tmp_path: Path) -> Callable[..., FitOptions]:
    """Options of a fit on 120 images of two classes, which differ in brightness."""
    generator = np.random.default_rng(0)

    def part(images: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(images) % 2
        pixels = generator.integers(0, 120, (images, 8, 8, 3)) + 120 * labels[:, None, None, None]
        return pixels.astype(np.uint8), labels

    train, test = part(120), part(30)
    file = tmp_path / "tiny.npz"
    np.savez(file, x_train=train[0], y_train=train[1], x_test=test[0], y_test=test[1])

    def options(**changes: object) -> FitOptions:
        given = {"budget": 60.0, "out": str(tmp_path / "fit"), "device": "cpu", "threads": 1}
        return FitOptions(**{"data": str(file), **given, **changes})  # type: ignore[arg-type]

    return options
