"""Run a sweep: every search is a trial, and so is every retraining of a found cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from darts.errors import UserError
from darts.files import user_path
from darts.judging.short_training import ShortTraining
from darts.searching.fitting import fit_search
from darts.searching.options import SearchOptions
from darts.searching.spaces import searched_space
from darts.searching.trial import place_of_trials, search_trial, settings_of_trial
from darts.settings.options import IntervalOptions, names_of, tagged
from darts.sweeps.cell_retraining import (
    planned_retraining,
    retraining_key,
    retraining_seed,
    retraining_settings,
)
from darts.sweeps.cells import drawn_cells
from darts.sweeps.differences import check_reference
from darts.sweeps.directory import write_plan
from darts.sweeps.measure import read_judging_table
from darts.sweeps.options import CONTROL, SweepOptions
from darts.sweeps.plan import Configuration, planned_searches
from darts.trials.attempt import ReportEpoch
from darts.trials.executors import find_executor, run_trials, trial_resources
from darts.trials.schema import TRIALS_FILE, Status
from darts.trials.store import TrialStore
from darts.trials.used import using_files
from genotypes import Genotype, parse_genotype
from genotypes.published_spaces import NASBENCH201

Searches = Mapping[Configuration, SearchOptions]


def search_missing(options: SweepOptions) -> dict[Status, int]:
    """Run what the sweep in `options.out` still lacks.

    Seeds come first: all configurations with the first seed, then all with the second. So a sweep
    that is stopped early has compared all of them.

    Returns:
        Number of trials by status.

    Raises:
        UserError: A setting, the table or the data are wrong, `options.out` holds another
            experiment or is in use, or the executor does not start.
        TrialsInterrupted: SIGINT or SIGTERM came; the same call continues.
    """
    searches = planned_searches(options, fit_search)
    check_judge(options, searches)
    find_executor(options.executor)
    first = next(iter(searches.values()))
    training = planned_retraining(options, first) if options.retrain else None
    with TrialStore(Path(options.out) / TRIALS_FILE) as store:
        store.configure(_common(options, first))
        store.add_all(
            {
                one.key(seed): settings_of_trial(replace(search, seed=seed), one.run(seed))
                for seed in options.seeds
                for one, search in searches.items()
            }
        )
        write_plan(options)
        if options.retry_failed:
            store.retry_failed()
        _run(store, options, first, training, "validation_error")
        if training is not None:
            cells = [*_found(store, options, searches), *_random(options, first)]
            numbers = range(1, options.retrain + 1)
            store.add_all(
                {
                    retraining_key(key, number): retraining_settings(
                        training, cell, retraining_seed(seed, number)
                    )
                    for number in numbers
                    for key, seed, cell in cells
                }
            )
            _run(store, options, first, training, "error")
        return store.counts()


def check_judge(options: SweepOptions, searches: Searches) -> None:
    """Check what judges the cells, and with what they are compared.

    Raises:
        UserError: The table cannot be read, or the searched cells are not in it; random cells
            have no single space; or the reference is no configuration.
    """
    labels = [*(one.label for one in searches), *([CONTROL] if options.random_cells else [])]
    check_reference(labels, options.reference)
    spaces = {searched_space(search.space).name for search in searches.values()}
    if options.table is not None:
        read_judging_table(options, searches)
        if foreign := sorted(spaces - {NASBENCH201.name}):
            raise UserError(
                f"--table {options.table}: it knows cells of {NASBENCH201.name}, not of "
                f"{foreign[0]}. Add --space {NASBENCH201.name}, or leave the table out."
            )
    if options.random_cells and len(spaces) > 1:
        raise UserError("--random-cells: the searches have several spaces; leave it out.")


def sweep_trial(
    folder: str,
    place: Mapping[str, Any],
    training: ShortTraining | None,
    settings: Mapping[str, Any],
    report: ReportEpoch,
) -> dict[str, Any]:
    """A trial of a sweep: a search, or a retraining if the settings have a `model`.

    Args:
        folder: Directory of the sweep.
        place: Where and how fast a search runs.
        training: How cells are retrained; needed only for retrainings.
        settings: Of the trial.
        report: Receives the measurements of each epoch.
    """
    if "search" in settings:
        return search_trial(folder, place, settings, report)
    if training is None:
        raise UserError("This is a retraining: repeat the command with --retrain.")
    return training(settings, report)


def _common(options: SweepOptions, first: SearchOptions) -> dict[str, Any]:
    """The settings that all searches share, which no later call may change."""
    changeable = {*tagged(SearchOptions, "where"), *names_of(IntervalOptions)}
    given = {name: value for name, value in options.settings.items() if name not in changeable}
    return {"dataset": first.dataset, "preset": first.preset, **given}


def _run(
    store: TrialStore,
    options: SweepOptions,
    search: SearchOptions,
    training: ShortTraining | None,
    objective: str,
) -> None:
    device, resources = trial_resources(options, search.device)
    placed = training
    if training is not None:
        placed = replace(training, recipe=replace(training.recipe, device=device))
    folder = str(Path(options.out).resolve())  # Workers may have another working directory.
    # A search shows what the table knows of the cell of each epoch.
    table = None if options.table is None else str(user_path(options.table).resolve())
    place = {**place_of_trials(search, device), "table": table}
    work = partial(sweep_trial, folder, place, placed)
    run_trials(
        store,
        using_files(search.use, work),
        executor=options.executor,
        resources=resources,
        title="sweep",
        objective=objective,
    )


def _found(
    store: TrialStore, options: SweepOptions, searches: Searches
) -> Iterator[tuple[str, int, Genotype]]:
    """Key, seed and cell of each finished search."""
    trials = {trial.key: trial for trial in store.rows()}
    for seed in options.seeds:
        for one in searches:
            result = trials[one.key(seed)].result
            if result is not None:
                yield one.key(seed), seed, parse_genotype(result["genotype"], one.key(seed))


def _random(options: SweepOptions, search: SearchOptions) -> Sequence[tuple[str, int, Genotype]]:
    cells = drawn_cells(searched_space(search.space), search.nodes, options.random_cells)
    return [(f"{CONTROL} {number}", number, cell) for number, cell in enumerate(cells)]
