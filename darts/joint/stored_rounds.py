"""Train the rounds of a search as trials in a store."""

from __future__ import annotations

import math

from darts.errors import UserError
from darts.joint.directory import trained_of
from darts.joint.iterate import TrainedCandidates
from darts.joint.options import JointOptions
from darts.joint.problem import Problem
from darts.joint.trial import TrainCandidate
from darts.joint.variables import Floats
from darts.trials.executors import run_trials
from darts.trials.job import Resources
from darts.trials.store import Trial, TrialStore
from darts.trials.tracking import TrialTracking
from darts.trials.used import using_files


class StoredRounds:
    """Trains a round as trials of a store; a `TrainRound` for `iterate`.

    A round that the store already contains keeps its candidates, and trials that are done are not
    trained again.

    Args:
        store: The store of the search.
        problem: The space and its networks.
        options: Options of the search.
    """

    def __init__(self, store: TrialStore, problem: Problem, options: JointOptions) -> None:
        self.store, self.problem, self.options = store, problem, options

    def __call__(
        self, number: int, genes: Floats, predicted: Floats, epochs: int
    ) -> TrainedCandidates:
        options = self.options
        if not self._trials(number):
            rows = self.problem.space.rows(genes)
            self.store.add_all(
                {
                    f"{number}-{index:03d}": {
                        "round": number,
                        "candidate": row,
                        "predicted": None if math.isnan(guess) else guess,
                        "epochs": options.epochs,
                        "stop": epochs,
                        "seed": options.seed,
                    }
                    for index, (row, guess) in enumerate(zip(rows, predicted.tolist(), strict=True))
                }
            )
        # A resumed search has the pending trials of a later round already.
        latest = max(trial.settings["round"] for trial in self.store.rows())
        run_trials(
            self.store,
            using_files(options.use, TrainCandidate(options, self.problem)),
            executor=options.executor,
            resources=Resources(workers=options.parallel, gpus_per_trial=options.gpus_per_trial),
            title=f"round {latest + 1} of {options.rounds}",
            objective="error",
            tracking=TrialTracking(self.store.path.parent, options),
        )
        trials = self._trials(number)
        if all(trial.status == "failed" for trial in trials):
            error = (trials[0].error or "").strip().splitlines()[-1:]
            raise UserError(
                f"All {len(trials)} trainings of round {number + 1} failed. The error of the first "
                f"one: {''.join(error)}"
            )
        return trained_of(self.problem.space, trials)

    def _trials(self, number: int) -> list[Trial]:
        return [trial for trial in self.store.rows() if trial.settings["round"] == number]
