"""A retraining as a trial with a run directory, which continues from the checkpoint in it.

It runs the same task as `evaluate.py` (`darts.training.task`) and returns the result as values.
A training without run directory is in `darts.training.trial`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from darts.files import plain_json
from darts.models.registry import Model, describe_model, model_from_description
from darts.targets.kinds import quality_of
from darts.training.options import TrainingOptions
from darts.training.task import train_network
from darts.trials.attempt import ReportEpoch
from darts.trials.run_trial import (
    check_same_run,
    continued,
    numbers_of_epoch,
    options_of_run,
    plain_options,
    run_of_trial,
    saved_settings,
    was_reported,
)


def settings_of_retraining(options: TrainingOptions, model: Model, run: str) -> dict[str, Any]:
    """The settings of a trial that trains `model` with `options`, as plain values.

    Args:
        options: All settings of the retraining.
        model: Its genotype or config.
        run: Its run directory, relative to the directory of the study.
    """
    return {
        "run": run,
        "seed": options.seed,
        # As text: a store of trials sorts keys, but files of a genotype keep their order.
        "model": json.dumps(describe_model(model)),
        "training": plain_options(options),
    }


def model_of_retraining(settings: Mapping[str, Any]) -> Model:
    """The genotype or config that a trial trains."""
    return model_from_description(plain_json(settings["model"]))


def retraining_trial(
    folder: str, place: Mapping[str, Any], settings: Mapping[str, Any], report: ReportEpoch
) -> dict[str, Any]:
    """Train a network: `partial(retraining_trial, folder, place)` is work for `run_trials`.

    If the trial's run directory has a checkpoint, the training continues from it and ends as if it
    had never stopped, to the last bit on a CPU with the same number of threads. A finished one is
    read.

    Args:
        folder: Directory of the study.
        place: See `darts.trials.run_trial.place_of_runs`.
        settings: See `settings_of_retraining`.
        report: Receives the measurements of each epoch.

    Returns:
        The content of `result.json`: `test_accuracy` or `test_map` (%), `test_loss`, `parameters`,
        `macs`, `seconds` … ; and `test_error` (%).

    Raises:
        UserError: A setting, the data or the run directory is wrong, or the loss diverged.
        Interrupted: SIGINT or SIGTERM came; the checkpoint is written.
    """
    files = run_of_trial(folder, settings)
    options = options_of_run(
        TrainingOptions, settings["training"], place, settings["seed"], files.path
    )
    if files.config.is_file():
        saved = saved_settings(files)
        # A run keeps whether its network is compiled, and the kind of its task.
        options = replace(options, compile=saved.get("compile", options.compile))
        if options.task == "auto":
            options = replace(options, task=saved.get("task", "auto"))
        check_same_run(options, saved, files, "retraining")
    if not was_reported(files, report):
        train_network(
            continued(options, files),
            model_of_retraining(settings),
            report=lambda line: report(numbers_of_epoch(line)),
        )
    result = files.read_result()
    return {**result, "test_error": 100 - quality_of(result, "test")}
