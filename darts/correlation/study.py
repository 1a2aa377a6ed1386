"""Run a study from its options to its outcome; finished cells are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from darts.correlation.describing import study_sentences, study_setting
from darts.correlation.judging import JudgeCell
from darts.correlation.options import CorrelationOptions
from darts.correlation.outcome import (
    Correlation,
    OrderAgreement,
    StudiedCell,
    StudiedRun,
    choice,
    order_agreement,
)
from darts.correlation.retraining import truth_training
from darts.correlation.sampling import CellSample, sample_known_cells, sample_space_cells
from darts.correlation.searches import StudiedSearch, open_searches
from darts.errors import UserError
from darts.files import atomic_write
from darts.judging.short_training import ShortTraining
from darts.models.registry import describe_model
from darts.nasbench.reading import read_table
from darts.nasbench.table import AccuracyTable
from darts.report.notebook import Figures, Summarised
from darts.system.randomness import stream_seed
from darts.system.threads import set_threads
from darts.trials.executors import find_executor, run_trials, trial_resources
from darts.trials.schema import TRIALS_FILE
from darts.trials.store import Trial, TrialStore
from darts.trials.used import using_files
from genotypes import Genotype
from genotypes.nasbench201 import all_cells, arch_string, operations_of
from genotypes.nasbench201_cost import StagesSize
from genotypes.published_spaces import NASBENCH201

CORRELATION_FILE = "correlation.json"


@dataclass(frozen=True, repr=False)
class FinishedCorrelation(Summarised):
    """A finished study.

    Attributes:
        correlation: Its outcome.
        path: Its directory.
    """

    correlation: Correlation
    path: Path

    def figures(self) -> Figures:
        """Spearman's correlation of each supernet, and where it is."""
        found = []
        for one in self.correlation.runs:
            rho = one.agreement.all.spearman
            words = "not defined"
            if rho is not None:
                words = f"{rho.middle:.2f} [{rho.low:.2f}, {rho.high:.2f}]"
            found.append((f"Spearman of {one.path}", words))
        return [*found, ("directory", str(self.path))]


def study_correlation(options: CorrelationOptions) -> FinishedCorrelation:
    """Judge the missing cells, correlate, and write `correlation.json`.

    Raises:
        UserError: An option, a run or the table is wrong, or a cell could not be judged.
        TrialsInterrupted: SIGINT or SIGTERM came; finished cells are kept.
    """
    options.check()
    set_threads(options.threads)
    find_executor(options.executor)
    table = None if options.table is None else read_table(options.table)
    searches = open_searches(options)
    sample = _sampled(options, table, searches[0])
    training = None
    if table is None:
        training = truth_training(options, searches[0].options, searches[0].space)
    output = Path(options.output or Path(options.runs[0]) / "correlation")
    rows = _judged(options, output, searches, sample, training)
    cells, kept = _cells(options, sample, table, rows)
    correlation = _outcome(options, searches, sample, cells, kept, rows, table, training)
    with atomic_write(output / CORRELATION_FILE) as stream:
        json.dump(correlation.as_dict(), stream, indent=2, allow_nan=False)
    return FinishedCorrelation(correlation, output)


def _sampled(
    options: CorrelationOptions, table: AccuracyTable | None, first: StudiedSearch
) -> CellSample:
    space = first.space
    if first.of_benchmark and not space.restricted:
        known = range(len(all_cells())) if table is None else _known(table)
        return sample_known_cells(
            known,
            options.count,
            options.seed,
            once_per_class=options.once_per_class,
            connected=options.connected,
        )
    if options.once_per_class or options.connected:
        raise UserError("--once-per-class, --connected: only for cells of nasbench201.")
    return sample_space_cells(space, first.options.nodes, options.count, options.seed)


def _known(table: AccuracyTable) -> list[int]:
    """Numbers of the cells with both accuracies."""
    missing = np.isnan(table.valid) | np.isnan(table.test)
    return [int(number) for number in np.flatnonzero(~missing)]


def _key(run: str, index: int) -> str:
    return f"{run}, cell {index:04d}"


def _retrained_key(index: int, turn: int) -> str:
    return f"retrained, cell {index:04d}, seed {turn}"


def _judged(
    options: CorrelationOptions,
    output: Path,
    searches: Sequence[StudiedSearch],
    sample: CellSample,
    training: ShortTraining | None,
) -> Mapping[str, Trial]:
    """Run all missing trials; return every trial by its key."""
    trials: dict[str, dict[str, Any]] = {}
    for one in searches:
        for index, genotype in enumerate(sample.genotypes):
            model = describe_model(genotype)
            own = {"run": one.path, "checkpoint": one.mark, "number": index}
            trials[_key(one.path, index)] = {**own, **model}
    for turn in range(options.retrainings if training else 0):
        for index, genotype in enumerate(sample.genotypes):
            key = _retrained_key(index, turn)
            seed = stream_seed(options.seed, key)
            trials[key] = {"model": describe_model(genotype), "seed": seed}
    device, resources = trial_resources(options, options.device)
    work = JudgeCell(options.one_shot, training, options.use, device, options.threads)
    output.mkdir(parents=True, exist_ok=True)
    with TrialStore(output / TRIALS_FILE) as store:
        store.configure(_configuration(options, sample, training))
        store.add_all(trials)
        if options.retry_failed:
            store.retry_failed()
        run_trials(
            store,
            using_files(options.use, work),
            executor=options.executor,
            resources=resources,
            title="correlation",
            objective="error",
        )
        return {trial.key: trial for trial in store.rows() if trial.key in trials}


