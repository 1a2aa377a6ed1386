"""The rank of a network, and the sentences that report it for each verdict."""

import numpy as np
import pytest
from scipy import stats

from darts.comparing.outcome import (
    Comparison,
    Contender,
    judge_contender,
    rank_in_population,
    sentence,
)
from darts.design_space.population import Population


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def contender(*errors: float, test_images: int = 10_000, **properties: float) -> Contender:
    return Contender(
        name="cell", errors=np.array(errors), properties=properties, test_images=test_images
    )


def population(errors: np.ndarray, **properties: np.ndarray) -> Population:
    return Population(name="regnetx", errors=errors, properties=properties)


SPREAD = np.arange(40.0) * 0.5 + 30


def test_percentile_by_hand() -> None:
    found = rank_in_population(3.0, [3.0], [1, 2, 3, 3, 9], generator())
    # Two are smaller and two are equal, which count half.
    assert (found.value, found.median, found.percentile.middle) == (3, 3, 60)


@pytest.mark.parametrize("smaller", [0, 3, 10, 20])
def test_interval_without_noise_is_the_exact_binomial_one(smaller: int) -> None:
    found = rank_in_population(smaller + 0.5, [smaller + 0.5], np.arange(1.0, 21), generator())
    exact = stats.binomtest(smaller, 20).proportion_ci(0.95, "exact")
    assert found.percentile.low / 100 == pytest.approx(exact.low, abs=0.01)
    assert found.percentile.high / 100 == pytest.approx(exact.high, abs=0.01)
    assert found.percentile.middle == 5 * smaller


def test_noise_widens_the_interval() -> None:
    sharp, noisy = contender(40.0, test_images=10**6), contender(40.0, test_images=200)
    widths = []
    for one in (sharp, noisy):
        (found,) = judge_contender(one, [population(SPREAD)], 0)
        widths.append(found.error.percentile.high - found.error.percentile.low)
    assert widths[1] > widths[0] + 10


def test_redrawn_errors() -> None:
    # One seed: binomial, sqrt(0.2 · 0.8 / 400) = 2 points.
    once = contender(20.0, test_images=400)
    assert once.deviation == pytest.approx(2)
    assert once.resampled(generator()).std() == pytest.approx(2, rel=0.05)
    # Three seeds: means of resampled seeds; deviation of the population of three over sqrt(3).
    thrice = contender(10.0, 12.0, 14.0)
    assert (thrice.error, thrice.deviation) == (12, 2)
    drawn = thrice.resampled(generator())
    assert drawn.std() == pytest.approx(np.sqrt(8 / 3 / 3), rel=0.05)
    assert (drawn.min(), drawn.max()) == (10, 14)


@pytest.mark.parametrize(
    ("error", "verdict", "words"),
    [
        (30.2, "wins", "cell is better than a typical network of regnetx: its test error is 30.20"),
        (49.0, "loses", "cell is worse than a typical network of regnetx"),
        (39.9, "undecided", "cell and a typical network of regnetx cannot be told apart"),
    ],
)
def test_verdicts(error: float, verdict: str, words: str) -> None:
    judged = contender(error)
    (found,) = judge_contender(judged, [population(SPREAD)], 0)
    assert found.verdict == verdict
    assert sentence(judged, found).startswith(words)


def test_few_networks_decide_nothing() -> None:
    # Better than all of five: by chance in one of 32 cases, one-sided.
    (found,) = judge_contender(contender(10.0), [population(SPREAD[:5])], 0)
    assert found.verdict == "undecided"
    (found,) = judge_contender(contender(10.0), [population(SPREAD[:8])], 0)
    assert found.verdict == "wins"


def test_sentence_names_the_best_and_the_noise() -> None:
    judged = contender(33.0)
    (found,) = judge_contender(judged, [population(SPREAD)], 0)
    words = sentence(judged, found)
    assert "6 of 40 networks with about the same multiply-adds are better (16 % [" in words
    assert "The best of them, regnetx 0," in words
    # 1.96 · sqrt(2) · sqrt(0.33 · 0.67 / 10000) = 1.30 points.
    assert "has 30.00 %: 3.00 points better than cell, more than the 1.30 points" in words
    close = contender(30.5)
    (found,) = judge_contender(close, [population(SPREAD)], 0)
    assert "0.50 points better than cell, no more than the 1.28" in sentence(close, found)
    best = contender(29.0)
    (found,) = judge_contender(best, [population(SPREAD)], 0)
    assert "1.00 points worse than cell" in sentence(best, found)


def test_costs_have_percentiles_where_both_sides_know_them() -> None:
    judged = contender(33.0, params=10.0, latency=1.0, activations=5.0)
    others = population(
        SPREAD, params=np.arange(40.0), latency=np.full(40, np.nan), depth=np.arange(40.0)
    )
    (found,) = judge_contender(judged, [others], 0)
    assert set(found.properties) == {"params"}
    assert found.properties["params"].percentile.middle == 100 * 10.5 / 40


def test_repeats_from_its_seed_and_is_json() -> None:
    import json

    judged = contender(33.0, 34.0, params=10.0)
    others = [population(SPREAD, params=np.arange(40.0)), population(SPREAD + 3)]
    texts = [
        json.dumps(
            Comparison(
                contender=judged,
                judgements=judge_contender(judged, others, seed),
                recipe="so",
                notes=(),
                setting={},
            ).as_dict(),
            allow_nan=False,
        )
        for seed in (0, 0, 1)
    ]
    assert texts[0] == texts[1] != texts[2]
