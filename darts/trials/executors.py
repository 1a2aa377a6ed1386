"""Run what an experiment still lacks: in this process, in several, or on a Ray cluster.

The driver, which calls `run_trials`, is the only one that writes to the store; workers send it what
they measure. A trial is done from its beginning whenever its attempt was cut off.
"""

from __future__ import annotations

import os
from functools import partial

from darts.errors import UserError
from darts.runs.interrupt import Interrupted, InterruptGuard
from darts.system.device import resolve_device
from darts.trials import cluster, processes
from darts.trials.attempt import TrialFunction, attempt
from darts.trials.job import Executor, Job, Resources
from darts.trials.ledger import Ledger
from darts.trials.options import ExecutorName, TrialOptions
from darts.trials.progress import TrialProgress
from darts.trials.schema import Status
from darts.trials.store import TrialStore


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


def run_trials(
    store: TrialStore,
    work: TrialFunction,
    *,
    executor: ExecutorName = "in-process",
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
    execute = find_executor(executor)
    counts = store.counts()
    failed = counts["failed"]
    progress = TrialProgress(
        title=title, total=sum(counts.values()), done=counts["done"] + failed, failed=failed
    )
    ledger = Ledger(store, progress, objective, retries)
    with InterruptGuard() as guard:
        try:
            with progress:
                execute(
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


def find_executor(name: ExecutorName) -> Executor:
    """The executor of this name.

    Raises:
        UserError: There is none, or a library it needs is not installed.
    """
    if name == "in-process":
        return run_in_process
    if name == "processes":
        return processes.run_in_processes
    if name == "ray":
        cluster.import_ray()
        return cluster.run_on_ray
    raise UserError(f"There is no executor {name!r} (in-process, processes, ray).")


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
