"""A training as a trial: without run directory or checkpoints; a killed trial starts again.

It runs the same task as a retraining (`darts.training.task`) and returns the result as values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any

from darts.costs.count import count
from darts.data.dataset import Dataset
from darts.data.options import DataOptions
from darts.data.sources import open_dataset
from darts.errors import UserError
from darts.models.registry import Model, model_from_description
from darts.runs.loop import Means
from darts.system.device import resolve_device
from darts.system.threads import restored_threads
from darts.targets.scores import Scores
from darts.training.options import TrainingOptions
from darts.training.task import TrainingTask
from darts.trials.attempt import ReportEpoch


def train_trial(
    options: TrainingOptions, settings: Mapping[str, Any], report: ReportEpoch
) -> dict[str, Any]:
    """Train the network of a trial: `partial(train_trial, options)` is work for `run_trials`.

    Args:
        options: The recipe. Its seed chooses the subsets of images, the same for all trials.
        settings: `model`, a network's description (see `darts.models.registry`); `seed`, which
            determines its initial weights, batches and augmentation; and `recipe`, the options
            that differ in this trial.

    Returns:
        The result of `train_briefly`.

    Raises:
        UserError: A setting or the data are wrong, or the loss diverged.
    """
    own = replace(options, **settings.get("recipe", {}))
    dataset = opened_dataset(own)
    model = model_from_description(settings["model"])
    return train_briefly(replace(own, seed=settings["seed"]), model, dataset, report)


def train_briefly(
    options: TrainingOptions, model: Model, dataset: Dataset, report: ReportEpoch
) -> dict[str, Any]:
    """Train the network of `model` from scratch on `dataset`.

    After each epoch `report` gets `epoch` (from 0), `train_loss` and `train_accuracy` (%), or
    `train_f1` if images have several labels. If a test is due (`options.test_every`), it also gets
    `test_loss`, `test_accuracy` and so on, and `average_test_loss` … for the averaged weights if
    there are any.

    Returns:
        `test_error` (100 % less the accuracy, or less the mean average precision if images have
        several labels), `test_loss`, `train_loss`, all of the last epoch; `test_top5_error` and
        `test_balanced_error` (%) with one label, `test_f1_error` with several;
        `average_test_error` if the weights are averaged; `params`, `macs` and `activations` for
        one image.

    Raises:
        UserError: The network cannot take the images, or the loss diverged.
    """
    # Trials are too short to compile the network, unless the options ask for it.
    options = replace(options, compile=options.compile is True)
    with restored_threads():
        return _trained_briefly(TrainingTask(options, model, dataset), report)


def _trained_briefly(task: TrainingTask, report: ReportEpoch) -> dict[str, Any]:
    for epoch in range(task.epochs):
        means = train_epoch(task, epoch)
        if means is None:
            raise UserError(f"The loss became infinite or not a number in epoch {epoch}.")
        line = {f"train_{name}": value for name, value in means.items()}
        line |= task.test_if_due(epoch)
        if not all(math.isfinite(value) for value in line.values()):
            raise UserError(f"The test loss became infinite or not a number in epoch {epoch}.")
        report({"epoch": epoch, **line})
    assert task.scores is not None
    cost = count(task.network, task.dataset.image_size)
    averaged = {}
    if task.average_scores is not None:
        averaged["average_test_error"] = 100 - task.average_scores.quality
    return {
        "test_error": 100 - task.scores.quality,
        **_further_errors(task.scores),
        **averaged,
        "test_loss": task.scores.loss,
        "train_loss": line["train_loss"],
        "params": cost.params,
        "macs": cost.macs,
        "activations": cost.activations,
    }


def _further_errors(scores: Scores) -> dict[str, float]:
    """Other measures as errors (%), by name."""
    found = scores.as_dict()
    names = {
        "test_top5_error": "top5_accuracy",
        "test_balanced_error": "balanced_accuracy",
        "test_f1_error": "macro_f1",
    }
    return {name: 100 - found[measure] for name, measure in names.items() if measure in found}


def train_epoch(task: TrainingTask, epoch: int) -> dict[str, float] | None:
    """Train one epoch (from 0) without a run directory.

    Returns:
        The means of the steps' scalars, such as `loss` and `accuracy`; None if the training
        diverged: a mean or a weight is infinite or not a number.
    """
    task.begin_epoch(epoch)
    means = Means()
    for _ in range(task.steps_per_epoch):
        means.add(task.step())
    values = means.values()
    finite = all(math.isfinite(value) for value in values.values()) and task.is_finite()
    return values if finite else None


def opened_dataset(options: TrainingOptions, device: str | None = None) -> Dataset:
    """The data set of `options`, opened once per process; the seed chooses its subsets.

    Raises:
        UserError: See `darts.data.sources.open_dataset`.
    """
    names = (field.name for field in fields(DataOptions))
    plain = DataOptions(**{name: getattr(options, name) for name in names})
    return _opened(plain, options.seed, str(resolve_device(device or options.device)))


@lru_cache(maxsize=2)
def _opened(options: DataOptions, seed: int, device: str) -> Dataset:
    return open_dataset(options, seed, device)
