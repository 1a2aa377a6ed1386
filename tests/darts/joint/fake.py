"""A fake training that takes no time and may kill its process."""

import os
import signal
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from darts.errors import UserError
from darts.joint.options import JointOptions
from darts.joint.problem import Problem
from darts.training.options import TrainingOptions


@dataclass(frozen=True)
class InstantTraining:
    """Replaces `TrainCandidate`: the accuracies are a function of the candidate.

    If the environment variable FAKE_COUNTER names a file, each training appends a byte to it. The
    training that brings its size to FAKE_DEATH kills the process.
    """

    options: JointOptions
    problem: Problem

    def __call__(
        self, settings: dict[str, Any], report: Callable[[Mapping[str, Any]], None]
    ) -> dict[str, Any]:
        _count_and_die()
        genes = self.problem.space.genes([settings["candidate"]])
        costs = self.problem.costs(genes)
        noise = np.random.default_rng(zlib.crc32(genes.tobytes()))
        final = 40 + 5 * np.log(costs.macs[0] / 1e6) + noise.random()
        accuracy = 0.0
        for epoch in range(settings["stop"]):
            accuracy = float(final - 20 * noise.random() / (epoch + 1) ** 2)
            report({"epoch": epoch + 1, "accuracy": accuracy})
        return {"accuracy": accuracy, "error": 100 - accuracy, "diverged": False}


def instant_trial(
    options: TrainingOptions,
    settings: Mapping[str, Any],
    report: Callable[[Mapping[str, Any]], None],
) -> dict[str, Any]:
    """Replaces `train_trial`: the errors follow from the learning rate, the teacher and the seed.

    A learning rate above 100 fails. Averaged weights are half a point better.
    """
    _count_and_die()
    own = replace(options, **settings["recipe"])
    if own.learning_rate > 100:
        raise UserError("The loss became infinite.")
    error = 50 + 10 * own.learning_rate + settings["seed"] - 2 * (own.teacher is not None)
    report({"epoch": 0, "train_loss": 1.0})
    averaged = {"average_test_error": error - 0.5} if own.ema or own.ema_share else {}
    return {"test_error": error, **averaged, "params": 1000, "macs": 2000}


def _count_and_die() -> None:
    if counter := os.environ.get("FAKE_COUNTER"):
        with Path(counter).open("a") as stream:
            stream.write(".")
        if Path(counter).stat().st_size == int(os.environ["FAKE_DEATH"]):
            os.kill(os.getpid(), signal.SIGKILL)
