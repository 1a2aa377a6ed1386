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
    return RankCorrelation(
        n,
        _interval(kendall, known, chosen, confidence),
        _interval(spearman, known, chosen, confidence),
    )


def _interval(
    statistic: Callable[[_Floats, _Floats], float],
    known: Sequence[_Floats],
    chosen: NDArray[np.int64],
    confidence: float,
) -> Interval | None:
    if len(known[0]) < 3 or min(len(np.unique(values)) for values in known) < 2:
        return None
    resampled = [statistic(known[0][rows], known[1][rows]) for rows in chosen]
    spread = Interval.of([value for value in resampled if not math.isnan(value)], confidence)
    return Interval(spread.low, statistic(known[0], known[1]), spread.high)
