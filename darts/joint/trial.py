"""The training of one candidate: the work of a trial.

A candidate is judged by images that are set aside from the training images, never by test images.
Nothing is written: what was measured goes through `report`, and a trial that was cut off begins
again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch

from darts.joint.options import JointOptions
from darts.joint.problem import Problem
from darts.training.options import TrainingOptions
from darts.training.task import TrainingTask
from darts.training.trial import opened_dataset
from darts.trials.attempt import ReportEpoch


@dataclass(frozen=True)
class TrainCandidate:
    """Trains the candidate that a trial's settings name; picklable.

    Attributes:
        options: What candidates have in common.
        problem: What turns a candidate into a network and a recipe.
    """

    options: JointOptions
    problem: Problem

    def __call__(self, settings: dict[str, Any], report: ReportEpoch) -> dict[str, Any]:
        """Train to epoch `stop` of `epochs`, and return the last epoch's accuracy.

        The schedule is that of `epochs`, so that a stopped training is the beginning of a full one.
        A training that diverges counts as one that guesses: its recipe is bad, not its trial.
        """
        space = self.problem.space
        candidate = self.problem.candidate(space.genes([settings["candidate"]])[0])
        training = training_options(
            self.options,
            {**candidate.options, "epochs": settings["epochs"]},
        )
        # Trials are too short for compiling, unless it is asked for.
        training = replace(training, compile=training.compile is True)
        task = TrainingTask(training, candidate.model, opened_dataset(training))
        chance = 100 / task.dataset.num_classes
        accuracy, diverged = chance, False
        for epoch in range(settings["stop"]):
            if not diverged:
                loss = train_epoch(task, epoch)
                diverged = not (torch.isfinite(loss).item() and task.is_finite())
                accuracy = chance if diverged else judged(task)
            report({"epoch": epoch + 1, "accuracy": accuracy})
        return {
            "accuracy": accuracy,
            "error": 100 - accuracy,
            "diverged": diverged,
            "validation_images": len(task.dataset.test),
        }


def judged(task: TrainingTask) -> float:
    """Accuracy (%) on the set-aside images, of the weights' running mean where there is one."""
    task.test()
    scores = task.average_scores or task.scores
    assert scores is not None
    return scores.accuracy


def train_epoch(task: TrainingTask, epoch: int) -> torch.Tensor:
    """Mean loss of an epoch's steps."""
    task.begin_epoch(epoch)
    losses = [task.step()["loss"] for _ in range(task.steps_per_epoch)]
    return torch.stack(losses).mean()


def training_options(options: JointOptions, changes: Mapping[str, Any]) -> TrainingOptions:
    """A training's share of a search's options, with changes."""
    names = [field.name for field in fields(TrainingOptions)]
    shared = {name: getattr(options, name) for name in names}
    return TrainingOptions(**{**shared, "run_dir": None, "resume": None, **changes})
