"""The table of known accuracies: a cell's row, its rank by test accuracy, its regret."""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from darts.files import atomic_write
from darts.nasbench.cell_names import strings
from darts.nasbench.measured import Accuracies
from genotypes import Genotype
from genotypes.nasbench201 import official_index

_DIGITS = 6  # Means of the same seeds in another order are equal to this many decimals.


@dataclass(frozen=True)
class KnownCell:
    """What a table knows of one cell; None where it does not know the cell.

    Attributes:
        arch: The cell's string.
        number: Its official number.
        valid: Validation accuracy in %.
        test: Test accuracy in %.
        rank: 1 + number of cells with a higher test accuracy: 1 is best, ties share a rank.
        percentile: Percentage of the known cells whose test accuracy is not higher.
        regret: Points of test accuracy that the best cell of the table has more.
    """

    arch: str
    number: int
    valid: float | None
    test: float | None
    rank: int | None
    percentile: float | None
    regret: float | None


@dataclass(frozen=True)
class AccuracyTable:
    """Known accuracies of the cells of NAS-Bench-201.

    >>> accuracies = np.arange(15625) / 1000
    >>> table = AccuracyTable(Path("t.csv"), "cifar10", "CSV", accuracies, accuracies)
    >>> best = table.row(15624)
    >>> best.rank, best.percentile, best.regret, table.row(15623).rank
    (1, 100.0, 0.0, 2)

    Attributes:
        path: The file.
        dataset: The data set on which the cells were trained, or "unknown".
        form: The form of the file in words.
        valid: Validation accuracy (%) by official number `[15625]`; NaN where unknown.
        test: Test accuracy (%), likewise.
        valid_protocol: How the validation accuracy was measured.
        test_protocol: How the test accuracy was measured.
        notes: What a user should know about the file.
    """

    path: Path
    dataset: str
    form: str
    valid: Accuracies = field(repr=False, compare=False)
    test: Accuracies = field(repr=False, compare=False)
    valid_protocol: str = ""
    test_protocol: str = ""
    notes: tuple[str, ...] = ()

    @cached_property
    def _sorted(self) -> Accuracies:
        """The known test accuracies in ascending order, rounded for comparisons."""
        return np.sort(np.round(self.test[~np.isnan(self.test)], _DIGITS))

    @property
    def known(self) -> int:
        """Number of cells with a test accuracy."""
        return len(self._sorted)

    @cached_property
    def best_test(self) -> float:
        """The highest test accuracy; NaN if none is known."""
        return float(np.nanmax(self.test)) if self.known else float("nan")

    def lookup(self, genotype: Genotype) -> KnownCell:
        """The row of a cell.

        Raises:
            GenotypeError: The cell belongs to another space.
        """
        return self.row(official_index(genotype))

    def row(self, number: int) -> KnownCell:
        """The row of the cell with an official number."""
        arch = strings()[number]
        valid, test = (_plain(values[number]) for values in (self.valid, self.test))
        if test is None:
            return KnownCell(arch, number, valid, None, None, None, None)
        rank = self.count_above(test) + 1
        percentile = 100 * (self.known - rank + 1) / self.known
        return KnownCell(arch, number, valid, test, rank, percentile, self.best_test - test)

    def count_at_least(self, test: float) -> int:
        """Number of cells with at least this test accuracy."""
        return self.known - int(np.searchsorted(self._sorted, round(test, _DIGITS), "left"))

    def count_above(self, test: float) -> int:
        """Number of cells with a higher test accuracy."""
        return self.known - int(np.searchsorted(self._sorted, round(test, _DIGITS), "right"))

    def save(self, path: Path) -> None:
        """Write the table as CSV, which is read at once; compressed if the name ends in `.gz`."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["arch", f"{self.dataset}_valid_acc", f"{self.dataset}_test_acc"])
        for name, *values in zip(strings(), self.valid, self.test, strict=True):
            if not np.isnan(values).all():
                writer.writerow([name, *("" if np.isnan(v) else repr(float(v)) for v in values)])
        data = text.getvalue().encode()
        with atomic_write(path, "wb") as stream:
            stream.write(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
