"""What errors under several recipes say about the order of cells, by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from darts.comparing.recipe_outcome import (
    RecipeErrors,
    RecipeOutcome,
    judge_recipes,
    outcome_sentences,
)


def judged(means: list[list[float]], spread: float = 0.1, images: int = 10_000) -> RecipeOutcome:
    """Two trainings each, `spread` above and below the mean; or one, if it is 0."""
    table = np.array(means)
    errors = np.stack([table - spread, table + spread], axis=2) if spread else table[:, :, None]
    count = table.shape[1]
    measured = RecipeErrors(
        recipes=tuple(f"r{number}" for number in range(len(table))),
        networks=tuple("abcdef"[:count]),
        judged=min(count, 3),
        errors=errors,
        images=images,
    )
    return judge_recipes(measured, 0)


def test_noise_is_pooled_over_all_groups() -> None:
    measured = judged([[10, 20], [30, 40], [50, 60]], spread=0.5).measured
    # Each pair of trainings has the variance 2 · 0.5² = 0.5, and a mean half of it.
    assert measured.freedom == 6
    assert measured.deviations == pytest.approx(np.full((3, 2), 0.5))
    # Bonferroni: three recipes and one pair.
    assert measured.quantile(3) == pytest.approx(stats.t.ppf(1 - 0.025 / 3, 6))
    once = judged([[20, 50], [20, 50]], spread=0, images=400).measured
    assert once.deviations == pytest.approx(np.array([[2, 2.5], [2, 2.5]]))
    assert once.quantile(1) == pytest.approx(1.959964)


def test_an_order_that_depends_on_the_recipe() -> None:
    found = judged([[10, 12, 30], [10, 12, 30], [14, 12, 30]])
    (pair, *_) = found.pairs
    assert (pair.better, pair.worse, pair.surely_better, pair.surely_worse) == (2, 1, 2, 1)
    # Of three pairs of recipes, two disagree.
    assert pair.swapped == pytest.approx(2 / 3)
    assert pair.difference.mean == pytest.approx(-2 / 3)
    assert found.verdict == "depends"
    assert (found.wins, found.close) == ((2, 1, 0), (0, 0, 0))
    order, winner = outcome_sentences(found)
    assert order.startswith(
        "The order depends on the recipe (mean Kendall tau between recipes 0.56)"
    )
    assert "a has the smaller error under 2 of 3 recipes and b under 1, beyond noise" in order
    assert winner.startswith("a has the smallest error under 2 of 3 recipes, always by more than")
    assert "Mean over the recipes: a 11.33 %, b 12.00 %, c 30.00 %." in winner


def test_the_same_order_under_all_recipes() -> None:
    found = judged([[10, 12, 30], [20, 22, 40]])
    assert found.verdict == "same"
    assert found.agreement is not None
    assert found.agreement.w.middle == 1.0
    assert outcome_sentences(found)[0] == "The order is the same under all 2 recipes."
    noisy = outcome_sentences(judged([[10, 12, 30], [20, 22, 40]], spread=2))[0]
    assert noisy.endswith("2 recipes, but 1 of 3 pairs never differ by more than noise.")


def test_swaps_within_noise_are_called_noise() -> None:
    found = judged([[10.0, 10.2, 30], [10.2, 10.0, 30], [10.1, 10.3, 30]], spread=0.5)
    assert found.pairs[0].swapped == pytest.approx(2 / 3)
    assert found.verdict == "noise"
    assert found.close == found.wins == (2, 1, 0)
    order, winner = outcome_sentences(found)
    assert order.startswith("No dependence of the order on the recipe can be told: 1 of 3 pairs")
    assert "2 times by no more than noise" in winner


def test_many_small_crossings_are_unclear() -> None:
    # No single gap of 0.4 exceeds noise of 0.14·√2 after 60 comparisons, but all of them do.
    up, down = [10.0, 10.4, 10.8, 11.2], [11.2, 10.8, 10.4, 10.0]
    found = judged([up] * 5 + [down] * 5, spread=0.4)
    assert not [pair for pair in found.pairs if pair.crosses and pair.first != "a"]
    wide = judged([up] * 5 + [down] * 5, spread=0.9)
    assert not wide.crossing
    assert wide.agreement is not None
    assert wide.verdict == ("unclear" if wide.agreement.p < 0.05 else "noise")
    assert wide.verdict == "unclear"
    assert "More trainings (--seeds) would tell" in outcome_sentences(wide)[0]


def test_ties_share_ranks_and_wins_and_the_result_is_json() -> None:
    found = judged([[10, 10, 30], [20, 25, 25]])
    assert found.measured.ranks.tolist() == [[1.5, 1.5, 3], [1, 2.5, 2.5]]
    assert found.wins == (2, 1, 0)
    plain = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    first = plain["networks"][0]
    assert (first["mean_error"], first["best_error_of_all_recipes"]) == (15, 10)
    assert (first["best_recipe_by_that_error"], first["mean_rank"]) == ("r0", 1.25)
    assert plain["verdict"] == found.verdict
    assert judged([[10, 10], [10, 10]]).as_dict()["agreement"] is None
