"""What is known of each cell of a sweep: how it was found, what it costs, how good it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from darts.nasbench.measured import DATASETS
from darts.nasbench.reading import read_table
from darts.nasbench.table import AccuracyTable
from darts.nasbench.text_files import Wanted
from darts.searching.diagnostics import operation_counts
from darts.searching.options import SearchOptions
from darts.searching.spaces import searched_space
from darts.sweeps.cell_retraining import retraining_key
from darts.sweeps.cells import drawn_cells
from darts.sweeps.directory import SweepRecord
from darts.sweeps.options import CONTROL, SweepOptions
from darts.sweeps.plan import Configuration
from darts.trials.schema import Status
from darts.trials.store import Trial
from genotypes import Genotype, parse_genotype

Judge = Literal["table", "retrain", "supernet"]
"""What a cell's accuracy is: that of the table, of short retrainings, or of its supernet."""


@dataclass(frozen=True, kw_only=True)
class SweptCell:
    """A search of a sweep and its cell, or a random cell.

    Attributes:
        label: Its configuration.
        seed: The seed of the search, or the number of the random cell.
        key: Key of the search's trial.
        status: Of the search; random cells are done.
        error: Why the search failed.
        epochs: Number of reported epochs.
        genotype: The cell; None until the search is done.
        accuracy: The accuracy (%) that judges the cell; None where it is not known.
        valid: Validation accuracy (%) in the table.
        rank: Rank in the table by test accuracy, 1 is best.
        regret: Points of test accuracy that the best cell of the table has more.
        retrained: Accuracies (%) of the retrainings that are done.
        supernet: Accuracy (%) of the supernet on the images that trained the architecture.
        seconds: Duration of the search.
        memory: Its peak memory in bytes.
        params: Parameters of the derived network.
        macs: Multiply-adds of the derived network.
        skips: Skip connections in the normal cell.
        warnings: Warnings of a collapse.
        stopped: Why the search ended early; empty if it did not.
    """

    label: str
    seed: int
    key: str
    status: Status = "done"
    error: str | None = None
    epochs: int = 0
    genotype: Genotype | None = None
    accuracy: float | None = None
    valid: float | None = None
    rank: int | None = None
    regret: float | None = None
    retrained: tuple[float, ...] = ()
    supernet: float | None = None
    seconds: float | None = None
    memory: int | None = None
    params: int | None = None
    macs: int | None = None
    skips: int | None = None
    warnings: tuple[str, ...] = field(default=())
    stopped: str = ""


def judge_of(record: SweepRecord) -> Judge:
    """What judges the cells of a sweep."""
    if record.options.table:
        return "table"
    return "retrain" if record.options.retrain else "supernet"


def read_judging_table(
    options: SweepOptions, searches: Mapping[Configuration, SearchOptions]
) -> AccuracyTable | None:
    """The table that judges the cells, for the images that are searched on; None without one.

    Raises:
        UserError: It cannot be read.
    """
    if options.table is None:
        return None
    dataset = next(iter(searches.values())).dataset
    return read_table(options.table, Wanted(dataset if dataset in DATASETS else ""))


def measured_cells(
    record: SweepRecord,
    searches: Mapping[Configuration, SearchOptions],
    table: AccuracyTable | None,
) -> dict[str, list[SweptCell]]:
    """The cells of each configuration by its label, in the order of seeds; random cells last.

    Args:
        record: The sweep.
        searches: Its configurations.
        table: The table that judges, if there is one.
    """
    found = {one.label: _of_searches(record, one, table) for one in searches}
    if count := record.options.random_cells:
        first = next(iter(searches.values()))
        drawn = drawn_cells(searched_space(first.space), first.nodes, count)
        found[CONTROL] = [
            SweptCell(**_about(record, table, CONTROL, number, genotype, None))
            for number, genotype in enumerate(drawn)
        ]
    return found


def _of_searches(
    record: SweepRecord, one: Configuration, table: AccuracyTable | None
) -> list[SweptCell]:
    cells = []
    for seed in record.options.seeds:
        key = one.key(seed)
        trial = record.trials.get(key)
        if trial is None or trial.result is None:
            status: Status = "pending" if trial is None else trial.status
            error = None if trial is None or trial.error is None else trial.error.splitlines()[-1]
            epochs = 0 if trial is None else len(trial.curve)
            cells.append(
                SweptCell(
                    label=one.label, seed=seed, key=key, status=status, error=error, epochs=epochs
                )
            )
            continue
        genotype = parse_genotype(trial.result["genotype"], key)
        about = _about(
            record, table, one.label, seed, genotype, trial.result["validation_accuracy"]
        )
        cells.append(SweptCell(**about, **_cost(trial)))
    return cells


def _about(
    record: SweepRecord,
    table: AccuracyTable | None,
    label: str,
    seed: int,
    genotype: Genotype,
    supernet: float | None,
) -> dict[str, Any]:
    """What is known of the accuracy of a cell."""
    key = f"{label} {seed}" if label == CONTROL else f"{label} seed {seed}"
    retrained = tuple(_retrained(record, key))
    about = {
        "label": label,
        "seed": seed,
        "key": key,
        "genotype": genotype,
        "retrained": retrained,
        "supernet": supernet,
        "skips": operation_counts(genotype)["normal_skips"],
    }
    if table is not None:
        known = table.lookup(genotype)
        about |= {"valid": known.valid, "rank": known.rank, "regret": known.regret}
        return {**about, "accuracy": known.test}
    if record.options.retrain:
        whole = len(retrained) == record.options.retrain
        return {**about, "accuracy": sum(retrained) / len(retrained) if whole else None}
    return {**about, "accuracy": supernet}


def _retrained(record: SweepRecord, key: str) -> Iterator[float]:
    for number in range(1, record.options.retrain + 1):
        trial = record.trials.get(retraining_key(key, number))
        if trial is not None and trial.result is not None:
            yield trial.result["accuracy"]


def _cost(trial: Trial) -> dict[str, Any]:
    assert trial.result is not None
    result = trial.result
    return {
        "epochs": len(trial.curve),
        "seconds": result["seconds"],
        "memory": result["peak_memory"],
        "params": result["derived"]["params"],
        "macs": result["derived"]["macs"],
        "warnings": tuple(one["text"] for one in result["warnings"]),
        "stopped": result.get("stopped", ""),
    }
