"""p-values of differences between few values, and their correction for several tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats


def paired_p(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Two-sided p-value of Student's paired test: is the mean difference 0?

    With n differences of mean m and standard deviation s,  t = m √n / s  has n - 1 degrees of
    freedom.

    >>> round(paired_p([3.0, 4.0, 8.0], [1.0, 1.0, 1.0]), 4)  # t = 4 √3 / 7 ^ 0.5
    0.1201

    Returns:
        None for fewer than two pairs, or where all differences are equal.

    Raises:
        ValueError: The lengths differ.
    """
    if len(first) != len(second):
        raise ValueError(f"Pairs need equal numbers of values, not {len(first)} and {len(second)}.")
    differences = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    if len(differences) < 2 or np.ptp(differences) == 0:
        return None
    return float(stats.ttest_1samp(differences, 0.0).pvalue)


def independent_p(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Two-sided p-value of Welch's test: do independent values have the same mean?

    Returns:
        None where a sample has fewer than two values, or all values of both samples are equal.

    >>> independent_p([1.0, 3.0], [1.0, 3.0])
    1.0
    """
    if min(len(first), len(second)) < 2 or np.ptp(first) == np.ptp(second) == 0:
        return None
    return float(stats.ttest_ind(first, second, equal_var=False).pvalue)


def holm(p_values: list[float]) -> list[float]:
    """p-values of m tests, corrected by Holm's step-down method (Holm, 1979).

    With p_0 <= p_1 <= …, p_k becomes max over i <= k of min(1, (m - i)·p_i).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
