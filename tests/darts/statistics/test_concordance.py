"""RankAgreement of judges against hand-computed numbers, Friedman's test, and pairs of taus."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from darts.statistics.concordance import concordance, mean_kendall, rank_agreement
from darts.statistics.ranks import kendall


def test_concordance_by_hand() -> None:
    # Rank sums 4, 5, 9 around 6: S = 4 + 1 + 9 = 14, and W = 12 · 14 / (9 · 24).
    judges = [[1, 2, 3], [1, 2, 3], [2, 1, 3]]
    assert concordance(judges) == pytest.approx(168 / 216)
    # With a tie, (1.5, 1.5, 3) and (1, 2, 3): S = 6.5, T = 6, W = 78 / (4 · 24 - 2 · 6).
    assert concordance([[5, 5, 9], [1, 2, 3]]) == pytest.approx(78 / 84)
    assert math.isnan(concordance([[1.0, 1.0], [2.0, 2.0]]))


def test_concordance_is_friedmans_statistic() -> None:
    values = np.random.default_rng(0).normal(size=(5, 4)).round(1)
    wanted = stats.friedmanchisquare(*values.T).statistic / (5 * 3)
    assert concordance(values) == pytest.approx(wanted)


def test_mean_tau_is_the_mean_over_pairs_of_judges() -> None:
    values = np.random.default_rng(1).normal(size=(4, 6)).round(0)
    pairs = [kendall(one, other) for one, other in itertools.combinations(values, 2)]
    assert mean_kendall(values) == pytest.approx(np.mean(pairs))
    # A judge with a single value says nothing.
    assert mean_kendall([*values, np.ones(6)]) == pytest.approx(np.mean(pairs))
    assert math.isnan(mean_kendall([[1, 1], [1, 2]]))


def test_noise_alone_explains_swaps_of_equal_things_but_not_of_different_ones() -> None:
    draw = np.random.default_rng(2)
    equal = draw.normal(90, 0.3, size=(9, 4))
    found = rank_agreement(equal, 0.3, np.random.default_rng(0), 300)
    assert found is not None
    assert found.p > 0.05
    assert found.tau_of_noise.low < found.tau.middle < found.tau_of_noise.high
    reversing = np.array([[1.0, 2.0, 3.0, 4.0]] * 3 + [[4.0, 3.0, 2.0, 1.0]] * 3)
    found = rank_agreement(reversing + 90, 0.1, np.random.default_rng(0), 300)
    assert found is not None
    # Six pairs of judges agree and nine are opposed.
    assert found.tau.middle == pytest.approx((6 - 9) / 15)
    additive = np.add.outer(np.arange(6.0), [1.0, 2.0, 3.0, 4.0])
    sharp = rank_agreement(additive, 0.01, np.random.default_rng(0), 300)
    assert sharp is not None
    assert (sharp.w.low, sharp.tau_of_noise.low, sharp.p) == (1.0, 1.0, 1.0)


def test_a_true_crossing_is_beyond_noise() -> None:
    # Three things keep their order, the best two swap under half of the judges.
    crossing = np.array([[1.0, 2.0, 5.0, 9.0]] * 4 + [[2.0, 0.5, 5.0, 9.0]] * 4)
    found = rank_agreement(crossing, 0.05, np.random.default_rng(0), 300)
    assert found is not None
    assert found.tau.middle == pytest.approx((12 * 1 + 16 * 4 / 6) / 28)
    assert found.p == 0.0


def test_too_little_to_agree_on() -> None:
    generator = np.random.default_rng(0)
    assert rank_agreement([[1.0, 2.0]], 0.1, generator) is None
    assert rank_agreement([[1.0], [2.0]], 0.1, generator) is None
    assert rank_agreement([[1.0, 1.0], [2.0, 2.0]], 0.1, generator) is None


def test_a_judge_who_hardly_tells_things_apart_reverses_nothing() -> None:
    # One order, stretched tenfold or squeezed below the noise: swaps of the latter are noise.
    draw, order = np.random.default_rng(5), np.arange(5.0)
    shares = []
    for _ in range(20):
        values = np.outer([10.0, 10.0, 0.1, 0.1], order) + draw.normal(size=(4, 5))
        found = rank_agreement(values, 1.0, np.random.default_rng(0), 200)
        assert found is not None
        shares.append(found.p)
    assert np.mean(np.array(shares) < 0.05) <= 0.15
    assert np.mean(shares) > 0.3
