"""The outcome of a sweep: means, differences, ranks, the cells found and how far they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import stats

from darts.nasbench.baseline import RandomBaseline, RandomSearch
from darts.nasbench.table import AccuracyTable
from darts.report.formatting import percent
from darts.report.notebook import Figures, Summarised
from darts.report.tables import Row
from darts.statistics.estimates import Estimate, estimate
from darts.sweeps.agreement import Agreement, agreement, equal_cells
from darts.sweeps.cells import cell_words
from darts.sweeps.differences import SweepDifference, differences
from darts.sweeps.directory import SweepRecord
from darts.sweeps.measure import (
    Judge,
    SweptCell,
    judge_of,
    measured_cells,
    read_judging_table,
)
from darts.sweeps.options import CONTROL
from darts.sweeps.plan import planned_searches
from genotypes import Genotype

_BASELINES = (1, 3, 10)
_NO_MEAN = "not yet known"


@dataclass(frozen=True)
class ConfigurationOutcome:
    """What one configuration achieved.

    Attributes:
        label: Its name.
        cells: Its searches, or the random cells.
    """

    label: str
    cells: tuple[SweptCell, ...]

    @property
    def accuracies(self) -> dict[int, float]:
        """The known accuracies (%) by seed."""
        return {one.seed: one.accuracy for one in self.cells if one.accuracy is not None}

    @cached_property
    def accuracy(self) -> Estimate | None:
        """Mean accuracy; None while none is known."""
        values = list(self.accuracies.values())
        return estimate(values) if values else None

    @property
    def best_by_validation(self) -> SweptCell | None:
        """The cell with the highest validation accuracy in the table; None without a table."""
        known = [one for one in self.cells if one.valid is not None and one.accuracy is not None]
        return max(known, key=lambda one: one.valid or 0.0, default=None)

    @cached_property
    def agreement(self) -> Agreement | None:
        """How far its cells agree; None while no cell is known."""
        found = {one.seed: one.genotype for one in self.cells if one.genotype is not None}
        return agreement(found) if found else None

    def mean(self, name: str) -> float | None:
        """Mean of a number of all cells that have it, such as `seconds`."""
        values = [getattr(one, name) for one in self.cells]
        known = [float(value) for value in values if value is not None]
        return sum(known) / len(known) if known else None


@dataclass(frozen=True)
class FoundTogether:
    """Cells that are the same.

    Attributes:
        genotype: The first of them.
        cells: All of them.
    """

    genotype: Genotype
    cells: tuple[SweptCell, ...]


@dataclass(frozen=True, repr=False)
class SweepOutcome(Summarised):
    """The outcome of a sweep, finished or not.

    Attributes:
        record: The sweep.
        judge: What the accuracies are.
        table: The table that judges, if there is one.
        configurations: By label.
        differences: Every other configuration minus the reference.
        ranks: By label, the rank of its accuracy among all configurations for each seed that all
            of them have: 1 is best, ties share the mean of their ranks.
        found: The different cells, the most frequent first.
        random: Random search in the table.
    """

    record: SweepRecord
    judge: Judge
    table: AccuracyTable | None
    configurations: Mapping[str, ConfigurationOutcome]
    differences: tuple[SweepDifference, ...]
    ranks: Mapping[str, tuple[float, ...]]
    found: tuple[FoundTogether, ...]
    random: RandomSearch | None

    def figures(self) -> Figures:
        """The mean of each configuration, and where it is."""
        means = [
            (label, _NO_MEAN if one.accuracy is None else percent(one.accuracy.mean))
            for label, one in self.configurations.items()
        ]
        return [*means, ("directory", self.record.options.out)]

    def tables(self) -> Sequence[tuple[str, Sequence[Row]]]:
        """Configurations and their differences."""
        # These modules describe an outcome, so they import this one.
        from darts.sweeps.tables import configuration_table, difference_table

        found = [("Configurations", configuration_table(self))]
        return [*found, ("Differences", difference_table(self))] if self.differences else found

    @cached_property
    def baselines(self) -> list[RandomBaseline]:
        """What random search finds in the table with few cells, and with one for each seed."""
        sizes = [*_BASELINES, len(self.record.options.seeds)]
        return [] if self.random is None else self.random.baselines(sizes)

    def equivalent(self, one: ConfigurationOutcome) -> int | None:
        """The fewest random cells whose best by validation is expected to be as accurate."""
        if self.random is None or one.accuracy is None:
            return None
        return self.random.equivalent(one.accuracy.mean)

    @property
    def cells(self) -> list[SweptCell]:
        """All searches and random cells."""
        return [
            one for configuration in self.configurations.values() for one in configuration.cells
        ]

    @property
    def failed(self) -> list[SweptCell]:
        """The searches that failed."""
        return [one for one in self.cells if one.status == "failed"]

    @property
    def finished(self) -> bool:
        """Whether every accuracy is known or its search has failed."""
        return all(one.accuracy is not None or one.status == "failed" for one in self.cells)


def outcome_of(record: SweepRecord) -> SweepOutcome:
    """Compare what is done of a sweep.

    Raises:
        UserError: The table cannot be read, or the reference is no configuration.
    """
    searches = planned_searches(record.options)
    table = read_judging_table(record.options, searches)
    measured = measured_cells(record, searches, table)
    configurations = {
        label: ConfigurationOutcome(label, tuple(cells)) for label, cells in measured.items()
    }
    accuracies = {label: one.accuracies for label, one in configurations.items()}
    compared = {label: values for label, values in accuracies.items() if label != CONTROL}
    return SweepOutcome(
        record=record,
        judge=judge_of(record),
        table=table,
        configurations=configurations,
        differences=differences(accuracies, record.options.reference),
        ranks=ranks_by_seed(compared),
        found=tuple(_together([one for cells in measured.values() for one in cells])),
        random=None if table is None else RandomSearch(table),
    )


def ranks_by_seed(accuracies: Mapping[str, Mapping[int, float]]) -> dict[str, tuple[float, ...]]:
    """The rank of each label for every seed that all labels have; 1 is the highest accuracy.

    >>> ranks_by_seed({"a": {0: 90.0, 1: 80.0}, "b": {0: 91.0, 1: 80.0}, "c": {0: 80.0, 1: 70.0}})
    {'a': (2.0, 1.5), 'b': (1.0, 1.5), 'c': (3.0, 3.0)}
    """
    common = set.intersection(*(set(values) for values in accuracies.values()))
    columns = [
        stats.rankdata([-values[seed] for values in accuracies.values()]).tolist()
        for seed in sorted(common)
    ]
    return {label: tuple(column[row] for column in columns) for row, label in enumerate(accuracies)}


def _together(cells: Sequence[SweptCell]) -> list[FoundTogether]:
    known = [(one, one.genotype) for one in cells if one.genotype is not None]
    groups = equal_cells({number: genotype for number, (_, genotype) in enumerate(known)})
    found = [
        FoundTogether(known[group[0]][1], tuple(known[number][0] for number in group))
        for group in groups
    ]
    return sorted(found, key=lambda one: -len(one.cells))


def outcome_values(outcome: SweepOutcome) -> dict[str, Any]:
    """The outcome as plain values, for `sweep.json`."""
    options = outcome.record.options
    return {
        "finished": outcome.finished,
        "judge": outcome.judge,
        "table": options.table,
        "reference": outcome.differences[0].reference if outcome.differences else None,
        "seeds": list(options.seeds),
        "configurations": [_configuration(one, outcome) for one in outcome.configurations.values()],
        "differences": [one.as_dict() for one in outcome.differences],
        "random_search": [
            {"n": one.n, "valid": one.valid, "test": one.test, "deviation": one.deviation}
            for one in outcome.baselines
        ],
        "cells": [
            {
                "cell": cell_words(one.genotype),
                "count": len(one.cells),
                "found_by": [cell.key for cell in one.cells],
                "accuracy": _mean([cell.accuracy for cell in one.cells]),
            }
            for one in outcome.found
        ],
        "failed": {one.key: one.error for one in outcome.failed},
    }


def _configuration(one: ConfigurationOutcome, outcome: SweepOutcome) -> dict[str, Any]:
    known, best, ranks = one.accuracy, one.best_by_validation, outcome.ranks.get(one.label, ())
    return {
        "label": one.label,
        "n": 0 if known is None else known.n,
        "planned": len(one.cells),
        "mean": None if known is None else known.mean,
        "deviation": None if known is None else known.deviation,
        "interval": None if known is None or known.interval is None else known.interval.as_dict(),
        "mean_rank": float(np.mean(ranks)) if ranks else None,
        "valid": one.mean("valid"),
        "regret": one.mean("regret"),
        "random_equivalent": outcome.equivalent(one),
        "best_by_validation": None if best is None else best.accuracy,
        "supernet": one.mean("supernet"),
        "seconds": one.mean("seconds"),
        "memory": max((cell.memory for cell in one.cells if cell.memory), default=None),
        "params": one.mean("params"),
        "macs": one.mean("macs"),
        "skips": one.mean("skips"),
        "warned": sum(bool(cell.warnings) for cell in one.cells),
        "agreement": None if one.agreement is None else one.agreement.as_dict(),
        "searches": [_cell(cell) for cell in one.cells],
    }


def _cell(one: SweptCell) -> dict[str, Any]:
    return {
        "seed": one.seed,
        "status": one.status,
        "epochs": one.epochs,
        "cell": None if one.genotype is None else cell_words(one.genotype),
        "accuracy": one.accuracy,
        "valid": one.valid,
        "rank": one.rank,
        "regret": one.regret,
        "retrained": list(one.retrained),
        "supernet": one.supernet,
        "seconds": one.seconds,
        "memory": one.memory,
        "skips": one.skips,
        "warnings": list(one.warnings),
        "stopped": one.stopped,
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
