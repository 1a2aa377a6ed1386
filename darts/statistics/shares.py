"""Shares such as accuracies, with intervals that hold for few images."""

from __future__ import annotations

from darts.statistics.interval import CONFIDENCE, Interval


def share_interval(right: int, total: int, confidence: float = CONFIDENCE) -> Interval:
    """A share in % with its exact binomial bounds (Clopper and Pearson, 1934).

    >>> found = share_interval(10, 10)
    >>> round(found.low, 2), found.middle, found.high
    (69.15, 100.0, 100.0)
    """
    # Imported here because pages of runs need it only for trained networks.
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = 0.0 if right == 0 else float(betaincinv(right, total - right + 1, tail))
    high = 1.0 if right == total else float(betaincinv(right + 1, total - right, 1 - tail))
    return Interval(100 * low, 100 * right / total, 100 * high)
