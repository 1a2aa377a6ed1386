"""Means of few values, such as the accuracies of five seeds, and their differences.

The intervals are Student's: they assume values that are about normally distributed, and are wide
for few values. With n values of standard deviation s (divisor n - 1):

    mean ± t(n - 1) · s / √n
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from darts.statistics.interval import CONFIDENCE, Interval


@dataclass(frozen=True)
class Estimate:
    """The mean of n values.

    Attributes:
        n: Number of values.
        mean: Their mean.
        deviation: Their standard deviation with the divisor n - 1; None for one value.
        interval: Student's interval of the mean; None for one value.
    """

    n: int
    mean: float
    deviation: float | None
    interval: Interval | None


def estimate(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """Mean, deviation and interval of values, such as one accuracy per seed.

    >>> five = estimate([93.0, 93.2, 93.4, 93.6, 93.8])
    >>> round(five.mean, 2), round(five.deviation, 4), round(five.interval.low, 3)
    (93.4, 0.3162, 93.007)

    Raises:
        ValueError: There are no values.
    """
    if not len(values):
        raise ValueError("The mean of no values is not defined.")
    known = np.asarray(values, np.float64)
    n, mean = len(known), float(known.mean())
    if n == 1:
        return Estimate(1, mean, None, None)
    deviation = float(known.std(ddof=1))
    half = _quantile(n - 1, confidence) * deviation / n**0.5
    return Estimate(n, mean, deviation, Interval(mean - half, mean, mean + half))


def paired_difference(
    first: Sequence[float], second: Sequence[float], confidence: float = CONFIDENCE
) -> Estimate:
    """Mean of first - second over pairs, such as two methods with the same seeds.

    >>> paired_difference([3.0, 4.0], [1.0, 2.0]).mean
    2.0

    Raises:
        ValueError: The lengths differ, or there are no values.
    """
    if len(first) != len(second):
        raise ValueError(f"Pairs need equal numbers of values, not {len(first)} and {len(second)}.")
    differences = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    return estimate(differences.tolist(), confidence)


def difference(
    first: Sequence[float], second: Sequence[float], confidence: float = CONFIDENCE
) -> Interval | None:
    """mean(first) - mean(second) of independent values, with Welch's interval.

    With v = s² / n of each sample, the half width is t(d) · √(v₁ + v₂), where

        d = (v₁ + v₂)² / (v₁² / (n₁ - 1) + v₂² / (n₂ - 1))

    Returns:
        None where a sample has fewer than two values.

    >>> difference([3.0, 5.0], [1.0, 1.0, 1.0]).middle
    3.0
    """
    samples = [np.asarray(values, np.float64) for values in (first, second)]
    if min(map(len, samples)) < 2:
        return None
    middle = float(samples[0].mean() - samples[1].mean())
    parts = [float(values.var(ddof=1)) / len(values) for values in samples]
    total = sum(parts)
    if total == 0:
        return Interval(middle, middle, middle)
    freedom = total**2 / sum(
        part**2 / (len(values) - 1) for part, values in zip(parts, samples, strict=True)
    )
    half = _quantile(freedom, confidence) * total**0.5
    return Interval(middle - half, middle, middle + half)


def _quantile(freedom: float, confidence: float) -> float:
    return float(stats.t.ppf((1 + confidence) / 2, freedom))
