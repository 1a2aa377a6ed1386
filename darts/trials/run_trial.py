"""A run as a trial: it has a run directory, and continues from the checkpoint in it.

Searches (`darts.searching.trial`) and retrainings (`darts.training.run_trial`) are such trials. The
settings are plain values: `run`, the directory relative to that of the study; `seed`; and the other
options, less those that cannot change the result.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from darts.errors import UserError
from darts.run_files import RunFiles
from darts.runs.directory import RunDirectory
from darts.settings.options import IntervalOptions, LoopOptions, RunOptions, names_of, tagged
from darts.settings.used_files import check_same_files, files_in_use
from darts.trials.attempt import ReportEpoch

_Run = TypeVar("_Run", bound=LoopOptions)

# Of the line of an epoch, what its display does without.
_NOT_SHOWN = ("kind", "step", "learning_rate")


def changeable(cls: type[LoopOptions]) -> tuple[str, ...]:
    """The options that may differ from one call of a study to the next.

    They say where and how fast a run computes, and how often it writes.
    """
    return (*tagged(cls, "where"), *names_of(IntervalOptions))


def plain_options(options: LoopOptions) -> dict[str, Any]:
    """The options that decide a run's result, but for the seed, as plain values."""
    left_out = {*changeable(type(options)), *names_of(RunOptions), "seed"}
    plain = {name: value for name, value in asdict(options).items() if name not in left_out}
    return {name: list(v) if isinstance(v, tuple) else v for name, v in plain.items()}


def place_of_runs(options: LoopOptions, device: str) -> dict[str, Any]:
    """The values of the `changeable` options.

    Args:
        options: All settings of a run.
        device: The device, as the process of a trial names it.
    """
    names = changeable(type(options))
    return {**{name: getattr(options, name) for name in names}, "device": device}


def options_of_run(
    cls: type[_Run], plain: Mapping[str, Any], place: Mapping[str, Any], seed: int, path: Path
) -> _Run:
    """The options of a new run in `path`, the inverse of the two functions above."""
    values: dict[str, Any] = {**plain, **place, "seed": seed, "run_dir": str(path)}
    for name, value in values.items():
        if isinstance(value, list):
            values[name] = tuple(value)
    return cls(**values)


def run_of_trial(folder: Path | str, settings: Mapping[str, Any]) -> RunFiles:
    """The run directory of a trial, which lies in the directory of its study.

    >>> run_of_trial("study", {"run": "runs/seed-1"}).path.as_posix()
    'study/runs/seed-1'

    Raises:
        UserError: The trial names another place: its experiment is not the toolkit's own work. What
            is there could be overwritten or removed.
    """
    name = settings["run"]
    place = Path(str(name))
    if not isinstance(name, str) or place.is_absolute() or ".." in place.parts or not place.name:
        raise UserError(
            f"{folder}: a trial names {str(name)[:200]!r} as its run directory, which is outside "
            "of the study: the experiment was changed by something else."
        )
    return RunFiles(Path(folder) / place)


def continued(options: _Run, files: RunFiles) -> _Run:
    """The options with which a run begins or continues; one without checkpoint is removed.

    Raises:
        UserError: The directory is in use, or its run began with other files of `--use`.
    """
    if not files.config.is_file():
        return options
    if not any(file.exists() for file in (files.checkpoint, files.previous_checkpoint)):
        with RunDirectory(files.path).locked():
            shutil.rmtree(files.path)
        return options
    check_same_files(files_in_use(options.use), files)
    return replace(options, run_dir=None, resume=str(files.path))


def check_same_run(
    options: LoopOptions, saved: Mapping[str, Any], files: RunFiles, what: str
) -> None:
    """Check that a directory holds the run that the options describe.

    Args:
        options: All settings of the run; has a `seed`.
        saved: The settings in the directory; see `saved_settings`.
        files: The directory.
        what: Kind of run, for the message.

    Raises:
        UserError: It holds a run with other settings.
    """
    wanted = plain_options(options) | {"seed": asdict(options)["seed"]}
    there = {name: list(v) if isinstance(v, tuple) else v for name, v in saved.items()}
    differing = [
        f"{name} is {there.get(name)} there and {value} now"
        for name, value in wanted.items()
        if there.get(name) != value
    ]
    if differing:
        raise UserError(
            f"{files.path} holds a {what} with other settings: {'; '.join(differing)}. Choose "
            "another directory."
        )


def saved_settings(files: RunFiles) -> dict[str, Any]:
    """The settings that a run has saved.

    Raises:
        UserError: The file is damaged.
    """
    try:
        saved = files.read_config()
    except ValueError as error:
        raise UserError(f"{files.config} is no YAML: {error}") from None
    if not isinstance(saved, dict):
        raise UserError(f"{files.config}: a mapping of settings is needed.")
    return saved


def was_reported(files: RunFiles, report: ReportEpoch) -> bool:
    """Whether the run has ended; its epochs are then reported."""
    if not (files.config.is_file() and files.result.is_file()):
        return False
    for line in files.read_metrics():
        if line.get("kind") == "epoch":
            report(numbers_of_epoch(line))
    return True


def numbers_of_epoch(line: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers in the line of an epoch.

    >>> numbers_of_epoch({"kind": "epoch", "step": 8, "epoch": 0, "train_loss": 1.5})
    {'epoch': 0, 'train_loss': 1.5}
    """
    return {
        name: value
        for name, value in line.items()
        if isinstance(value, (int, float)) and name not in _NOT_SHOWN
    }
