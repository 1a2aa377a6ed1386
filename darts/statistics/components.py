"""Variance between and within groups, such as cells that are each trained with several seeds.

One-way analysis of variance with random effects: x_ij = m + b_i + e_ij, where b_i belongs to group
i and e_ij to one value. With n_i values in group i, N values in all and k groups,

    MSW = Σ (x_ij - mean_i)² / (N - k)
    MSB = Σ n_i (mean_i - mean)² / (k - 1)
    variance within = MSW,  between = max(0, (MSB - MSW) / n₀),  n₀ = (N - Σ n_i² / N) / (k - 1)

Source: Searle, Casella and McCulloch, Variance Components (1992), §3.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy import stats

from darts.statistics.interval import CONFIDENCE, Interval

Groups = Sequence[Sequence[float]]
"""The values of each group; no group is empty."""


@dataclass(frozen=True)
class Components:
    """How far values of different groups differ, and values of the same group.

    Attributes:
        groups: Number of groups.
        values: Number of values.
        within: Standard deviation inside a group; None where no group has two values.
        between: Standard deviation of the groups' true means; None where it cannot be told.
        p_value: Probability that groups of equal true means differ this much (F test), or None.
    """

    groups: int
    values: int
    within: float | None
    between: float | None
    p_value: float | None

    def as_dict(self) -> dict[str, float | None]:
        """Plain values."""
        return asdict(self)


def components(groups: Groups) -> Components:
    """Deviations between and within groups.

    >>> found = components([[1.0, 3.0], [5.0, 7.0]])
    >>> round(found.within, 4), round(found.between, 4), round(found.p_value, 4)
    (1.4142, 2.6458, 0.1056)
    """
    known = [np.asarray(values, np.float64) for values in groups]
    k, sizes = len(known), np.array([len(values) for values in known])
    total = int(sizes.sum())
    if total == k:
        return Components(k, total, None, None, None)
    within = _squares_within(known) / (total - k)
    if k < 2:
        return Components(k, total, within**0.5, None, None)
    means = np.array([values.mean() for values in known])
    middle = float(sizes @ means) / total
    between = float(sizes @ (means - middle) ** 2) / (k - 1)
    size = (total - float(sizes @ sizes) / total) / (k - 1)
    p_value = float(stats.f.sf(between / within, k - 1, total - k)) if within else None
    deviation = max(0.0, (between - within) / size) ** 0.5
    return Components(k, total, within**0.5, deviation, p_value)


def pooled_difference(
    groups: Groups, first: int, second: int, confidence: float = CONFIDENCE
) -> Interval | None:
    """mean(first) - mean(second) of two groups, with the deviation pooled over all groups.

        t(N - k) · √(MSW (1 / n₁ + 1 / n₂))  is the half width

    It assumes that values scatter equally in all groups, and is narrower than Welch's interval of
    the two groups alone, which knows the deviation from two or three values only.

    Returns:
        None where no group has two values.

    >>> found = pooled_difference([[1.0, 3.0], [5.0, 7.0]], 1, 0)
    >>> found.middle, round(found.high - found.middle, 3)  # 4.303 · √2
    (4.0, 6.085)
    """
    known = [np.asarray(values, np.float64) for values in groups]
    freedom = sum(map(len, known)) - len(known)
    if not freedom:
        return None
    one, other = known[first], known[second]
    middle = float(one.mean() - other.mean())
    error = (_squares_within(known) / freedom * (1 / len(one) + 1 / len(other))) ** 0.5
    half = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    return Interval(middle - half, middle, middle + half)


def _squares_within(groups: Sequence[np.ndarray]) -> float:
    return float(sum(((values - values.mean()) ** 2).sum() for values in groups))
