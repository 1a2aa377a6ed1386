"""Means, deviations and differences against hand-computed values and published quantiles."""

from __future__ import annotations

import pytest

from darts.statistics.estimates import difference, estimate, paired_difference


def test_five_seeds_by_hand() -> None:
    found = estimate([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (found.n, found.mean) == (5, 3.0)
    assert found.deviation == pytest.approx(2.5**0.5)
    assert found.interval is not None
    # t(4) = 2.776445 at 97.5 %; s / √5 = √0.5.
    assert found.interval.high == pytest.approx(3 + 2.776445 * 0.5**0.5, abs=1e-6)
    assert found.interval.low == pytest.approx(3 - 2.776445 * 0.5**0.5, abs=1e-6)


def test_one_value_has_no_deviation() -> None:
    found = estimate([7.0])
    assert (found.mean, found.deviation, found.interval) == (7.0, None, None)


def test_no_value_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        estimate([])


def test_pairs_remove_what_seeds_share() -> None:
    paired = paired_difference([11.0, 21.0, 31.5], [10.0, 20.0, 30.0])
    assert paired.mean == pytest.approx(3.5 / 3)
    assert paired.interval is not None
    assert paired.interval.excludes_zero
    unpaired = difference([11.0, 21.0, 31.5], [10.0, 20.0, 30.0])
    assert unpaired is not None
    assert not unpaired.excludes_zero


def test_pairs_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="not 1 and 2"):
        paired_difference([1.0], [1.0, 2.0])


def test_welch_by_hand() -> None:
    found = difference([1.0, 3.0], [0.0, 0.0])
    # v = 1 and 0, so d = 1 and t(1) = 12.7062 at 97.5 %.
    assert found is not None
    assert (found.low, found.high) == pytest.approx((2 - 12.7062, 2 + 12.7062), abs=1e-4)


def test_welch_needs_two_values_each() -> None:
    assert difference([1.0], [1.0, 2.0]) is None
    same = difference([1.0, 1.0], [3.0, 3.0])
    assert same is not None
    assert (same.low, same.high) == (-2.0, -2.0)
