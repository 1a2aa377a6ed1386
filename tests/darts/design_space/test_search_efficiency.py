"""The best of m networks: exact against all subsets, and its place in the analysis."""

from itertools import combinations

import numpy as np
import pytest

from darts.design_space.analysis import analyse
from darts.design_space.population import Population
from darts.design_space.report import analysis_tables
from darts.design_space.search_efficiency import best_of, best_of_curve, best_probabilities


@pytest.mark.parametrize("m", [1, 2, 3, 5, 7])
def test_mean_and_band_equal_those_of_all_subsets(m: int) -> None:
    errors = np.array([9.0, 3.0, 4.0, 4.0, 8.0, 5.5, 7.0])
    best = np.sort([min(chosen) for chosen in combinations(errors, m)])
    found = best_of(errors, m).error
    assert found.middle == pytest.approx(best.mean())
    # The inverse of the distribution function of all subsets.
    assert found.low == best[int(np.ceil(0.025 * len(best))) - 1]
    assert found.high == best[int(np.ceil(0.975 * len(best))) - 1]


def test_probabilities_of_many_networks() -> None:
    shares = best_probabilities(5000, 32)
    assert shares.sum() == pytest.approx(1)
    assert shares[0] == pytest.approx(32 / 5000)


def test_the_curve_falls_and_ends_at_half() -> None:
    errors = np.random.default_rng(0).normal(40, 3, 60).clip(0, 100)
    curve = best_of_curve(errors)
    assert [one.m for one in curve] == [1, 2, 4, 8, 16, 25, 30]
    assert curve[0].error.middle == pytest.approx(errors.mean())
    means = [one.error.middle for one in curve]
    assert means == sorted(means, reverse=True)


def test_the_analysis_has_it() -> None:
    found = analyse([Population(name="a", errors=np.array([9.0, 8.0, 7.0, 6.0]))])
    assert [one["m"] for one in found.as_dict()["populations"][0]["best_of"]] == [1, 2]
    tables = dict(analysis_tables(found))
    (rows,) = (rows for title, rows in tables.items() if "best of m" in title)
    # Pairs of four: the best is 6 in three of six, 7 in two, 8 in one.
    assert rows[2] == ("2", "6.67 [6.00, 8.00]")


def test_m_is_limited() -> None:
    with pytest.raises(ValueError, match="from 1 to 2"):
        best_of([1.0, 2.0], 3)