def _configuration(
    options: CorrelationOptions, sample: CellSample, training: ShortTraining | None
) -> dict[str, Any]:
    """What every later call must repeat; runs may be added."""
    return {
        "protocol": asdict(options.one_shot),
        "cells": sample.sentence,
        "seed": options.seed,
        "retraining": None if training is None else training.plain,
    }


def _cells(
    options: CorrelationOptions,
    sample: CellSample,
    table: AccuracyTable | None,
    rows: Mapping[str, Trial],
) -> tuple[list[StudiedCell], list[int]]:
    """The cells with a true accuracy, and their numbers in the sample."""
    cells, kept = [], []
    for index, genotype in enumerate(sample.genotypes):
        cell = (
            _retrained_cell(
                genotype, [rows[_retrained_key(index, turn)] for turn in range(options.retrainings)]
            )
            if table is None
            else _known_cell(genotype, sample.numbers[index], table)
        )
        if cell is not None:
            cells.append(cell)
            kept.append(index)
    if len(cells) < 3:
        error = next((row.error for row in rows.values() if row.error), "") or ""
        raise UserError(
            f"Of {len(sample.genotypes)} cells, {len(cells)} could be retrained; a rank "
            f"correlation needs at least 3. {error.splitlines()[-1] if error else ''}"
        )
    return cells, kept


def _known_cell(genotype: Genotype, number: int, table: AccuracyTable) -> StudiedCell:
    known, operations, size = table.row(number), operations_of(genotype), StagesSize()
    assert known.test is not None
    return StudiedCell(
        known.arch,
        genotype.as_dict(),
        size.parameters(operations),
        size.macs(operations),
        known.test,
        known.valid,
    )


def _retrained_cell(genotype: Genotype, rows: Sequence[Trial]) -> StudiedCell | None:
    """None if a retraining failed."""
    results = [row.result for row in rows if row.result is not None]
    if len(results) < len(rows):
        return None
    accuracies = tuple(float(result["accuracy"]) for result in results)
    return StudiedCell(
        arch_string(genotype) if genotype.rules == NASBENCH201 else genotype.name,
        genotype.as_dict(),
        int(results[0]["params"]),
        int(results[0]["macs"]),
        sum(accuracies) / len(accuracies),
        retrained=accuracies,
    )


def _outcome(
    options: CorrelationOptions,
    searches: Sequence[StudiedSearch],
    sample: CellSample,
    cells: Sequence[StudiedCell],
    kept: Sequence[int],
    rows: Mapping[str, Trial],
    table: AccuracyTable | None,
    training: ShortTraining | None,
) -> Correlation:
    truth = [cell.truth for cell in cells]
    seed = stream_seed(options.seed, "bootstrap")
    runs = []
    for one in searches:
        accuracies = [_one_shot(rows[_key(one.path, index)]) for index in kept]
        chosen = choice(accuracies, truth)
        if table is not None:
            rank = table.row(sample.numbers[kept[chosen.cell]]).rank
            chosen = replace(chosen, table_rank=rank)
        own = one.options
        agreed = order_agreement(accuracies, truth, seed)
        runs.append(
            StudiedRun(
                one.path,
                one.epochs,
                one.planned,
                own.method,
                own.seed,
                tuple(accuracies),
                agreed,
                chosen,
            )
        )
    return Correlation(
        setting=study_setting(options, sample, cells, table, training),
        sentences=study_sentences(options, searches, sample, cells, table, training),
        cells=tuple(cells),
        runs=tuple(runs),
        baselines={
            "parameters": order_agreement([cell.params for cell in cells], truth, seed),
            "multiply-adds": order_agreement([cell.macs for cell in cells], truth, seed),
        },
        ceiling=_ceiling(cells, seed),
        random=max(truth) - sum(truth) / len(truth),
    )


def _ceiling(cells: Sequence[StudiedCell], seed: int) -> OrderAgreement | None:
    """OrderAgreement of two measurements of the truth itself."""
    if len(cells[0].retrained) > 1:
        first, second = ([cell.retrained[turn] for cell in cells] for turn in (0, 1))
        return order_agreement(second, first, seed)
    valid = [cell.valid for cell in cells if cell.valid is not None]
    return order_agreement(valid, [cell.truth for cell in cells], seed) if valid else None


def _one_shot(row: Trial) -> float:
    if row.result is None:
        error = (row.error or "it was not judged").splitlines()[-1]
        raise UserError(f"{row.key}: {error} Repeat the command with --retry-failed.")
    return float(row.result["accuracy"])
