"""Run what an experiment still lacks: in this process, in several, or on a Ray cluster.

The driver, which calls `run_trials`, is the only one that writes to the store; workers send it what
they measure. A trial is done from its beginning whenever its attempt was cut off.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from darts.errors import UserError
from darts.runs.interrupt import Interrupted, InterruptGuard
from darts.system.device import resolve_device
from darts.trials.attempt import Work, attempt
from darts.trials.ledger import Ledger
from darts.trials.options import Executor, TrialOptions
from darts.trials.progress import TrialProgress
from darts.trials.schema import Status
from darts.trials.store import Trial, TrialStore


class TrialsInterrupted(Interrupted):
    """SIGINT or SIGTERM came; trials under way are pending again, all others are kept."""

    def __init__(self, store: TrialStore) -> None:
        counts = store.counts()
        total = sum(counts.values())
        Exception.__init__(
            self,
            f"Interrupted; {counts['done']} of {total} trials are done and kept in {store.path}. "
            "The same command goes on.",
        )
        self.run_dir = str(store.path.parent)


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What an executor may use.

    Attributes:
        workers: Trials at the same time; 0 for as many as there is room for.
        gpus: Names of this machine's GPUs, as CUDA_VISIBLE_DEVICES has them, dealt out to worker
            processes in turn.
        cpus_per_trial: What a Ray task asks for.
        gpus_per_trial: Likewise; a part of 1 shares a GPU.
    """

    workers: int = 0
    gpus: Sequence[str] = ()
    cpus_per_trial: float = 1.0
    gpus_per_trial: float = 0.0


def trial_resources(options: TrialOptions, device: str) -> tuple[str, Resources]:
    """The device of each trial, by the name that its own process has for it, and what is shared."""
    gpus = _gpus(device)
    if options.executor == "processes" and gpus:
        device = "cuda"
    return device, Resources(
        workers=options.parallel,
        gpus=gpus,
        cpus_per_trial=options.cpus_per_trial,
        gpus_per_trial=options.gpus_per_trial,
    )


def _gpus(device: str) -> tuple[str, ...]:
    """Names of the GPUs that `device` stands for, as CUDA_VISIBLE_DEVICES has them."""
    import torch

    if resolve_device(device).type != "cuda":
        return ()
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    present = given.split(",") if given else list(map(str, range(torch.cuda.device_count())))
    _, _, number = device.partition(":")
    return (present[int(number)],) if number else tuple(present)


@dataclass(frozen=True, kw_only=True)
class Job:
    """What an executor is given: trials, how to do one, whom to tell, when to stop, what to use."""

    trials: Sequence[Trial]
    work: Work
    ledger: Ledger
    guard: InterruptGuard
    resources: Resources


Run = Callable[[Job], None]
"""How an executor does a job: tells the ledger all, and returns early once interrupted."""


def run_trials(
    store: TrialStore,
    work: Work,
    *,
    executor: Executor = "in-process",
    resources: Resources | None = None,
    title: str = "trials",
    objective: str = "test_error",
    retries: int = 1,
) -> dict[Status, int]:
    """Do all pending trials, in the order of adding, and return the numbers of trials by status.

    A trial that raises has failed; the others go on.

    >>> with TrialStore(path) as store:  # doctest: +SKIP
    ...     store.add("a", {"seed": 1})
    ...     run_trials(store, work)

    Args:
        objective: Name of the result that is best where it is smallest, for the display.
        retries: How often a trial is begun again after its worker process died.

    Raises:
        TrialsInterrupted: SIGINT or SIGTERM came.
        UserError: The executor is not there, or its workers do not start.
    """
    run = find_executor(executor)
    counts = store.counts()
    failed = counts["failed"]
    progress = TrialProgress(
        title=title, total=sum(counts.values()), done=counts["done"] + failed, failed=failed
    )
    ledger = Ledger(store, progress, objective, retries)
    with InterruptGuard() as guard:
        try:
            with progress:
                run(
                    Job(
                        trials=store.pending(),
                        work=work,
                        ledger=ledger,
                        guard=guard,
                        resources=resources or Resources(),
                    )
                )
        except KeyboardInterrupt:
            guard.requested = True
        finally:
            ledger.release_all()
        if guard.requested and store.counts()["pending"]:
            raise TrialsInterrupted(store)
    return store.counts()


def find_executor(executor: Executor) -> Run:
    """The executor of this name.

    Raises:
        UserError: There is none, or what it needs is not installed.
    """
    if executor == "in-process":
        return run_in_process
    if executor == "processes":
        from darts.trials.processes import run_in_processes

        return run_in_processes
    if executor == "ray":
        from darts.trials.cluster import import_ray, run_on_ray

        import_ray()
        return run_on_ray
    raise UserError(f"There is no executor {executor!r} (in-process, processes, ray).")


def run_in_process(job: Job) -> None:
    """One trial after the other, here."""
    for trial in job.trials:
        if job.guard.requested:
            return
        job.ledger.started(trial.key)
        # An attempt leaves nothing behind that would have to be ended in good order.
        job.guard.at_once = True
        try:
            outcome = attempt(job.work, trial.settings, partial(job.ledger.reported, trial.key))
        finally:
            job.guard.at_once = False
        job.ledger.ended(trial.key, outcome)
