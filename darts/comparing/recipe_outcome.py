"""The outcome of a comparison under several recipes: does the order of the cells depend on them?

Statistics of errors `[R, N]` of N networks under R recipes, regardless of how they were measured.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from scipy import stats

from darts.models.arrays import FloatArray
from darts.statistics.concordance import RankAgreement, rank_agreement
from darts.statistics.estimates import Estimate, paired_difference
from darts.statistics.interval import CONFIDENCE

OrderVerdict = Literal["depends", "same", "noise", "unclear"]


@dataclass(frozen=True, kw_only=True, eq=False)
class RecipeErrors:
    """The errors (%) of networks that were trained by several recipes.

    Attributes:
        recipes: Names of the recipes.
        networks: Names of the networks; the judged cells come first.
        judged: Number of judged cells.
        errors: `[R, N, S]`, one error per recipe, network and training.
        images: Number of images that each error was measured on.

    >>> one = RecipeErrors(recipes=("a",), networks=("x", "y"), judged=2, images=400,
    ...                    errors=np.array([[[20.0], [50.0]]]))
    >>> one.deviations.round(2).tolist()
    [[2.0, 2.5]]
    """

    recipes: tuple[str, ...]
    networks: tuple[str, ...]
    judged: int
    errors: FloatArray
    images: int

    @property
    def trainings(self) -> int:
        """S, the number of trainings of each network under each recipe."""
        return self.errors.shape[2]

    @cached_property
    def means(self) -> FloatArray:
        """Mean errors over the trainings, `[R, N]`."""
        return self.errors.mean(axis=2)

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the noise; 0 if each network was trained once."""
        return self.means.size * (self.trainings - 1)

    @cached_property
    def deviations(self) -> FloatArray:
        """Standard deviations of the means, `[R, N]`.

        With several trainings, s / √S with the deviation s pooled over all recipes and networks.
        With one, the binomial deviation 100·√(p(1 - p)/images) of the choice of test images: a
        lower bound, because it knows nothing of other seeds.
        """
        if self.freedom:
            squares = ((self.errors - self.means[:, :, None]) ** 2).sum()
            pooled = float(np.sqrt(squares / self.freedom / self.trainings))
            return np.full(self.means.shape, pooled)
        share = self.means / 100
        return 100 * np.sqrt(share * (1 - share) / self.images)

    @property
    def ranks(self) -> FloatArray:
        """Rank of each network under each recipe, `[R, N]`: 1 is best, equal errors share ranks."""
        return stats.rankdata(self.means, axis=1)

    def quantile(self, comparisons: int) -> float:
        """How many deviations a difference needs to exceed noise, by Bonferroni's correction."""
        tail = (1 - CONFIDENCE) / 2 / comparisons
        return float(stats.t.isf(tail, self.freedom) if self.freedom else stats.norm.isf(tail))


@dataclass(frozen=True, kw_only=True)
class PairOrder:
    """The order of two networks under all recipes.

    Attributes:
        first: One network.
        second: The other.
        better: Number of recipes under which the first has the smaller error.
        worse: Number of recipes under which it has the larger one.
        surely_better: Of `better`, how many exceed noise.
        surely_worse: Of `worse`, how many exceed noise.
        difference: Error of the first minus that of the second, over the recipes.
        swapped: Share of all pairs of recipes that disagree on the order.
    """

    first: str
    second: str
    better: int
    worse: int
    surely_better: int
    surely_worse: int
    difference: Estimate
    swapped: float

    @property
    def crosses(self) -> bool:
        """Whether each is better than the other under some recipe, beyond noise."""
        return self.surely_better > 0 and self.surely_worse > 0


