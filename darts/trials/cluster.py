"""Trials as Ray tasks, on this machine or on a cluster.

A task whose worker or machine dies is submitted again. The measurements of a trial come with its
outcome, so that the machines need no connection other than Ray.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from darts.errors import UserError
from darts.trials.attempt import TrialFunction, TrialOutcome, attempt
from darts.trials.job import Job, Resources
from darts.trials.store import Trial

# Seconds between checks for an interruption.
_PATIENCE = 0.5


def run_on_ray(job: Job) -> None:
    """Run the trials on the cluster at RAY_ADDRESS, or on a local one that ends with the job.

    Raises:
        UserError: Ray is not installed or does not start, or the cluster lacks the CPUs or GPUs
            that a trial requests.
    """
    ledger, resources = job.ledger, job.resources
    ray = import_ray()
    ours = not ray.is_initialized()
    if ours:
        try:
            ray.init(configure_logging=False, log_to_driver=False, include_dashboard=False)
        except Exception as error:
            raise UserError(f"Ray does not start: {error}") from None
    queue = deque(job.trials)
    running: dict[Any, Trial] = {}
    # The ledger decides about retries, so that each attempt is shown and counted.
    task = ray.remote(
        num_cpus=resources.cpus_per_trial, num_gpus=resources.gpus_per_trial, max_retries=0
    )(_attempt)
    try:
        while queue or running:
            if job.guard.requested:
                return
            while queue and len(running) < (resources.workers or _room(ray, resources)):
                trial = queue.popleft()
                ledger.started(trial.key)
                running[task.remote(job.work, dict(trial.settings))] = trial
            ended, _ = ray.wait(list(running), timeout=_PATIENCE)
            for reference in ended:
                trial = running.pop(reference)
                try:
                    curve, outcome = ray.get(reference)
                except ray.exceptions.RayError as error:
                    if ledger.died(trial.key, f"Ray: {_first_line(error)}"):
                        queue.appendleft(trial)
                    continue
                ledger.reported(trial.key, *curve)
                ledger.ended(trial.key, outcome)
    finally:
        for reference in running:
            ray.cancel(reference, force=True)
        if ours:
            ray.shutdown()


def _attempt(
    work: TrialFunction, settings: dict[str, Any]
) -> tuple[list[Mapping[str, Any]], TrialOutcome]:
    """The Ray task: an attempt, and everything that it reported."""
    curve: list[Mapping[str, Any]] = []
    outcome = attempt(work, settings, curve.append)
    return curve, outcome


def _room(ray: Any, resources: Resources) -> int:
    """Number of trials that fit on the cluster at the same time, at its current size."""
    present = ray.cluster_resources()
    asked = {"CPU": resources.cpus_per_trial, "GPU": resources.gpus_per_trial}
    room = min(int(present.get(name, 0) / need + 1e-6) for name, need in asked.items() if need)
    if room < 1:
        raise UserError(
            f"A trial requests {resources.cpus_per_trial:g} CPUs and "
            f"{resources.gpus_per_trial:g} GPUs; the Ray cluster has {present.get('CPU', 0):g} and "
            f"{present.get('GPU', 0):g}. Lower --cpus-per-trial or --gpus-per-trial."
        )
    return room


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def import_ray() -> Any:
    """Return the module `ray`.

    Raises:
        UserError: It is not installed.
    """
    try:
        import ray
    except ImportError:
        raise UserError("The executor ray needs Ray: pip install ray.") from None
    return ray
