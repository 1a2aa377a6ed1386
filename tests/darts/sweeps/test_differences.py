"""Differences between configurations, by hand."""

from __future__ import annotations

import math

import pytest

from darts.errors import UserError
from darts.statistics.significance import independent_p, paired_p
from darts.sweeps.differences import differences
from darts.sweeps.sweep_outcome import ranks_by_seed

# 97.5 % quantiles of Student's t with 2 and 4 degrees of freedom, from printed tables.
T2, T4 = 4.302653, 2.776445


def test_a_paired_difference_by_hand() -> None:
    # The differences 1, 2, 6 have the mean 3 and the variance (4 + 1 + 9) / 2 = 7.
    reference = {0: 90.0, 1: 80.0, 2: 70.0, 7: 50.0}
    (found,) = differences({"a": reference, "b": {2: 76.0, 0: 91.0, 1: 82.0, 5: 99.0}})
    assert (found.label, found.reference, found.paired, found.n) == ("b", "a", True, 3)
    assert found.mean == pytest.approx(3)
    half = T2 * math.sqrt(7 / 3)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((3 - half, 3 + half))
    # With 2 degrees of freedom the two-sided p-value is 1 - t / sqrt(2 + t²), t² = 9 · 3 / 7.
    square = 27 / 7
    assert found.p == pytest.approx(1 - math.sqrt(square / (2 + square)))
    assert found.adjusted == found.p
    assert found.verdict == "no difference shown"


def test_holm_over_all_differences_of_the_sweep() -> None:
    base = dict.fromkeys(range(5), 90.0)
    noise = [0.1, -0.1, 0.2, -0.2, 0.0]
    accuracies = {
        "reference": base,
        "much better": {seed: 95.0 + noise[seed] for seed in base},
        "a little": {seed: 90.2 + noise[seed] for seed in base},
        "worse": {seed: 85.0 + noise[seed] for seed in base},
        "the same": base,
    }
    better, little, worse, same = differences(accuracies)
    # mean 0.2, deviation sqrt(0.1 / 4): t = 0.2 √5 / 0.15811 = 2.828 with 4 degrees of freedom.
    assert little.p == pytest.approx(0.0474, abs=1e-4)
    assert little.interval is not None
    assert little.interval.low == pytest.approx(0.2 - T4 * math.sqrt(0.1 / 4 / 5), abs=1e-6)
    assert better.adjusted == pytest.approx(3 * (better.p or 0))
    assert worse.adjusted == pytest.approx(max(2 * (worse.p or 0), better.adjusted or 0))
    assert little.adjusted == little.p
    assert same.p is None
    assert same.adjusted is None
    verdicts = [one.verdict for one in (better, little, worse, same)]
    assert verdicts == ["higher", "higher", "lower", "equal in every seed"]


def test_random_cells_are_independent() -> None:
    (found,) = differences({"a": {0: 1.0, 1: 3.0}, "random cells": {0: 5.0, 1: 7.0, 2: 9.0}})
    assert not found.paired
    assert (found.n, found.mean) == (2, 5.0)
    # Welch: v = 2 / 2 + 4 / 3, d = v² / (1 + (4 / 3)² / 2) = 2.88.
    assert found.interval is not None
    assert 3.0 < (found.interval.high - found.interval.low) / 2 / math.sqrt(7 / 3) < T2
    assert found.p == pytest.approx(independent_p([5.0, 7.0, 9.0], [1.0, 3.0]))


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ({}, {0: 1.0}, "nothing to compare yet"),
        ({1: 2.0}, {0: 1.0}, "nothing to compare yet"),
        ({0: 2.0}, {0: 1.0}, "one value: chance is not known"),
        ({0: 2.0, 1: 3.0}, {0: 1.0, 1: 2.0}, "the same difference in every seed"),
    ],
)
def test_words_where_there_is_no_test(
    first: dict[int, float], second: dict[int, float], verdict: str
) -> None:
    (found,) = differences({"b": second, "a": first})
    assert found.verdict == verdict
    assert found.p is None


def test_another_reference() -> None:
    accuracies = {"a": {0: 1.0}, "b": {0: 3.0}, "c": {0: 0.0}}
    assert [one.mean for one in differences(accuracies, "b")] == [-2.0, -3.0]
    with pytest.raises(UserError, match="--reference d: the sweep has the configurations a; b; c"):
        differences(accuracies, "d")


def test_p_values_need_pairs() -> None:
    with pytest.raises(ValueError, match="equal numbers"):
        paired_p([1.0], [1.0, 2.0])
    assert paired_p([1.0], [2.0]) is None
    assert independent_p([1.0], [2.0, 3.0]) is None


def test_ranks_only_of_seeds_that_all_have() -> None:
    accuracies = {"a": {0: 3.0, 1: 3.0}, "b": {0: 5.0, 1: 1.0, 2: 9.0}, "c": {1: 2.0, 0: 3.0}}
    assert ranks_by_seed(accuracies) == {"a": (2.5, 1.0), "b": (1.0, 3.0), "c": (2.5, 2.0)}
