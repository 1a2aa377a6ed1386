"""Accuracies as a file states them: one row per line, cells perhaps missing or repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darts.errors import UserError
from darts.nasbench.cell_names import strings

CELLS = 15_625
CIFAR10, CIFAR100, IMAGENET16 = DATASETS = ("cifar10", "cifar100", "imagenet16-120")
UNKNOWN = "unknown"
BEST_CIFAR10 = (91.606667, 94.373333)
"""The best validation and the best test accuracy (%) of all cells on CIFAR-10."""

_DIFFERENT = 1e-6
Accuracies = NDArray[np.float64]


@dataclass(frozen=True)
class MeasuredCells:
    """What a reader has found in a file.

    Attributes:
        form: The form of the file in words.
        cells: The official number of the cell of each row, `[R]`.
        valid: Validation accuracies in % (or all as fractions), `[R]`; NaN where unknown.
        test: Test accuracies, likewise.
        dataset: The data set that the content names; empty if it names none.
        valid_protocol: How the validation accuracy was measured.
        test_protocol: How the test accuracy was measured.
        notes: What a user should know about the file.
    """

    form: str
    cells: Sequence[int]
    valid: Sequence[float]
    test: Sequence[float]
    dataset: str = ""
    valid_protocol: str = ""
    test_protocol: str = ""
    notes: tuple[str, ...] = field(default_factory=tuple)

    def with_notes(self, *notes: str) -> MeasuredCells:
        """The same with further notes; empty ones are left out."""
        return replace(self, notes=(*self.notes, *filter(None, notes)))


def accuracies_by_cell(
    measured: MeasuredCells, where: str
) -> tuple[Accuracies, Accuracies, list[str]]:
    """Validation and test accuracy (%) of every cell `[15625]`, NaN where unknown, and notes.

    Fractions become percentages. Several rows of one cell become their mean.

    Raises:
        UserError: There is no row, or a number is no accuracy.
    """
    cells = np.asarray(measured.cells, np.int64)
    valid = np.asarray(measured.valid, np.float64)
    test = np.asarray(measured.test, np.float64)
    known = np.concatenate([valid, test])
    known = known[~np.isnan(known)]
    if not known.size:
        raise UserError(f"{where}: {measured.form} without the accuracy of any cell.")
    if not np.isfinite(known).all() or known.min() < 0 or known.max() > 100:
        bad = known[(known < 0) | (known > 100) | ~np.isfinite(known)][0]
        raise UserError(f"{where}: {bad:g} is no accuracy; they are numbers from 0 to 100.")
    notes = []
    if known.max() <= 1:
        valid, test = 100 * valid, 100 * test
        notes.append("The accuracies are fractions in the file; they were multiplied by 100.")
    means = [_mean_by_cell(cells, values) for values in (valid, test)]
    notes += _duplicates(cells, valid, test)
    present = ~(np.isnan(means[0]) & np.isnan(means[1]))
    if missing := int((~present).sum()):
        first = int(np.flatnonzero(~present)[0])
        notes.append(
            f"Only {CELLS - missing:,} of the 15,625 cells are in the table; {missing:,} are "
            f"missing, for example {_name(first)}. Ranks and regrets count the known ones only."
        )
    return means[0], means[1], notes


def _mean_by_cell(cells: NDArray[np.int64], values: Accuracies) -> Accuracies:
    known = ~np.isnan(values)
    counts = np.bincount(cells[known], minlength=CELLS)
    sums = np.bincount(cells[known], values[known], minlength=CELLS)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _duplicates(cells: NDArray[np.int64], valid: Accuracies, test: Accuracies) -> list[str]:
    """Notes on cells with several rows: those that agree and those that contradict each other."""
    counts = np.bincount(cells, minlength=CELLS)
    repeated = np.flatnonzero(counts > 1)
    if not repeated.size:
        return []
    spread = np.zeros(CELLS)
    for values in (valid, test):
        known = ~np.isnan(values)
        highest, lowest = np.full(CELLS, -np.inf), np.full(CELLS, np.inf)
        np.maximum.at(highest, cells[known], values[known])
        np.minimum.at(lowest, cells[known], values[known])
        seen = np.isfinite(highest)
        spread[seen] = np.maximum(spread[seen], highest[seen] - lowest[seen])
    contradictory = repeated[spread[repeated] > _DIFFERENT]
    equal = repeated[spread[repeated] <= _DIFFERENT]
    notes = []
    if equal.size:
        notes.append(
            f"{_cells(equal.size)} several equal rows, for example {_name(int(equal[0]))}."
        )
    if contradictory.size:
        worst = int(contradictory[np.argmax(spread[contradictory])])
        notes.append(
            f"{_cells(contradictory.size)} several rows that contradict each other, for example "
            f"{_name(worst)}, by {spread[worst]:.2f} points. The mean of a cell's rows is used."
        )
    return notes


def _cells(count: Any) -> str:
    return "1 cell has" if count == 1 else f"{count:,} cells have"


def _name(number: int) -> str:
    return f"nb201-{number} {strings()[number]}"
