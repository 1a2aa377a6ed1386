"""A search as a trial: it has a run directory, and continues from the checkpoint in it.

It runs the same task as `search.py` (`darts.searching.task`) and returns the result as values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from darts.run_files import RunFiles
from darts.searching.options import SearchOptions
from darts.searching.task import search_cells
from darts.targets.kinds import quality_of
from darts.trials.attempt import ReportEpoch
from darts.trials.run_trial import (
    check_same_run,
    continued,
    numbers_of_epoch,
    options_of_run,
    place_of_runs,
    plain_options,
    run_of_trial,
    saved_settings,
    was_reported,
)


def settings_of_trial(options: SearchOptions, run: str) -> dict[str, Any]:
    """The settings of a trial that searches with `options`, as plain values.

    What cannot change the result is left out; see `place_of_trials`.

    >>> settings = settings_of_trial(SearchOptions(seed=3), "runs/first")
    >>> settings["run"], settings["seed"], settings["search"]["method"], settings["search"]["k"]
    ('runs/first', 3, 'pc-darts', 4)

    Args:
        options: All settings of the search.
        run: Its run directory, relative to the directory of the study.
    """
    return {"run": run, "seed": options.seed, "search": plain_options(options)}


def place_of_trials(options: SearchOptions, device: str) -> dict[str, Any]:
    """The settings that may differ from one call of a study to the next, as plain values.

    They say where and how fast a search runs, and how often it writes.

    Args:
        options: All settings of a search.
        device: The device, as the process of a trial names it.
    """
    return place_of_runs(options, device)


def search_trial(
    folder: str, place: Mapping[str, Any], settings: Mapping[str, Any], report: ReportEpoch
) -> dict[str, Any]:
    """Search the cell of a trial: `partial(search_trial, folder, place)` is work for `run_trials`.

    If the trial's run directory has a checkpoint, the search continues from it and ends as if it
    had never stopped, to the last bit on a CPU with the same number of threads. A search that
    stopped before its first checkpoint starts again. A finished search is read.

    After each epoch `report` gets the numbers of its line in `metrics.jsonl`: `epoch` (from 0),
    `train_loss`, `train_accuracy`, `supernet_accuracy`, `normal_skips` …

    Args:
        folder: Directory of the study.
        place: See `place_of_trials`.
        settings: See `settings_of_trial`.
        report: Receives the measurements of each epoch.

    Returns:
        The content of `result.json`: `genotype`, `seconds`, `peak_memory`, `derived` costs,
        `warnings` … ; `validation_accuracy`, the main measure (%), which is the mean average
        precision if images have several labels; and `validation_error` (%), what it lacks to 100.

    Raises:
        UserError: A setting, the data or the run directory is wrong, or the loss diverged.
        Interrupted: SIGINT or SIGTERM came; the checkpoint is written.
    """
    files = run_of_trial(folder, settings)
    options = options_of_trial(settings, place, files.path)
    if files.config.is_file():
        _check_same_search(options, files)
    if not was_reported(files, report):
        search_cells(_continued(options, files), report=lambda line: report(numbers_of_epoch(line)))
    result = files.read_result()
    quality = quality_of(result, "validation")
    return {**result, "validation_accuracy": quality, "validation_error": 100 - quality}


def options_of_trial(
    settings: Mapping[str, Any], place: Mapping[str, Any], path: Path
) -> SearchOptions:
    """The options of a new search in `path`, the inverse of the two functions above.

    >>> options = SearchOptions(seed=3, k=2)
    >>> settings, place = settings_of_trial(options, "run"), place_of_trials(options, "cpu")
    >>> options_of_trial(settings, place, Path("run")) == replace(
    ...     options, device="cpu", run_dir="run"
    ... )
    True
    """
    return options_of_run(SearchOptions, settings["search"], place, settings["seed"], path)


def _continued(options: SearchOptions, files: RunFiles) -> SearchOptions:
    """The options with which a search begins or continues, on the back end that it chose."""
    found = continued(options, files)
    if found.resume is None:
        return found
    return replace(found, backend=saved_settings(files)["backend"])


def _check_same_search(options: SearchOptions, files: RunFiles) -> None:
    saved = saved_settings(files)
    for name in ("backend", "task"):  # A run keeps what "auto" became.
        if getattr(options, name) == "auto":
            options = replace(options, **{name: saved.get(name, "auto")})
    check_same_run(options, saved, files, "search")
