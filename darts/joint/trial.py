"""Train one candidate as a trial.

A candidate is scored on held-out training images, never on test images. Nothing is written: the
accuracies go to `report`, and a trial that was interrupted starts again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from darts.joint.options import JointOptions
from darts.joint.problem import Problem
from darts.training.options import training_of
from darts.training.task import TrainingTask
from darts.training.trial import opened_dataset, train_epoch
from darts.trials.attempt import ReportEpoch


@dataclass(frozen=True)
class TrainCandidate:
    """Trains the candidate in the settings of a trial; can be pickled.

    Attributes:
        options: Options that all candidates share.
        problem: Converts a candidate to a network and a recipe.
    """

    options: JointOptions
    problem: Problem

    def __call__(self, settings: dict[str, Any], report: ReportEpoch) -> dict[str, Any]:
        """Train up to epoch `stop` of `epochs`, and return the accuracy after that epoch.

        The schedule is that of `epochs` epochs, so a stopped training is the beginning of a full
        one. A training that diverges is scored at chance level, because its recipe is bad; the
        trial does not fail.
        """
        space = self.problem.space
        candidate = self.problem.candidate(space.genes([settings["candidate"]])[0])
        own = {**candidate.options, "epochs": settings["epochs"], "run_dir": None, "resume": None}
        training = training_of(self.options, **own)
        # Trials are too short to compile the network, unless the options ask for it.
        training = replace(training, compile=training.compile is True)
        task = TrainingTask(training, candidate.model, opened_dataset(training))
        chance = task.dataset.target.chance(task.dataset.num_classes)
        accuracy, diverged = chance, False
        for epoch in range(settings["stop"]):
            if not diverged:
                diverged = train_epoch(task, epoch) is None
                accuracy = chance if diverged else held_out_accuracy(task)
            report({"epoch": epoch + 1, "accuracy": accuracy})
        return {
            "accuracy": accuracy,
            "error": 100 - accuracy,
            "diverged": diverged,
            "validation_images": len(task.dataset.test),
        }


def held_out_accuracy(task: TrainingTask) -> float:
    """Accuracy (%) on the held-out images, with the averaged weights if the recipe has them."""
    task.test()
    scores = task.average_scores or task.scores
    assert scores is not None
    return scores.quality
