"""Quantile functions of the distributions of parameters."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from darts.design_space.distributions import Choice, LogUniform, uniforms


@pytest.mark.parametrize(
    ("distribution", "levels"),
    [
        (LogUniform(1, 16), 16),
        (LogUniform(8, 1024, 8), 128),
        (LogUniform(1.5, 3, 0.001), 1501),
        (LogUniform(8, 8, 8), 1),
        (Choice((1, 2, 4)), 3),
    ],
)
def test_every_level_comes(distribution: LogUniform | Choice, levels: int) -> None:
    assert distribution.levels == levels
    values = distribution.quantile(np.linspace(0, 1, 200_001)[:-1])
    assert len(np.unique(values)) == levels
    assert (np.diff(values) >= 0).all()


def test_ends() -> None:
    just_below_one = np.nextafter(1, 0)
    for distribution in (LogUniform(1, 16), LogUniform(8, 1024, 8), LogUniform(8, 255.9, 0.1)):
        ends = distribution.quantile(np.array([0.0, just_below_one]))
        assert ends.tolist() == [distribution.low, distribution.high]


def test_probabilities_are_logarithmic() -> None:
    # (0.5, 1], (1, 2], …, (15, 16]: log 2 / log 32 for the value 1, log(16/15) / log 32 for 16.
    values = LogUniform(1, 16).quantile((np.arange(100_000) + 0.5) / 100_000)
    for value in (1, 2, 3, 16):
        share = np.log(value / (value - 1 if value > 1 else 0.5)) / np.log(32)
        assert (values == value).mean() == pytest.approx(share, abs=2e-5)


@given(st.floats(0, 1, exclude_max=True))
def test_steps_are_clean_decimals(uniform: float) -> None:
    (value,) = LogUniform(8, 255.9, 0.1).quantile(np.array([uniform]))
    assert float(value) == float(f"{value:.1f}")


def test_choices_are_equally_likely() -> None:
    values = Choice((4, 1, 2)).quantile((np.arange(300) + 0.5) / 300)
    assert values.tolist() == [4.0] * 100 + [1.0] * 100 + [2.0] * 100


def test_generators_of_both_libraries() -> None:
    for make in (np.random.default_rng, torch.Generator().manual_seed):
        drawn = uniforms(make(0), 50, 40)
        assert drawn.shape == (50, 40)
        assert drawn.dtype == np.float64
        assert 0 <= drawn.min() < 0.01
        assert 0.99 < drawn.max() < 1
        assert np.array_equal(drawn, uniforms(make(0), 50, 40))
        assert not np.array_equal(drawn, uniforms(make(1), 50, 40))
