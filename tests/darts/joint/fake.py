"""A fake training that takes no time and may kill its process."""

import os
import signal
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from darts.joint.options import JointOptions
from darts.joint.problem import Problem


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
        if counter := os.environ.get("FAKE_COUNTER"):
            with Path(counter).open("a") as stream:
                stream.write(".")
            if Path(counter).stat().st_size == int(os.environ["FAKE_DEATH"]):
                os.kill(os.getpid(), signal.SIGKILL)
        genes = self.problem.space.genes([settings["candidate"]])
        costs = self.problem.costs(genes)
        noise = np.random.default_rng(zlib.crc32(genes.tobytes()))
        final = 40 + 5 * np.log(costs.macs[0] / 1e6) + noise.random()
        accuracy = 0.0
        for epoch in range(settings["stop"]):
            accuracy = float(final - 20 * noise.random() / (epoch + 1) ** 2)
            report({"epoch": epoch + 1, "accuracy": accuracy})
        return {"accuracy": accuracy, "error": 100 - accuracy, "diverged": False}
