"""What an executor is given: trials, a function that runs one, and what it may use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from darts.runs.interrupt import InterruptGuard
from darts.trials.attempt import TrialFunction
from darts.trials.ledger import Ledger
from darts.trials.store import Trial


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What an executor may use.

    Attributes:
        workers: Number of trials that run at the same time; 0: as many as fit.
        gpus: Names of this machine's GPUs as in CUDA_VISIBLE_DEVICES; worker processes get them in
            turn.
        cpus_per_trial: CPUs that each Ray task requests.
        gpus_per_trial: GPUs that each Ray task requests; below 1, tasks share a GPU.
    """

    workers: int = 0
    gpus: Sequence[str] = ()
    cpus_per_trial: float = 1.0
    gpus_per_trial: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Job:
    """One call of an executor.

    Attributes:
        trials: The trials to run, in this order.
        work: Runs one trial.
        ledger: Is told of every start, report and end.
        guard: Its `requested` becomes True when the user asks to stop.
        resources: What the executor may use.
    """

    trials: Sequence[Trial]
    work: TrialFunction
    ledger: Ledger
    guard: InterruptGuard
    resources: Resources


Executor = Callable[[Job], None]
"""Runs the trials of a job and reports to its ledger; returns early once interrupted."""