@dataclass(frozen=True, kw_only=True, eq=False)
class RecipeOutcome:
    """The judged errors.

    Attributes:
        measured: The errors.
        agreement: How far the recipes agree on the order; None if there is no order.
        pairs: All pairs of networks.
        wins: For each network the number of recipes under which no other has a smaller error.
        close: For each network the number of these in which its lead is within noise.
        recipe: How all networks were trained, in a sentence.
        notes: Caveats for the reader.
        setting: Plain values: data, sizes, device …
    """

    measured: RecipeErrors
    agreement: RankAgreement | None
    pairs: tuple[PairOrder, ...]
    wins: tuple[int, ...]
    close: tuple[int, ...]
    recipe: str
    notes: tuple[str, ...]
    setting: Mapping[str, Any]

    @property
    def crossing(self) -> tuple[PairOrder, ...]:
        """The pairs that cross beyond noise."""
        return tuple(pair for pair in self.pairs if pair.crosses)

    @property
    def verdict(self) -> OrderVerdict:
        """Whether the order depends on the recipe.

        depends: a pair crosses beyond noise; same: no pair swaps; unclear: no pair crosses beyond
        noise, but the recipes agree less than noise alone explains (p below 0.05); noise: it
        explains what swaps there are.
        """
        if self.crossing:
            return "depends"
        if all(pair.swapped == 0 for pair in self.pairs):
            return "same"
        agreed = self.agreement
        return "unclear" if agreed is not None and agreed.p < 1 - CONFIDENCE else "noise"

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        measured, agreed = self.measured, self.agreement
        best = measured.means.argmin(axis=0)
        return {
            "verdict": self.verdict,
            "outcome": outcome_sentences(self),
            "recipes": list(measured.recipes),
            "networks": [
                {
                    "name": name,
                    "judged": number < measured.judged,
                    "errors": measured.errors[:, number].tolist(),
                    "error_by_recipe": measured.means[:, number].tolist(),
                    "rank_by_recipe": measured.ranks[:, number].tolist(),
                    "mean_error": float(measured.means[:, number].mean()),
                    "best_error_of_all_recipes": float(measured.means[best[number], number]),
                    "best_recipe_by_that_error": measured.recipes[best[number]],
                    "mean_rank": float(measured.ranks[:, number].mean()),
                    "wins": self.wins[number],
                    "wins_within_noise": self.close[number],
                }
                for number, name in enumerate(measured.networks)
            ],
            "pairs": [
                {
                    "first": pair.first,
                    "second": pair.second,
                    "better": pair.better,
                    "worse": pair.worse,
                    "surely_better": pair.surely_better,
                    "surely_worse": pair.surely_worse,
                    "swapped": pair.swapped,
                    "difference": pair.difference.mean,
                    "interval": _interval(pair.difference),
                }
                for pair in self.pairs
            ],
            "agreement": agreed
            and {
                "kendall_w": agreed.w.as_dict(),
                "kendall_tau": agreed.tau.as_dict(),
                "kendall_tau_of_noise": agreed.tau_of_noise.as_dict(),
                "p": agreed.p,
            },
            "deviation": float(np.sqrt((measured.deviations**2).mean())),
            "deviation_of": "seeds" if measured.freedom else "test images",
            "recipe": self.recipe,
            "notes": list(self.notes),
            "setting": dict(self.setting),
        }


def _interval(difference: Estimate) -> dict[str, float] | None:
    return None if difference.interval is None else difference.interval.as_dict()


def judge_recipes(
    measured: RecipeErrors,
    seed: int,
    *,
    recipe: str = "",
    notes: Sequence[str] = (),
    setting: Mapping[str, Any] | None = None,
) -> RecipeOutcome:
    """Judge errors; `seed` is the seed of the resampling."""
    means, deviations = measured.means, measured.deviations
    chosen = list(itertools.combinations(range(len(measured.networks)), 2))
    quantile = measured.quantile(max(len(chosen), 1) * len(measured.recipes))
    pairs = tuple(_pair(measured, *pair, quantile) for pair in chosen)
    best = means.min(axis=1, keepdims=True)
    wins, close = means == best, np.zeros(means.shape, bool)
    for number, row in enumerate(means):
        first, *others = np.argsort(row, kind="stable")
        if others:
            lead = row[others[0]] - row[first]
            noise = np.hypot(deviations[number, first], deviations[number, others[0]])
            close[number] = wins[number] & (lead <= quantile * noise)
    return RecipeOutcome(
        measured=measured,
        agreement=rank_agreement(means, deviations, np.random.default_rng(seed)),
        pairs=pairs,
        wins=tuple(wins.sum(axis=0).tolist()),
        close=tuple(close.sum(axis=0).tolist()),
        recipe=recipe,
        notes=tuple(notes),
        setting=setting or {},
    )


