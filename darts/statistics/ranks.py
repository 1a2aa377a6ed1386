"""Rank correlations with intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from darts.statistics.interval import CONFIDENCE, Interval

REPEATS = 1000
_LARGEST = 2000  # More things make the matrices of all pairs too large.
_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RankCorrelation:
    """How far two measurements of the same things agree on their order.

    Attributes:
        n: Number of things.
        kendall: Kendall's tau-b with its bootstrap interval; None if it is not defined, because
            there are fewer than three things or one measurement has a single value.
        spearman: Spearman's rho likewise.
    """

    n: int
    kendall: Interval | None
    spearman: Interval | None


def kendall(first: Sequence[float] | _Floats, second: Sequence[float] | _Floats) -> float:
    """Kendall's tau-b; NaN if one measurement has a single value.

        tau = (C - D) / √((P - T₁)(P - T₂))

    with C concordant and D discordant pairs of all P = n(n - 1)/2, and T tied pairs.

    >>> round(kendall([1, 2, 3], [1, 3, 2]), 4)
    0.3333
    """
    return float(stats.kendalltau(first, second).statistic)


def spearman(first: Sequence[float] | _Floats, second: Sequence[float] | _Floats) -> float:
    """Spearman's rho, Pearson's correlation of mean ranks; NaN if one has a single value.

    >>> spearman([1, 2, 3], [1, 3, 2])
    0.5
    """
    ranks = [stats.rankdata(values) for values in (first, second)]
    centred = [values - values.mean() for values in ranks]
    norm = math.sqrt(float((centred[0] ** 2).sum() * (centred[1] ** 2).sum()))
    return float(centred[0] @ centred[1]) / norm if norm else math.nan


def correlate_ranks(
    first: Sequence[float],
    second: Sequence[float],
    generator: np.random.Generator,
    *,
    repeats: int = REPEATS,
    confidence: float = CONFIDENCE,
) -> RankCorrelation:
    """Both rank correlations, with percentile intervals of a bootstrap over the things.

    Args:
        first: One measurement of each thing, `[N]`.
        second: The other, `[N]`.
        generator: Source of the resamples.
        repeats: Number of resamples.
        confidence: Of the intervals.

    >>> agreed = correlate_ranks(range(20), range(20), np.random.default_rng(0))
    >>> agreed.kendall.middle, agreed.spearman.middle
    (1.0, 1.0)

    Raises:
        ValueError: The lengths differ.
    """
    known = [np.asarray(values, np.float64) for values in (first, second)]
    if len(known[0]) != len(known[1]):
        raise ValueError(f"{len(known[0])} and {len(known[1])} measurements cannot be compared.")
    n = len(known[0])
    chosen = generator.integers(n, size=(repeats, n)) if n else np.zeros((0, 0), np.int64)
    if n < 3 or min(len(np.unique(values)) for values in known) < 2:
        return RankCorrelation(n, None, None)
    return RankCorrelation(
        n,
        _interval(kendall, resampled_kendall, known, chosen, confidence),
        _interval(spearman, resampled_spearman, known, chosen, confidence),
    )


_Statistic = Callable[[_Floats, _Floats], float]
_Resampled = Callable[[_Floats, _Floats, NDArray[np.int64]], _Floats]


def _interval(
    statistic: _Statistic,
    resampled: _Resampled,
    known: Sequence[_Floats],
    chosen: NDArray[np.int64],
    confidence: float,
) -> Interval:
    first, second = known
    if len(first) > _LARGEST:
        values = np.array([statistic(first[rows], second[rows]) for rows in chosen])
    else:
        values = resampled(first, second, chosen)
    spread = Interval.of(values[~np.isnan(values)], confidence)
    return Interval(spread.low, statistic(first, second), spread.high)


def resampled_kendall(first: _Floats, second: _Floats, chosen: NDArray[np.int64]) -> _Floats:
    """Kendall's tau-b of each resample, `[R]`; NaN where it is not defined.

    With c the number of times that each thing is in a resample, and A and B the matrices of the
    signs of all differences of the two measurements,

        tau = cᵀ(A·B)c / √(cᵀ|A|c · cᵀ|B|c)

    >>> values = np.array([1.0, 2.0, 3.0])
    >>> resampled_kendall(values, -values, np.array([[0, 1, 2], [0, 2, 2]])).tolist()
    [-1.0, -1.0]

    Args:
        first: One measurement of each thing, `[N]`.
        second: The other, `[N]`.
        chosen: The things of each resample, `[R, N]`.
    """
    counts = _counts(chosen, len(first))
    one, other = (np.sign(values[:, None] - values[None, :]) for values in (first, second))

    def weighted(pairs: _Floats) -> _Floats:
        return ((counts @ pairs) * counts).sum(axis=1)

    norm = np.sqrt(weighted(np.abs(one)) * weighted(np.abs(other)))
    return _divided(weighted(one * other), norm)


def resampled_spearman(first: _Floats, second: _Floats, chosen: NDArray[np.int64]) -> _Floats:
    """Spearman's rho of each resample, `[R]`; NaN where it is not defined.

    >>> values = np.array([1.0, 2.0, 3.0])
    >>> resampled_spearman(values, -values, np.array([[0, 1, 2], [0, 2, 2]])).tolist()
    [-1.0, -1.0]

    Args:
        first: One measurement of each thing, `[N]`.
        second: The other, `[N]`.
        chosen: The things of each resample, `[R, N]`.
    """
    counts = _counts(chosen, len(first))
    centred = []
    for values in (first, second):
        below = (values[:, None] < values[None, :]).astype(np.float64)
        equal = (values[:, None] == values[None, :]).astype(np.float64)
        ranks = counts @ below + (counts @ equal + 1) / 2
        centred.append(ranks - (len(first) + 1) / 2)  # The mean of n ranks, ties or not.
    one, other = centred
    norm = np.sqrt((counts * one**2).sum(axis=1) * (counts * other**2).sum(axis=1))
    return _divided((counts * one * other).sum(axis=1), norm)


def _counts(chosen: NDArray[np.int64], n: int) -> _Floats:
    """How often each thing is in each resample, `[R, N]`."""
    return np.array([np.bincount(rows, minlength=n) for rows in chosen], np.float64)


def _divided(values: _Floats, norm: _Floats) -> _Floats:
    """The quotient; NaN where the norm is 0."""
    result: _Floats = np.full(len(values), np.nan)
    np.divide(values, norm, out=result, where=norm > 0)
    return result
