"""A search as a trial: it has a run directory, and continues from the checkpoint in it.

It runs the same task as `search.py` (`darts.searching.task`) and returns the result as values.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import yaml

from darts.errors import UserError
from darts.run_files import RunFiles
from darts.runs.directory import RunDirectory
from darts.searching.options import SearchOptions
from darts.searching.task import search_cells
from darts.settings.options import IntervalOptions, RunOptions, names_of, tagged
from darts.settings.used_files import check_same_files, files_in_use
from darts.trials.attempt import ReportEpoch

# Of the line of an epoch, what its display does without.
_NOT_SHOWN = ("kind", "step", "learning_rate")


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
    left_out = {*_changeable(), *names_of(RunOptions), "seed"}
    plain = {name: value for name, value in asdict(options).items() if name not in left_out}
    plain = {name: list(v) if isinstance(v, tuple) else v for name, v in plain.items()}
    return {"run": run, "seed": options.seed, "search": plain}


def place_of_trials(options: SearchOptions, device: str) -> dict[str, Any]:
    """The settings that may differ from one call of a study to the next, as plain values.

    They say where and how fast a search runs, and how often it writes.

    Args:
        options: All settings of a search.
        device: The device, as the process of a trial names it.
    """
    return {**{name: getattr(options, name) for name in _changeable()}, "device": device}


def _changeable() -> tuple[str, ...]:
    return (*tagged(SearchOptions, "where"), *names_of(IntervalOptions))


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
        The content of `result.json`: `genotype`, `validation_accuracy` (%), `seconds`,
        `peak_memory`, `derived` costs, `warnings` … ; and `validation_error` (%).

    Raises:
        UserError: A setting, the data or the run directory is wrong, or the loss diverged.
        Interrupted: SIGINT or SIGTERM came; the checkpoint is written.
    """
    path = Path(folder) / settings["run"]
    options = options_of_trial(settings, place, path)
    files = RunFiles(path)
    if files.config.is_file():
        _check_same_search(options, files)
    if files.config.is_file() and files.result.is_file():
        for line in files.read_metrics():
            if line.get("kind") == "epoch":
                report(_numbers(line))
    else:
        search_cells(_continued(options, files), report=lambda line: report(_numbers(line)))
    result = files.read_result()
    return {**result, "validation_error": 100 - result["validation_accuracy"]}


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
    values: dict[str, Any] = {
        **settings["search"],
        **place,
        "seed": settings["seed"],
        "run_dir": str(path),
    }
    for name, value in values.items():
        if isinstance(value, list):
            values[name] = tuple(value)
    return SearchOptions(**values)


def _continued(options: SearchOptions, files: RunFiles) -> SearchOptions:
    """The options with which a search begins or goes on; one without checkpoint is removed.

    Raises:
        UserError: The directory is in use, or its search began with other files of `--use`.
    """
    if not files.config.is_file():
        return options
    if not any(file.exists() for file in (files.checkpoint, files.previous_checkpoint)):
        with RunDirectory(files.path).locked():
            shutil.rmtree(files.path)
        return options
    check_same_files(files_in_use(options.use), files)
    backend = _saved(files)["backend"]  # A run keeps the back end that was chosen.
    return replace(options, backend=backend, run_dir=None, resume=str(files.path))


def _check_same_search(options: SearchOptions, files: RunFiles) -> None:
    saved = _saved(files)
    wanted = settings_of_trial(options, "")["search"] | {"seed": options.seed}
    if options.backend == "auto":
        wanted["backend"] = saved.get("backend")
    there = {name: list(v) if isinstance(v, tuple) else v for name, v in saved.items()}
    differing = [
        f"{name} is {there.get(name)} there and {value} now"
        for name, value in wanted.items()
        if there.get(name) != value
    ]
    if differing:
        raise UserError(
            f"{files.path} holds a search with other settings: {'; '.join(differing)}. Choose "
            "another directory."
        )


def _saved(files: RunFiles) -> dict[str, Any]:
    try:
        saved = files.read_config()
    except (ValueError, yaml.YAMLError) as error:
        raise UserError(f"{files.config} is no YAML: {error}") from None
    if not isinstance(saved, dict):
        raise UserError(f"{files.config}: a mapping of settings is needed.")
    return saved


def _numbers(line: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers in the line of an epoch."""
    return {
        name: value
        for name, value in line.items()
        if isinstance(value, (int, float)) and name not in _NOT_SHOWN
    }
