"""Trials in several processes of this machine, which share its cores and GPUs.

Workers are spawned, not forked, so that each sets up its own threads and GPU. A worker that dies
loses only its own attempt; another worker replaces it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from darts.errors import UserError
from darts.system.cores import usable_cores
from darts.system.waiting import SHARE_OF_WORKER, waiting_variables
from darts.trials.attempt import TrialFunction, TrialOutcome, attempt
from darts.trials.job import Job
from darts.trials.ledger import Ledger
from darts.trials.store import Trial

# Seconds between checks for an interruption.
_PATIENCE = 0.5
# Seconds that interrupted workers have to finish a step and to write a checkpoint.
_GRACE = 60.0
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def run_in_processes(job: Job) -> None:
    """Run the trials in worker processes: `job.resources.workers`, one per GPU, or one per core.

    Raises:
        UserError: The processes do not start.
    """
    ledger, gpus = job.ledger, job.resources.gpus
    wanted = job.resources.workers or len(gpus) or usable_cores()
    count = min(wanted, len(job.trials))
    queue = deque(job.trials)
    workers: list[_Worker] = []
    try:
        while queue or any(worker.trial for worker in workers):
            if job.guard.requested:
                _interrupt(workers)
                return
            while len(workers) < min(count, len(queue) + sum(bool(w.trial) for w in workers)):
                slot = min(set(range(count)) - {worker.slot for worker in workers})
                workers.append(_Worker(slot, job.work, _variables(slot, wanted, gpus)))
            for worker in workers:
                if queue and worker.ready and worker.trial is None:
                    worker.trial = queue.popleft()
                    ledger.started(worker.trial.key)
                    worker.send(worker.trial.settings)
            by_connection = {worker.connection: worker for worker in workers}
            for connection in wait(list(by_connection), _PATIENCE):
                worker = by_connection[connection]  # type: ignore[index]
                try:
                    kind, value = worker.connection.recv()
                except (EOFError, OSError):
                    workers.remove(worker)
                    _replace_dead(worker, ledger, queue)
                    continue
                if kind == "report":
                    assert worker.trial
                    ledger.reported(worker.trial.key, value)
                    continue
                if isinstance(value, TrialOutcome):
                    assert worker.trial
                    ledger.ended(worker.trial.key, value)
                worker.ready, worker.trial = True, None
    finally:
        for worker in workers:
            worker.end()


class _Worker:
    """A worker process and its current trial."""

    def __init__(self, slot: int, work: TrialFunction, variables: Mapping[str, str]) -> None:
        context = multiprocessing.get_context("spawn")
        self.slot = slot
        self.ready = False
        self.trial: Trial | None = None
        self.connection, theirs = context.Pipe()
        self._process: SpawnProcess = context.Process(
            target=_serve, args=(theirs, work), daemon=False
        )
        with _environment(variables):
            self._process.start()
        # Our copy would keep the pipe open after the worker has ended.
        theirs.close()

    def send(self, settings: Mapping[str, Any]) -> None:
        # Sending fails if the worker has just died; `recv` will notice that.
        with suppress(OSError):
            self.connection.send(dict(settings))

    def reason(self) -> str:
        """Why the process ended."""
        self._process.join(timeout=5)
        code = self._process.exitcode
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            hint = " (out of memory?)" if name == "SIGKILL" else ""
            return f"The worker process was ended by {name}{hint}."
        return f"The worker process ended with exit code {code}."

    def interrupt(self) -> None:
        """Ask the process to end: a run inside the trial writes its checkpoint first."""
        self._process.terminate()

    def join(self, seconds: float) -> None:
        """Wait for the end of the process."""
        self._process.join(max(seconds, 0))

    def end(self) -> None:
        # Safe to kill: what a trial must not lose is in its checkpoint.
        self._process.kill()
        self._process.join()
        self.connection.close()


def _interrupt(workers: Sequence[_Worker]) -> None:
    """End all workers in good order; after `_GRACE` seconds they are killed."""
    for worker in workers:
        worker.interrupt()
    until = time.monotonic() + _GRACE
    for worker in workers:
        worker.join(until - time.monotonic())


def _replace_dead(worker: _Worker, ledger: Ledger, queue: deque[Trial]) -> None:
    """Requeue or fail the trial of a dead worker."""
    reason = worker.reason()
    worker.end()
    if not worker.ready:
        raise UserError(
            f"Worker processes do not start: {reason} Their output is above. In your own script, "
            'start the experiment under `if __name__ == "__main__":`.'
        )
    if worker.trial and ledger.died(worker.trial.key, reason):
        queue.appendleft(worker.trial)


def _serve(connection: Connection, work: TrialFunction) -> None:
    """The worker's loop: receive settings, send reports and an outcome, until the driver ends."""
    # Ctrl-C reaches all processes of a terminal; only the driver handles it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_driver, daemon=True).start()
    connection.send(("ready", None))
    while True:
        settings = connection.recv()
        try:
            outcome = attempt(
                work, settings, lambda measured: connection.send(("report", measured))
            )
        except KeyboardInterrupt:
            return
        connection.send(("outcome", outcome))


def _end_with_driver() -> None:
    # A killed driver cannot end its workers, and nobody waits for their results.
    driver = multiprocessing.parent_process()
    if driver is not None:
        wait([driver.sentinel])
        os._exit(1)


def _variables(slot: int, workers: int, gpus: Sequence[str]) -> dict[str, str]:
    """Environment variables that a worker's libraries read when they are imported."""
    threads = str(max(1, usable_cores() // workers))
    variables = {name: os.environ.get(name, threads) for name in _THREAD_VARIABLES}
    if not any(name in os.environ for name in _THREAD_VARIABLES):
        variables[SHARE_OF_WORKER] = threads  # At most so many; small networks take fewer.
    variables |= waiting_variables(os.environ)
    if gpus:
        variables["CUDA_VISIBLE_DEVICES"] = gpus[slot % len(gpus)]
    return variables


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for processes that are started inside the context."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
