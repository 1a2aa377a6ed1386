"""The outcome of a comparison: the rank of a network in populations, in numbers and sentences.

Statistics of errors and costs, regardless of how they were measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from darts.design_space.population import Population
from darts.design_space.statistics import REPEATS
from darts.models.arrays import FloatArray
from darts.statistics.interval import Interval

ComparisonVerdict = Literal["wins", "loses", "undecided"]
# Two-sided 95 % quantile of the normal distribution.
_QUANTILE = 1.96


@dataclass(frozen=True, kw_only=True, eq=False)
class Contender:
    """The judged network.

    Attributes:
        name: Name of the genotype.
        errors: Test errors (%) of its trainings, one per seed, `[S]`.
        properties: Its params, macs, activations, latency …, as far as known.
        test_images: Number of test images.

    >>> one = Contender(name="cell", errors=np.array([4.0, 5.0]), properties={}, test_images=10_000)
    >>> one.error, round(one.deviation, 3)
    (4.5, 0.707)
    """

    name: str
    errors: FloatArray
    properties: Mapping[str, float]
    test_images: int

    @property
    def error(self) -> float:
        """Mean test error (%)."""
        return float(np.mean(self.errors))

    @property
    def deviation(self) -> float:
        """Standard deviation (percentage points) of the error of one training.

        With several seeds, the standard deviation between them. With one seed it is unknown; its
        substitute is the binomial one of the choice of test images, 100·sqrt(p(1 - p)/images).
        """
        if len(self.errors) > 1:
            return float(np.std(self.errors, ddof=1))
        share = self.error / 100
        return 100 * float(np.sqrt(share * (1 - share) / self.test_images))

    def resampled(self, generator: np.random.Generator, repeats: int = REPEATS) -> FloatArray:
        """Resampled mean errors, `[repeats]`.

        With several seeds, the seeds are resampled with replacement; with one seed, the number of
        wrong test images is sampled from a binomial distribution.
        """
        count = len(self.errors)
        if count > 1:
            drawn = generator.integers(count, size=(repeats, count))
            return np.asarray(self.errors, np.float64)[drawn].mean(axis=1)
        wrong = generator.binomial(self.test_images, self.error / 100, size=repeats)
        return 100 * wrong / self.test_images


@dataclass(frozen=True)
class Rank:
    """The rank of a value in a population.

    Attributes:
        value: The value.
        median: Median of the population.
        percentile: Share (%) of the population with a smaller value, where equal values count half,
            and its 95 % interval; see `rank_in_population`.
    """

    value: float
    median: float
    percentile: Interval

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "value": self.value,
            "population_median": self.median,
            "percentile": self.percentile.as_dict(),
        }


def rank_in_population(
    value: float, resampled: ArrayLike, population: ArrayLike, generator: np.random.Generator
) -> Rank:
    """The rank of `value` in a population, with a 95 % interval.

    The interval covers chance in the value and in the population. For each resampled value x, k of
    the N networks have a smaller value. The share p of smaller values in the entire space is then
    bounded by samples

        lower ~ Beta(k, N - k + 1),  upper ~ Beta(k + 1, N - k)

    whose quantiles are the exact binomial bounds of Clopper and Pearson (1934). A bootstrap of the
    networks would give zero width at k = 0 or N.

    Args:
        value: The value.
        resampled: Resampled values, or one value `[1]` without uncertainty.
        population: Values of the population, `[N]`.
        generator: Source of randomness.

    >>> found = rank_in_population(2.5, [2.5], range(10), np.random.default_rng(0))
    >>> found.median, found.percentile.middle
    (4.5, 30.0)
    """
    known = np.sort(np.asarray(population, np.float64))
    drawn = np.broadcast_to(np.asarray(resampled, np.float64), REPEATS)

    def smaller(x: ArrayLike) -> FloatArray:
        # Equal values count half.
        return (np.searchsorted(known, x, "left") + np.searchsorted(known, x, "right")) / 2

    below = smaller(drawn)
    # Parameters of a beta distribution must be positive: clamp to the smallest float.
    least = np.finfo(np.float32).tiny
    lower = generator.beta(np.maximum(below, least), len(known) - below + 1)
    upper = generator.beta(below + 1, np.maximum(len(known) - below, least))
    return Rank(
        value=value,
        median=float(np.median(known)),
        percentile=Interval(
            100 * Interval.of(lower).low,
            100 * float(smaller(value)) / len(known),
            100 * Interval.of(upper).high,
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The contender, compared to one population.

    Attributes:
        population: The population.
        error: Rank of its error: a percentile of 10 means that 10 % are better.
        properties: Ranks of its costs.
        best: Index of the best network of the population.
        verdict: Whether it beats a typical network of the population: undecided unless the
            interval of the percentile is on one side of 50 %.
    """

    population: Population
    error: Rank
    properties: Mapping[str, Rank]
    best: int
    verdict: ComparisonVerdict

    @property
    def best_error(self) -> float:
        return float(self.population.errors[self.best])


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The contender, compared to all populations.

    Attributes:
        contender: The judged network.
        judgements: One for each population.
        recipe: How all networks were trained, in a sentence.
        notes: Caveats for the reader.
        setting: Plain values: data, resolution, device …
        named: Single networks that were trained alike.
    """

    contender: Contender
    judgements: tuple[Judgement, ...]
    recipe: str
    notes: tuple[str, ...]
    setting: Mapping[str, Any]
    named: tuple[Contender, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        contender = self.contender
        return {
            "genotype": contender.name,
            "errors": [float(error) for error in contender.errors],
            "error": contender.error,
            "deviation": contender.deviation,
            "deviation_of": "seeds" if len(contender.errors) > 1 else "test images",
            "properties": dict(contender.properties),
            "outcome": [sentence(contender, one) for one in self.judgements],
            "baselines": [
                {
                    "name": one.population.name,
                    "networks": len(one.population),
                    "missing": one.population.missing,
                    "verdict": one.verdict,
                    "error": one.error.as_dict(),
                    "properties": {key: found.as_dict() for key, found in one.properties.items()},
                    "min": one.best_error,
                    "mean": float(one.population.errors.mean()),
                    "best": one.population.label(one.best),
                    "errors": one.population.errors.tolist(),
                }
                for one in self.judgements
            ],
            "recipe": self.recipe,
            "notes": list(self.notes),
            "setting": dict(self.setting),
        }


def judge_contender(
    contender: Contender, populations: Sequence[Population], seed: int
) -> tuple[Judgement, ...]:
    """Compare the contender to each population; `seed` is the seed of the resampling."""
    generator = np.random.default_rng(seed)
    resampled = contender.resampled(generator)
    judgements = []
    for population in populations:
        error = rank_in_population(contender.error, resampled, population.errors, generator)
        properties = {
            name: rank_in_population(value, [value], values[np.isfinite(values)], generator)
            for name, value in contender.properties.items()
            if (values := population.properties.get(name)) is not None and np.isfinite(values).any()
        }
        judgements.append(
            Judgement(
                population=population,
                error=error,
                properties=properties,
                best=int(population.errors.argmin()),
                verdict=_verdict(error.percentile),
            )
        )
    return tuple(judgements)


def _verdict(percentile: Interval) -> ComparisonVerdict:
    if percentile.high < 50:
        return "wins"
    return "loses" if percentile.low > 50 else "undecided"


def sentence(contender: Contender, one: Judgement) -> str:
    """The outcome of one population, in two sentences."""
    name, space = contender.name, one.population.name
    heads = {
        "wins": f"{name} is better than a typical network of {space}",
        "loses": f"{name} is worse than a typical network of {space}",
        "undecided": f"{name} and a typical network of {space} cannot be told apart",
    }
    share = one.error.percentile
    better = int((one.population.errors < contender.error).sum())
    return (
        f"{heads[one.verdict]}: its test error is {one.error.value:.2f} %, their median "
        f"{one.error.median:.2f} %; {better} of {len(one.population)} networks with about "
        f"the same multiply-adds are better ({share.middle:.0f} % [{share.low:.0f}, "
        f"{share.high:.0f}]). " + _about_the_best(contender, one)
    )


def _about_the_best(contender: Contender, one: Judgement) -> str:
    """Compare to the best network of the population, selected on the same test images."""
    gap = contender.error - one.best_error
    # The mean of the contender's trainings, compared to a single training of the other network.
    noise = _QUANTILE * contender.deviation * np.sqrt(1 + 1 / len(contender.errors))
    words = (
        f"{gap:.2f} points better than {contender.name}"
        if gap > 0
        else f"{-gap:.2f} points worse than {contender.name}"
        if gap < 0
        else f"exactly as good as {contender.name}"
    )
    size = "more" if abs(gap) > noise else "no more"
    return (
        f"The best of them, {one.population.label(one.best)}, has {one.best_error:.2f} %: {words}, "
        f"{size} than the {noise:.2f} points that chance alone can explain."
    )
