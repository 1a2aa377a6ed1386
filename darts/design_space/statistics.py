"""Statistics of trained populations: error distributions, and properties of the best networks.

Source: RegNet (arXiv 2003.13678, Eq. 1, footnote 4). All randomness comes from generators that the
caller passes, so that an analysis is reproducible to the last digit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from darts.errors import UserError
from darts.models.arrays import FloatArray, IntArray
from darts.statistics.interval import CONFIDENCE, Interval
from darts.statistics.significance import holm

FRACTION, REPEATS = 0.25, 10_000
# A resample has a quarter of the networks, and the best of fewer than three means little.
SMALLEST = 12
_CHUNK = 2_000_000


def distribution(errors: ArrayLike, at: ArrayLike) -> FloatArray:
    """Error distribution (Eq. 1): the share of networks with an error strictly below e.

        F(e) = 1/N · sum over i of 1[e_i < e]

    Args:
        errors: Errors of the networks, `[N]`.
        at: Values of e, of any shape.

    Returns:
        F(e), of the shape of `at`.

    >>> distribution([30, 10, 20, 20], [10, 20, 20.5])
    array([0.  , 0.25, 0.75])
    """
    known = np.sort(np.asarray(errors, np.float64))
    return np.searchsorted(known, np.asarray(at, np.float64), side="left") / len(known)


def distribution_band(
    errors: ArrayLike, at: ArrayLike, confidence: float = CONFIDENCE
) -> tuple[FloatArray, FloatArray]:
    """Pointwise bootstrap interval of F(e) for each e in `at`.

    In a resample of N networks, the number of errors below e is binomial:

        k ~ Binomial(N, F(e)),  bounds = quantiles of k / N

    which is the limit of infinitely many resamples. The confidence holds for each e separately, not
    for the entire curve. The band has zero width where F is 0 or 1.

    Args:
        errors: Errors of the networks, `[N]`.
        at: Values of e, of any shape.
        confidence: Share of the resamples within the bounds.

    Returns:
        Lower and upper bound, of the shape of `at`.

    >>> low, high = distribution_band(range(100), [50])
    >>> low.tolist(), high.tolist()
    ([0.4], [0.6])
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
    """Index of the best network in each resample: the paper's empirical bootstrap (footnote 4).

    Each resample takes a share `fraction` of the N networks with replacement (rounded, at least
    one). Among equal errors the network that was sampled first counts, so that none is preferred.

    Args:
        errors: Errors of the networks, `[N]`.
        generator: Source of randomness.
        fraction: Share of the networks in a resample.
        repeats: Number of resamples.

    Returns:
        Indices into `errors`, `[repeats]`.

    Raises:
        UserError: There are fewer than 12 networks.

    >>> best = resample_best(range(20), np.random.default_rng(0), repeats=1000)
    >>> best.shape, int(best.min())
    ((1000,), 0)
    """
    known = np.asarray(errors, np.float64)
    if len(known) < SMALLEST:
        raise UserError(
            f"A bootstrap of {len(known)} networks means nothing: a resample takes a quarter of "
            f"them, and at least 3 are needed to speak of a best one. Train at least {SMALLEST}."
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
    """Most likely best value of each property (§3.2), with a 95 % interval.

    It is the median, over resamples, of the property of the best network (see `resample_best`). All
    properties share the resamples. Networks without a property (NaN) are left out for this
    property; a property of fewer than 12 networks is left out.

    Args:
        errors: Errors of the networks, `[N]`.
        properties: Values by name, each `[N]`.
        generator: Source of randomness.
        fraction: Share of the networks in a resample.
        repeats: Number of resamples.

    Raises:
        UserError: There are fewer than 12 networks.

    >>> errors = np.arange(40.0)
    >>> best = best_values(errors, {"depth": 10 + errors}, np.random.default_rng(0))
    >>> best["depth"].low, best["depth"].middle
    (10.0, 12.0)
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
        first: Name of the first population.
        second: Name of the second population.
        statistic: Kolmogorov-Smirnov statistic, max over e of |F_first(e) - F_second(e)|.
        p_value: Two-sided p-value of the Kolmogorov-Smirnov test.
        adjusted: The p-value after Holm's correction for the number of pairs.
        mean: Mean error of the first minus that of the second, with a bootstrap interval.
        superiority: P(e_first < e_second) + P(e_first = e_second) / 2 for a random network of each,
            with a bootstrap interval.
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
    """Compare all pairs of populations.

    Args:
        errors: Errors of each population by name, each `[N]`.
        generator: Source of randomness.
        repeats: Number of resamples of the bootstrap intervals.

    Raises:
        UserError: A population has fewer than two networks.

    >>> generator = np.random.default_rng(0)
    >>> (pair,) = compare_populations({"a": range(30), "b": range(20, 50)}, generator)
    >>> round(pair.statistic, 3), pair.mean.middle
    (0.667, -20.0)
    """
    known = {name: np.asarray(values, np.float64) for name, values in errors.items()}
    for name, values in known.items():
        if len(values) < 2:
            raise UserError(
                f"Population {name} has {len(values)} networks; a comparison needs at least 2."
            )
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
    """P(a < b) + P(a = b) / 2, with a bootstrap interval over both populations."""
    # Wins of each network of the first against each of the second; in a resample they are weighted
    # by how often it contains both.
    wins = (first[:, None] < second) + 0.5 * (first[:, None] == second)
    counts = [
        generator.multinomial(len(values), np.full(len(values), 1 / len(values)), repeats)
        / len(values)
        for values in (first, second)
    ]
    spread = Interval.of(((counts[0] @ wins) * counts[1]).sum(axis=1))
    return Interval(spread.low, float(wins.mean()), spread.high)
