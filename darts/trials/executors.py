"""Run the pending trials of an experiment: in this process, in several, or on a Ray cluster.

Only the driver, the process that calls `run_trials`, writes to the store; workers send it their
measurements. A trial whose attempt was cut off starts from its beginning.
"""

from __future__ import annotations

import os
from functools import partial

from darts.errors import UserError
from darts.runs.interrupt import Interrupted, InterruptGuard
from darts.trials import cluster, processes
from darts.trials.attempt import TrialFunction, attempt
from darts.trials.job import Executor, Job, Resources
from darts.trials.ledger import Ledger
from darts.trials.options import ExecutorName, ExecutorOptions
from darts.trials.progress import TrialProgress
from darts.trials.schema import Status
from darts.trials.store import TrialStore
from darts.trials.tracking import TrialTracking


class TrialsInterrupted(Interrupted):
    """SIGINT or SIGTERM came; running trials are pending again, finished ones are kept."""

    def __init__(self, store: TrialStore) -> None:
        counts = store.counts()
        total = sum(counts.values())
        Exception.__init__(
            self,
            f"Interrupted; {counts['done']} of {total} trials are done and kept in {store.path}. "
            "The same command continues.",
        )
        self.run_dir = str(store.path.parent)


def trial_resources(options: ExecutorOptions, device: str) -> tuple[str, Resources]:
    """The device of each trial, as its own process names it, and the resources of the executor.

    Args:
        options: Which executor, and how much each trial gets.
        device: The device option of the command, such as auto or cuda:1.
    """
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
    """Names of the GPUs that `device` denotes, as in CUDA_VISIBLE_DEVICES."""
    import torch  # Imported here: workers that need no torch start in a tenth of the time.

    from darts.system.device import resolve_device

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
    tracking: TrialTracking | None = None,
) -> dict[Status, int]:
    """Run all pending trials in the order of adding; return the number of trials by status.

    A trial that raises has failed; the others continue.

    Args:
        store: The experiment, opened for writing.
        work: Runs one trial.
        executor: Where trials run.
        resources: What the executor may use.
        title: Name of the experiment in the display.
        objective: Entry of the results that is to be minimised, for the display.
        retries: How often a trial is started again after its worker process died.
        tracking: Records trials that have ended well; runs with directories of their own need none.

    Raises:
        TrialsInterrupted: SIGINT or SIGTERM came.
        UserError: The executor is not available, or its workers do not start.

    >>> import tempfile
    >>> def square(settings, report):
    ...     return {"test_error": settings["x"] ** 2}
    >>> with tempfile.TemporaryDirectory() as folder, TrialStore(f"{folder}/a.sqlite") as store:
    ...     store.add_all({"a": {"x": 1}, "b": {"x": 2}})
    ...     run_trials(store, square)["done"]
    2
    """
    execute = find_executor(executor)
    counts = store.counts()
    failed = counts["failed"]
    progress = TrialProgress(
        title=title, total=sum(counts.values()), done=counts["done"] + failed, failed=failed
    )
    ledger = Ledger(store, progress, objective, retries, tracking)
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
    """Run one trial after the other, in this process."""
    for trial in job.trials:
        if job.guard.requested:
            return
        job.ledger.started(trial.key)
        # An attempt has no state to save: it is safe to interrupt at once.
        job.guard.at_once = True
        try:
            outcome = attempt(job.work, trial.settings, partial(job.ledger.reported, trial.key))
        finally:
            job.guard.at_once = False
        job.ledger.ended(trial.key, outcome)
