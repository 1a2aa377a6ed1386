"""What random cells achieve: expectations in closed form over all cells of a table.

Of N cells, n different ones are drawn at random. In ascending order of the value by which the best
is chosen, cell i (from 1) is the best of them with probability

    w_i = C(i - 1, n - 1) / C(N, n),    so  w_N = n / N  and  w_(i-1) = w_i (i - n) / (i - 1)

The expected accuracy of the chosen cell is the sum of w_i a_i. Chosen by validation accuracy and
judged by test accuracy, this is random search with n trainings: what a search of the same number
of trainings must beat. Cells that tie are chosen with equal probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from darts.nasbench.measured import Accuracies
from darts.nasbench.table import AccuracyTable

_DIGITS = 6


def best_weights(count: int, n: int) -> Accuracies:
    """Probability `[count]` that each cell, in ascending order, is the best of n drawn ones.

    >>> best_weights(3, 2)
    array([0.        , 0.33333333, 0.66666667])

    Raises:
        ValueError: n is not between 1 and the number of cells.
    """
    if not 1 <= n <= count:
        raise ValueError(f"{n} of {count} cells cannot be drawn.")
    places = np.arange(count, 1, -1, dtype=np.float64)
    factors = np.maximum(places - n, 0) / (places - 1)
    return (n / count * np.concatenate([[1.0], np.cumprod(factors)]))[::-1]


def expected_best(values: Accuracies, n: int) -> float:
    """The expected highest of n different values drawn at random; NaN are left out.

    >>> expected_best(np.array([1.0, 2.0, 3.0]), 2)
    2.6666666666666665
    """
    known = np.sort(values[~np.isnan(values)])
    return float(best_weights(len(known), n) @ known)


@dataclass(frozen=True)
class RandomBaseline:
    """Random search over the cells of a table: the best by validation of n cells.

    Attributes:
        n: Number of random cells that are trained.
        valid: Expected validation accuracy (%) of the chosen cell.
        test: Expected test accuracy (%) of the chosen cell.
        deviation: Standard deviation of its test accuracy.
    """

    n: int
    valid: float
    test: float
    deviation: float


class RandomSearch:
    """The distribution of what random search finds in a table.

    Args:
        table: Cells without both accuracies are left out.

    Attributes:
        count: Number of cells.
    """

    def __init__(self, table: AccuracyTable) -> None:
        known = ~(np.isnan(table.valid) | np.isnan(table.test))
        valid, test = table.valid[known], table.test[known]
        order = np.argsort(valid, kind="stable")
        self._valid, self._test = np.round(valid[order], _DIGITS), test[order]
        self.count = len(order)
        _, self._starts, self._sizes = np.unique(self._valid, return_index=True, return_counts=True)

    def _weights(self, n: int) -> Accuracies:
        """Probability that each cell is chosen; equal for cells that tie."""
        sums = np.add.reduceat(best_weights(self.count, n), self._starts)
        return np.repeat(sums / self._sizes, self._sizes)

    def __call__(self, n: int) -> RandomBaseline:
        """What the best by validation of n random cells achieves."""
        weights = self._weights(n)
        test = float(weights @ self._test)
        spread = float(weights @ (self._test - test) ** 2) ** 0.5
        return RandomBaseline(n, float(weights @ self._valid), test, spread)

    def chance(self, n: int, test: float) -> float:
        """Probability that the best by validation of n random cells has at least this accuracy."""
        reached = np.round(self._test, _DIGITS) >= round(test, _DIGITS)
        return float(np.clip(self._weights(n) @ reached, 0, 1))

    def equivalent(self, test: float) -> int | None:
        """The smallest n whose expected test accuracy is at least `test`; None if there is none.

        The expectation is taken to rise with n, which holds in the benchmark's tables.
        """
        low, high = 1, self.count
        if not high or self(high).test < test:
            return None
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self(middle).test >= test else (middle + 1, high)
        return low

    def baselines(self, sizes: Sequence[int]) -> list[RandomBaseline]:
        """`self(n)` for each different size that the table allows, ascending."""
        return [self(n) for n in sorted({n for n in sizes if 1 <= n <= self.count})]
