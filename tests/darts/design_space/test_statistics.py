"""Statistics of populations: hand-computed values, closed forms, invariants."""

from itertools import product

import numpy as np
import pytest

from darts.design_space.statistics import (
    best_values,
    compare_populations,
    distribution,
    distribution_band,
    holm,
    resample_best,
)
from darts.errors import UserError
from darts.statistics.interval import Interval


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_distribution_is_strict() -> None:
    # Eq. 1 counts errors below e, so that the smallest error itself has F = 0.
    at = [5, 10, 10.1, 20, 30, 31]
    assert distribution([30, 10, 20, 20], at).tolist() == [0, 0, 0.25, 0.25, 0.75, 1]


def test_area_over_the_distribution_is_the_mean() -> None:
    errors = generator().uniform(30, 60, 50)
    step = 1e-3
    e = np.arange(0, 100, step)
    area = (1 - distribution(errors, e)).sum() * step
    assert area == pytest.approx(errors.mean(), abs=2 * step)


def test_band_is_the_limit_of_resampling() -> None:
    errors = generator(1).normal(40, 3, 40)
    at = np.linspace(35, 46, 12)
    resampled = [
        distribution(errors[rows], at) for rows in generator(2).integers(40, size=(8000, 40))
    ]
    low, high = distribution_band(errors, at)
    # Both move in steps of 1/40; sampling may miss one step.
    assert np.abs(np.quantile(resampled, 0.025, axis=0) - low).max() <= 1 / 40 + 1e-9
    assert np.abs(np.quantile(resampled, 0.975, axis=0) - high).max() <= 1 / 40 + 1e-9
    share = distribution(errors, at)
    assert ((low <= share) & (share <= high)).all()


def test_band_by_hand() -> None:
    # Of 4 networks, F = 1/2: 0 and 4 of 4 have probability 1/16 each, more than 2.5 %.
    low, high = distribution_band([1, 1, 3, 3], [2.0])
    assert (low[0], high[0]) == (0, 1)
    # At 80 % they lie outside.
    low, high = distribution_band([1, 1, 3, 3], [2.0], confidence=0.8)
    assert (low[0], high[0]) == (0.25, 0.75)


def test_bootstrap_agrees_with_its_closed_form() -> None:
    # The best of m draws has rank above k with probability ((n - k) / n)^m.
    n, m, repeats = 20, 5, 200_000
    best = resample_best(np.arange(n) + 10.0, generator(3), repeats=repeats)
    ranks = np.arange(n)
    expected = ((n - ranks) / n) ** m - ((n - ranks - 1) / n) ** m
    frequency = np.bincount(best, minlength=n) / repeats
    assert np.abs(frequency - expected).max() < 4 * np.sqrt(0.25 / repeats)


def test_most_likely_best_by_hand() -> None:
    # 100 networks, 25 draws: rank r is the median where ((100 - r) / 100)^25 falls below 1/2, which
    # is r = 3 (1 - 2^(-1/25) = 2.73 %); 97.5 % of the bests are among the first 14.
    errors = np.arange(100) * 0.1 + 30
    values = best_values(errors, {"rank": np.arange(1.0, 101)}, generator())
    assert values["rank"] == Interval(1, 3, 14)


def test_equal_errors_have_equal_chances() -> None:
    best = resample_best(np.zeros(16), generator(4), repeats=32_000)
    counts = np.bincount(best, minlength=16)
    assert counts.min() > 1800
    assert counts.max() < 2200


def test_resampling_repeats_from_its_seed_and_chunks_do_not_matter(monkeypatch) -> None:
    errors = generator().normal(40, 3, 100)
    whole = resample_best(errors, generator(7), repeats=1000)
    monkeypatch.setattr("darts.design_space.statistics._CHUNK", 250)
    assert (resample_best(errors, generator(7), repeats=1000) == whole).all()
    assert (resample_best(errors, generator(8), repeats=1000) != whole).any()


def test_too_few_networks_give_no_bootstrap() -> None:
    with pytest.raises(UserError, match="bootstrap of 3 networks means nothing"):
        resample_best([1.0, 2.0, 3.0], generator())


def test_properties_that_some_networks_lack() -> None:
    errors = np.arange(40.0)
    some, few = np.arange(40.0), np.arange(40.0)
    some[:10], few[5:] = np.nan, np.nan
    values = best_values(errors, {"all": errors, "some": some, "few": few}, generator())
    assert set(values) == {"all", "some"}
    assert values["some"].low == 10
    assert values["all"].low == 0


def test_kolmogorov_smirnov_by_hand() -> None:
    # Disjoint samples of 3 and 3: D = 1, and 2 of the C(6, 3) = 20 orders are as extreme.
    (found,) = compare_populations({"a": [1, 2, 3], "b": [4, 5, 6]}, generator())
    assert (found.statistic, found.p_value) == (1, pytest.approx(0.1))
    assert found.mean.middle == -3
    assert found.superiority == Interval(1, 1, 1)
    (found,) = compare_populations({"a": [1, 4], "b": [1, 2]}, generator())
    # Of the four pairs: one tie, one win (1 < 2), two losses.
    assert found.superiority.middle == (0.5 + 1) / 4


def test_superiority_resamples_both_sides() -> None:
    a, b = np.array([1.0, 3.0]), np.array([2.0, 4.0])
    # Each side is one of (x, x), (x, y), (y, x), (y, y): 16 resamples; P = share of wins in each.
    shares = sorted(
        np.mean([i < j for i in left for j in right])
        for left in product(a, repeat=2)
        for right in product(b, repeat=2)
    )
    (found,) = compare_populations({"a": a, "b": b}, generator(), repeats=20_000)
    # Both extremes (0 and 1) have more than 2.5 %.
    assert (shares.count(0.0), shares.count(1.0)) == (1, 7)
    assert found.superiority == Interval(0, 0.75, 1)


def test_several_spaces_and_swapped_roles() -> None:
    draws = {name: generator(i).normal(40 + i, 2, 60) for i, name in enumerate("abc")}
    pairs = compare_populations(draws, generator())
    assert [(p.first, p.second) for p in pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert all(p.adjusted >= p.p_value for p in pairs)
    (back,) = compare_populations({"b": draws["b"], "a": draws["a"]}, generator())
    assert back.p_value == pairs[0].p_value
    assert back.mean.middle == pytest.approx(-pairs[0].mean.middle)
    assert back.superiority.middle == pytest.approx(1 - pairs[0].superiority.middle)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []


def test_a_single_network_is_no_population() -> None:
    with pytest.raises(UserError, match="Population b has 1 networks"):
        compare_populations({"a": [1, 2], "b": [4]}, generator())
