"""Statistics of trained populations: distributions of errors, what the best have in common.

Source: RegNet (arXiv 2003.13678, Eq. 1, footnote 4). All randomness comes from generators that are
passed in, so that an analysis repeats to the last digit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from darts.errors import UserError
from darts.models.anynet.config import FloatArray, IntArray

FRACTION, REPEATS, CONFIDENCE = 0.25, 10_000, 0.95
# The best of two networks is hardly a best one: a quarter of this many is three.
SMALLEST = 12
_CHUNK = 2_000_000


@dataclass(frozen=True)
class Interval:
    """A value and the bounds that hold a share (95 % unless said otherwise) of its resamples."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, values: FloatArray, confidence: float = CONFIDENCE) -> Interval:
        """Median and percentiles of resampled values."""
        tail = (1 - confidence) / 2
        return cls(*(float(v) for v in np.quantile(values, (tail, 0.5, 1 - tail))))

    def as_dict(self) -> dict[str, float]:
        """Plain values."""
        return {"low": self.low, "middle": self.middle, "high": self.high}


def distribution(errors: ArrayLike, at: ArrayLike) -> FloatArray:
    """F(e): the share of networks whose error is strictly below e (Eq. 1), for each e in `at`.

    >>> distribution([30, 10, 20, 20], [10, 20, 20.5])
    array([0.  , 0.25, 0.75])
    """
    known = np.sort(np.asarray(errors, np.float64))
    return np.searchsorted(known, np.asarray(at, np.float64), side="left") / len(known)


def distribution_band(
    errors: ArrayLike, at: ArrayLike, confidence: float = CONFIDENCE
) -> tuple[FloatArray, FloatArray]:
    """Bounds of F(e) for each e in `at`, by the percentiles of its bootstrap.

    In a resample of N networks the number of those below e is binomial with probability F(e): its
    quantiles are the limit of infinitely many resamples. Each e stands for itself; the chance that
    a whole curve stays inside is smaller. Where F is 0 or 1, resampling knows no doubt.
    """
    share, count = distribution(errors, at), np.size(errors)
    tail = (1 - confidence) / 2
    low, high = (stats.binom.ppf(q, count, share) / count for q in (tail, 1 - tail))
    return low, high


def resample_best(
    errors: ArrayLike,
    generator: np.random.Generator,
    *,
    fraction: float = FRACTION,
    repeats: int = REPEATS,
) -> IntArray:
    """Indices of the best network of each resample, [repeats]: the paper's empirical bootstrap.

    Each resample draws `fraction` of the N networks with replacement (footnote 4; rounded, at least
    one). Among equal errors the one drawn first counts, so that none is preferred.

    Raises:
        UserError: There are too few networks for a best one to mean anything.
    """
    known = np.asarray(errors, np.float64)
    if len(known) < SMALLEST:
        raise UserError(
            f"A bootstrap of {len(known)} networks is no result: a resample takes a quarter of "
            f"them, and the best of fewer than 3 says nothing. Train at least {SMALLEST}."
        )
    size = max(1, round(fraction * len(known)))
    best = np.empty(repeats, np.int64)
    step = max(1, _CHUNK // size)
    for start in range(0, repeats, step):
        rows = min(step, repeats - start)
        drawn = generator.integers(len(known), size=(rows, size))
        first = known[drawn].argmin(axis=1)
        best[start : start + rows] = drawn[np.arange(rows), first]
    return best


def best_values(
    errors: ArrayLike,
    properties: Mapping[str, FloatArray],
    generator: np.random.Generator,
    *,
    fraction: float = FRACTION,
    repeats: int = REPEATS,
) -> dict[str, Interval]:
    """For each property, its most likely best value (the median) and a 95 % interval.

    The value x of the best network of each resample, see `resample_best`; all properties share the
    resamples. Networks that lack a property are left out of its resamples, and a property that
    fewer than 12 networks have is left out.

    Raises:
        UserError: There are too few networks.
    """
    known = np.asarray(errors, np.float64)
    everywhere = resample_best(known, generator, fraction=fraction, repeats=repeats)
    intervals = {}
    for name, values in properties.items():
        present = np.isfinite(values)
        if present.all():
            intervals[name] = Interval.of(values[everywhere])
        elif present.sum() >= SMALLEST:
            best = resample_best(known[present], generator, fraction=fraction, repeats=repeats)
            intervals[name] = Interval.of(values[present][best])
    return intervals


@dataclass(frozen=True)
class Difference:
    """How the errors of two populations differ.

    Attributes:
        first, second: Names.
        statistic: Largest distance of the two distributions (Kolmogorov-Smirnov).
        p_value: Probability of such a distance between samples of one distribution, two-sided.
        adjusted: The same after Holm's correction for the number of pairs that are compared.
        mean: Mean error of the first minus that of the second, with a bootstrap interval.
        superiority: Probability that a network of the first has the smaller error than one of the
            second, equal errors counting half; with a bootstrap interval.
    """

    first: str
    second: str
    statistic: float
    p_value: float
    adjusted: float
    mean: Interval
    superiority: Interval


def compare_populations(
    errors: Mapping[str, ArrayLike], generator: np.random.Generator, *, repeats: int = 2000
) -> tuple[Difference, ...]:
    """All pairs of two or more populations, by name.

    Raises:
        UserError: A population has fewer than two networks.
    """
    known = {name: np.asarray(values, np.float64) for name, values in errors.items()}
    for name, values in known.items():
        if len(values) < 2:
            raise UserError(f"Population {name} has {len(values)} networks; a comparison needs 2.")
    names = list(known)
    pairs = [(a, b) for index, a in enumerate(names) for b in names[index + 1 :]]
    tests = [stats.ks_2samp(known[a], known[b]) for a, b in pairs]
    adjusted = holm([float(test.pvalue) for test in tests])
    return tuple(
        Difference(
            first=a,
            second=b,
            statistic=float(test.statistic),
            p_value=float(test.pvalue),
            adjusted=p_value,
            mean=_mean_difference(known[a], known[b], generator, repeats),
            superiority=_superiority(known[a], known[b], generator, repeats),
        )
        for (a, b), test, p_value in zip(pairs, tests, adjusted, strict=True)
    )


def holm(p_values: list[float]) -> list[float]:
    """p-values of several tests, corrected by Holm's method: still in order, at most 1.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def _mean_difference(
    first: FloatArray, second: FloatArray, generator: np.random.Generator, repeats: int
) -> Interval:
    means = [
        values[generator.integers(len(values), size=(repeats, len(values)))].mean(axis=1)
        for values in (first, second)
    ]
    spread = Interval.of(means[0] - means[1])
    return Interval(spread.low, float(first.mean() - second.mean()), spread.high)


def _superiority(
    first: FloatArray, second: FloatArray, generator: np.random.Generator, repeats: int
) -> Interval:
    """P(a < b) + P(a = b) / 2, resampled in both populations."""
    # Wins of each network of the first against each of the second, weighted by how often a resample
    # holds them.
    wins = (first[:, None] < second) + 0.5 * (first[:, None] == second)
    counts = [
        generator.multinomial(len(values), np.full(len(values), 1 / len(values)), repeats)
        / len(values)
        for values in (first, second)
    ]
    spread = Interval.of(((counts[0] @ wins) * counts[1]).sum(axis=1))
    return Interval(spread.low, float(wins.mean()), spread.high)
