"""Measured latencies."""

from __future__ import annotations

import time

import pytest
import torch
from torch import Tensor, nn

from darts.costs.latency import measure_latency


class Sleeper(nn.Module):
    """A module that takes a known time and counts its calls."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds, self.calls, self.inputs = seconds, 0, []

    def forward(self, x: Tensor) -> Tensor:
        assert not self.training
        assert x.is_contiguous(memory_format=torch.channels_last)
        self.calls += 1
        time.sleep(self.seconds)
        return x


def test_it_is_the_time_of_a_pass() -> None:
    module = Sleeper(0.01)
    assert 0.01 <= measure_latency(module, (1, 2, 4, 4), repeats=5) < 0.05
    assert module.calls == 8


def test_slow_modules_are_timed_less_often() -> None:
    module = Sleeper(0.03)
    measure_latency(module, (1, 2, 4, 4), repeats=100, budget=0.05)
    assert module.calls == 6
    assert measure_latency(nn.Identity(), (1, 2, 4, 4)) == pytest.approx(0, abs=0.01)
