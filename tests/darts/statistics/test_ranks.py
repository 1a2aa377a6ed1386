"""Rank correlations against hand-counted pairs; intervals by their coverage of the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from darts.statistics.ranks import (
    correlate_ranks,
    kendall,
    resampled_kendall,
    resampled_spearman,
    spearman,
)


def test_kendall_counts_pairs() -> None:
    # Of six pairs, (2, 3) alone is discordant.
    assert kendall([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx((5 - 1) / 6)
    # One tie in the first: (5 - 0) / √(5 · 6).
    assert kendall([1, 1, 3, 4], [1, 2, 3, 4]) == pytest.approx(5 / math.sqrt(30))


def test_spearman_of_ranks() -> None:
    # 1 - 6·Σd² / (n(n² - 1)) = 1 - 12/60.
    assert spearman([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(0.8)
    assert spearman([1, 10, 100], [3, 2, 1]) == -1.0


def test_interval_lies_around_the_value_and_repeats_with_the_seed() -> None:
    draw = np.random.default_rng(3)
    first = draw.normal(size=60)
    second = first + draw.normal(size=60)
    one, two = (correlate_ranks(first, second, np.random.default_rng(0)) for _ in range(2))
    assert one == two
    assert one.n == 60
    for found in (one.kendall, one.spearman):
        assert found is not None
        assert found.low < found.middle < found.high
        assert found.excludes_zero


@pytest.mark.parametrize("second", [[1.0, 1.0, 1.0, 1.0], [1.0, 2.0]])
def test_undefined_correlations_are_none(second: list[float]) -> None:
    found = correlate_ranks(range(len(second)), second, np.random.default_rng(0), repeats=10)
    assert (found.kendall, found.spearman) == (None, None)


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="3 and 2"):
        correlate_ranks([1, 2, 3], [1, 2], np.random.default_rng(0))


@pytest.mark.parametrize("digits", [0, 1, 6])
def test_resamples_are_correlated_at_once(digits: int) -> None:
    """As one after the other, with few, some and no ties; undefined ones included."""
    draw = np.random.default_rng(4)
    first = draw.normal(size=9).round(digits)
    second = (first + draw.normal(size=9)).round(digits)
    chosen = draw.integers(9, size=(200, 9))
    chosen[0] = 5
    for at_once, alone in ((resampled_kendall, kendall), (resampled_spearman, spearman)):
        expected = [alone(first[rows], second[rows]) for rows in chosen]
        found = at_once(first, second, chosen)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
        assert math.isnan(found[0])