def _pair(measured: RecipeErrors, first: int, second: int, quantile: float) -> PairOrder:
    one, other = measured.means[:, first], measured.means[:, second]
    gaps = one - other
    noise = quantile * np.hypot(measured.deviations[:, first], measured.deviations[:, second])
    better, worse, recipes = int((gaps < 0).sum()), int((gaps > 0).sum()), len(gaps)
    return PairOrder(
        first=measured.networks[first],
        second=measured.networks[second],
        better=better,
        worse=worse,
        surely_better=int((gaps < -noise).sum()),
        surely_worse=int((gaps > noise).sum()),
        difference=paired_difference(one.tolist(), other.tolist()),
        swapped=2 * better * worse / (recipes * (recipes - 1)),
    )


def outcome_sentences(outcome: RecipeOutcome) -> list[str]:
    """Whether the order depends on the recipe, and which cell wins under most of them."""
    return [_about_the_order(outcome), _about_the_winner(outcome)]


def _about_the_order(outcome: RecipeOutcome) -> str:
    recipes, agreed = len(outcome.measured.recipes), outcome.agreement
    tau = "" if agreed is None else f"mean Kendall tau between recipes {agreed.tau.middle:.2f}"
    if outcome.verdict == "depends":
        pair = max(outcome.crossing, key=lambda one: min(one.surely_better, one.surely_worse))
        more = len(outcome.crossing) - 1
        others = f" {more} more pair{'s' * (more > 1)} cross likewise." if more else ""
        return (
            f"The order depends on the recipe ({tau}): {pair.first} has the smaller error under "
            f"{pair.better} of {recipes} recipes and {pair.second} under {pair.worse}, beyond "
            f"noise under {pair.surely_better} and {pair.surely_worse}.{others}"
        )
    if outcome.verdict == "same":
        unsure = sum(not (pair.surely_better or pair.surely_worse) for pair in outcome.pairs)
        doubt = f", but {unsure} of {len(outcome.pairs)} pairs never differ by more than noise"
        return f"The order is the same under all {recipes} recipes{doubt * bool(unsure)}."
    expected = "" if agreed is None else f"; noise alone gives {agreed.tau_of_noise.middle:.2f}"
    swaps = sum(pair.swapped > 0 for pair in outcome.pairs)
    pairs = f"{swaps} of {len(outcome.pairs)} pairs swap ({tau}{expected})"
    if outcome.verdict == "unclear":
        return (
            f"The order may depend on the recipe: {pairs}, more than noise explains, but no pair "
            "crosses beyond noise. More trainings (--seeds) would tell."
        )
    return (
        f"No dependence of the order on the recipe can be told: {pairs}, and no more than noise "
        "explains."
    )


def _about_the_winner(outcome: RecipeOutcome) -> str:
    measured = outcome.measured
    recipes, most = len(measured.recipes), max(outcome.wins)
    first = [number for number, wins in enumerate(outcome.wins) if wins == most]
    *some, last = (measured.networks[number] for number in first)
    names = f"{', '.join(some)} and {last}" if some else last
    close = sum(outcome.close[number] for number in first)
    each = "each " if len(first) > 1 else ""
    lead = (
        "always by more than noise"
        if not close
        else f"{close} time{'s' * (close > 1)} by no more than noise"
    )
    verb = "have" if len(first) > 1 else "has"
    return (
        f"{names} {each}{verb} the smallest error under {most} of {recipes} recipes, {lead}. "
        f"Mean over the recipes: "
        + ", ".join(
            f"{measured.networks[number]} {measured.means[:, number].mean():.2f} %"
            for number in range(measured.judged)
        )
        + "."
    )
