"""Timing steps, and interpolating between measured networks."""

from __future__ import annotations

import pytest
import torch

from darts.advising.machine import (
    Rates,
    TrainingRate,
    _timed,
    measure_search,
    measure_training,
)
from darts.judging.set_aside import set_aside
from darts.models.registry import find_model
from darts.searching.options import SearchOptions
from darts.system.load import busy_delay
from darts.training.options import TrainingOptions


def rate(macs: int, seconds: float, family: str = "cells") -> TrainingRate:
    return TrainingRate(family=family, macs=macs, image_seconds=seconds)


def test_the_median_step_counts_and_the_first_does_not():
    now, steps = [0.0], iter([100.0, 1.0, 2.0, 9.0, 2.0, 1.0])

    def step() -> None:
        now[0] += next(steps)

    assert _timed(step, torch.device("cpu"), 13.5, lambda: now[0]) == 2.0


def test_the_delay_is_the_share_of_time_that_others_take():
    """Each reading takes 0.1 s of the processor, and 0.3 s pass."""
    now = [0.0]

    def processor() -> float:
        now[0] += 0.1
        return now[0]

    assert busy_delay(0.5, lambda: 3 * now[0], processor) == pytest.approx(3, rel=0.3)
    assert busy_delay(0.5, lambda: 0.0, processor) == 1


def test_times_between_two_sizes_lie_on_a_line_of_logarithms():
    rates = Rates([rate(10**6, 0.001), rate(10**8, 0.01)])
    assert rates.image_seconds("cells", 10**7) == pytest.approx(0.001 * 10**0.5)
    assert rates.image_seconds("cells", 10**5) == 0.001  # Never less than the smallest.
    assert rates.image_seconds("cells", 10**10) == pytest.approx(0.1)


def test_times_never_grow_faster_than_the_multiply_adds():
    rates = Rates([rate(10**6, 0.001), rate(10**7, 0.1)])
    assert rates.image_seconds("cells", 10**8) == pytest.approx(0.1)


def test_an_unknown_family_is_as_slow_as_the_slowest():
    rates = Rates([rate(10**6, 0.001), rate(10**6, 0.004, "regnet")])
    assert rates.image_seconds("efficientnet", 10**6) == 0.004
    assert Rates.from_list(rates.as_list()).measured == rates.measured


def test_real_steps_take_time():
    options = TrainingOptions(
        dataset="digits",
        device="cpu",
        threads=1,
        batch_size=4,
        channels=4,
        layers=3,
        auxiliary=False,
        cutout=0,
    )
    model = find_model("darts_v2")
    found = measure_training(options, model, set_aside(options, 5), "cells", seconds=0.01)
    assert 0 < found.image_seconds < 5
    assert found.macs > 0
    searched = measure_search(
        SearchOptions(
            dataset="digits",
            device="cpu",
            threads=1,
            backend="torch",
            batch_size=4,
            channels=4,
            layers=3,
            nodes=2,
            k=2,
            epochs=2,
            arch_warmup_epochs=1,
        ),
        seconds=0.01,
        closing=True,
    )
    assert 0 < searched.weight_seconds < searched.step_seconds * 5
    assert searched.closing_seconds > 0
    assert searched.backend == "torch"
