"""Judge the cells of searches by a table, beside what random cells achieve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from darts.nasbench.baseline import RandomBaseline, RandomSearch
from darts.nasbench.found import FoundCell, find_cells
from darts.nasbench.table import AccuracyTable
from darts.statistics.estimates import Estimate, estimate
from darts.statistics.interval import Interval

SIZES = (1, 3, 100)
"""Numbers of random cells that are always shown."""

_RARE, _USUAL = 0.05, 0.5


@dataclass(frozen=True)
class MethodResult:
    """The searches of one method with equal settings, which differ in their seeds.

    Attributes:
        method: Name of the method; with the settings that tell it from other searches of the same
            method, such as `pc-darts k=2`.
        runs: The searches.
        valid: Mean validation accuracy (%) of their cells.
        test: Mean test accuracy.
        best: The search whose cell has the best validation accuracy.
        random: Random search with as many trained cells as there are searches.
        chance: Probability that this random search ends in a cell at least as good as `best`.
        equivalent: Random cells that must be trained to expect the test accuracy of `best`; None
            if not even all cells suffice.
        differing: Settings, besides the seed, in which the searches differ.
    """

    method: str
    runs: tuple[FoundCell, ...]
    valid: Estimate
    test: Estimate
    best: FoundCell
    random: RandomBaseline
    chance: float
    equivalent: int | None

    @property
    def sentence(self) -> str:
        """The result in plain words."""
        n, best = len(self.runs), self.best.cell.test
        found = f"{self.method}: one search found a cell of {best:.2f} % test accuracy"
        if n > 1:
            found = f"{self.method}: {n} searches found cells of {self.test.mean:.2f} %"
            if (interval := self.test.interval) is not None:
                found += f" (95 % interval {interval_words(interval)})"
            found += f" test accuracy on average; the best of them by validation has {best:.2f} %"
        cells = (
            "One random cell has" if n == 1 else f"The best by validation of {n} random cells has"
        )
        share = f"{100 * self.chance:.1f} %" if self.chance >= 5e-4 else "less than 0.1 %"
        return (
            f"{found}. {cells} {self.random.test:.2f} % on average, and is at least as good in "
            f"{share} of cases: {self._verdict}."
        )

    @property
    def _verdict(self) -> str:
        if self.chance < _RARE:
            return "this is better than chance would give"
        if self.chance < _USUAL:
            return "this may still be chance"
        return "this is no better than random search"


@dataclass(frozen=True)
class CellJudgement:
    """Cells looked up in a table, summarised by method, beside random search.

    Attributes:
        table: The known accuracies.
        cells: What was asked for.
        methods: By method, its searches.
        baselines: Random search for several numbers of trained cells; none if the table lacks
            validation or test accuracies.
    """

    table: AccuracyTable
    cells: tuple[FoundCell, ...]
    methods: tuple[MethodResult, ...]
    baselines: tuple[RandomBaseline, ...]

    @property
    def notes(self) -> list[str]:
        """Everything a user should know about the table and the runs."""
        return [
            *self.table.notes,
            *(note for found in self.cells for note in found.notes),
        ]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        table = self.table
        return {
            "dataset": table.dataset,
            "table": str(table.path),
            "form": table.form,
            "known_cells": table.known,
            "best_test": table.best_test if table.known else None,
            "valid_protocol": table.valid_protocol,
            "test_protocol": table.test_protocol,
            "notes": self.notes,
            "cells": [_plain_cell(found) for found in self.cells],
            "methods": [_plain_method(one) for one in self.methods],
            "random": [asdict(one) for one in self.baselines],
        }


def interval_words(interval: Interval) -> str:
    """The bounds of an interval of accuracies, which lie between 0 and 100 %.

    >>> interval_words(Interval(81.5, 92.0, 102.5))
    '81.50 to 100.00'
    """
    return f"{max(interval.low, 0):.2f} to {min(interval.high, 100):.2f}"


def judge_cells(table: AccuracyTable, names: Sequence[str]) -> CellJudgement:
    """Look cells and runs up, and summarise the searches of each method.

    Args:
        table: The known accuracies.
        names: See `find_cells`.

    Raises:
        UserError: A directory holds no run of NAS-Bench-201's cells.
        GenotypeError: There is no such cell, or it belongs to another space.
    """
    cells = tuple(find_cells(names, table))
    random = RandomSearch(table)
    known = [
        one
        for one in cells
        if one.method and one.finished and None not in (one.cell.test, one.cell.valid)
    ]
    groups: dict[str, list[FoundCell]] = {}
    for found in known:
        groups.setdefault(_name(found, known), []).append(found)
    methods = []
    sizes = {*SIZES, *map(len, groups.values())}
    for method, runs in groups.items():
        if len(runs) <= random.count:
            methods.append(_method_result(method, runs, random))
    return CellJudgement(table, cells, tuple(methods), tuple(random.baselines(sorted(sizes))))


def _name(found: FoundCell, others: Sequence[FoundCell]) -> str:
    """The method, with the settings in which not all searches of the method agree."""
    same = [one for one in others if one.method == found.method]
    names = {name: None for one in same for name in one.settings}
    differing = [name for name in names if len({repr(one.settings.get(name)) for one in same}) > 1]
    return " ".join([found.method, *(f"{name}={found.settings.get(name)}" for name in differing)])


def _method_result(method: str, runs: list[FoundCell], random: RandomSearch) -> MethodResult:
    valid = [found.cell.valid or 0.0 for found in runs]
    test = [found.cell.test or 0.0 for found in runs]
    best = max(range(len(runs)), key=valid.__getitem__)
    return MethodResult(
        method=method,
        runs=tuple(runs),
        valid=estimate(valid),
        test=estimate(test),
        best=runs[best],
        random=random(len(runs)),
        chance=random.chance(len(runs), test[best]),
        equivalent=random.equivalent(test[best]),
    )


def _plain_cell(found: FoundCell) -> dict[str, Any]:
    plain = {**asdict(found.cell), "source": found.source}
    if not found.trajectory and not found.method:
        return plain
    steps = [{"epoch": epoch, **asdict(cell)} for epoch, cell in found.trajectory.items()]
    return {**plain, "method": found.method, "seed": found.seed, "trajectory": steps}


def _plain_method(one: MethodResult) -> dict[str, Any]:
    return {
        "method": one.method,
        "runs": len(one.runs),
        "valid": asdict(one.valid),
        "test": asdict(one.test),
        "best_by_validation": {**asdict(one.best.cell), "source": one.best.source},
        "random": asdict(one.random),
        "chance": one.chance,
        "equivalent_random_cells": one.equivalent,
        "sentence": one.sentence,
    }
