"""The known accuracies of a search's cells, shown while it runs (`--table`).

A search never sees them: they are looked up after the cell of an epoch is derived, only by the main
process, with no random number, and go into the log and the report. A search with a table is the
same search, to the last bit.
"""

from __future__ import annotations

import sys

from darts.errors import UserError
from darts.nasbench.measured import DATASETS
from darts.nasbench.reading import read_table
from darts.nasbench.table import AccuracyTable, KnownCell
from darts.nasbench.text_files import Wanted
from darts.runs.tracking import Tracker
from darts.searching.options import SearchOptions
from darts.system import distributed
from genotypes import Genotype, SearchSpace
from genotypes.published_spaces import NASBENCH201


class KnownAccuracies:
    """Looks the cells of a search up in the table that `options.table` names, if any.

    Args:
        options: The settings of the search.
        space: The cells that are searched.

    Attributes:
        notes: Short texts for the progress line, by name.
        messages: What to tell the user when the search begins.

    Raises:
        UserError: The space is not NAS-Bench-201's, or the table of a new search is unusable. For
            a search that is continued, a table that is gone is only told.
    """

    def __init__(self, options: SearchOptions, space: SearchSpace) -> None:
        self.notes: dict[str, str] = {}
        self.messages: list[str] = []
        self._table: AccuracyTable | None = None
        if options.table is None:
            return
        if space != NASBENCH201:
            raise UserError(
                f"--table: known accuracies exist for the cells of --space nasbench201, not for "
                f"{space.name!r}."
            )
        if not distributed.is_main():
            return
        dataset = options.dataset if options.dataset in DATASETS else ""
        try:
            self._table = table = read_table(options.table, Wanted(dataset))
        except UserError as error:
            if not options.resume:
                raise UserError(f"--table: {error}") from None
            self.messages.append(f"{error} The search continues without known accuracies.")
            return
        self.messages += [
            f"{table.path}: {table.form}, {table.dataset}, {table.known:,} cells; shown only, the "
            "search does not see it.",
            *table.notes,
        ]

    def announce(self, *, silent: bool) -> None:
        """Tell the user what was read, or that it is gone."""
        for message in () if silent else self.messages:
            print(f"table: {message}", file=sys.stderr)

    def row(self, genotype: Genotype) -> KnownCell | None:
        """What is known of a cell; None without a table."""
        return None if self._table is None else self._table.lookup(genotype)

    def __call__(self, genotype: Genotype, tracker: Tracker, step: int) -> dict[str, float | int]:
        """The known accuracies of an epoch's cell, for its line in `metrics.jsonl`.

        Args:
            genotype: The derived cell.
            tracker: Gets `table/test` and `table/valid`.
            step: Number of finished steps.
        """
        cell = self.row(genotype)
        if cell is None:
            return {}
        self.notes = {"table test": "not in the table"}
        if cell.test is not None:
            self.notes = {"table test": f"{cell.test:.2f} % (rank {cell.rank:,})"}
        tracker.scalars({"table/test": cell.test, "table/valid": cell.valid}, step)
        found = {"valid": cell.valid, "test": cell.test, "rank": cell.rank, "regret": cell.regret}
        return {f"table_{name}": value for name, value in found.items() if value is not None}
