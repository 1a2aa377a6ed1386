"""Trials as tasks of Ray, on this machine or on the many of a cluster.

Ray moves a task whose worker or machine dies to another one. What a trial measured comes with its
outcome, so that nothing but Ray itself has to connect the machines.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from darts.errors import UserError
from darts.trials.attempt import TrialFunction, TrialOutcome, attempt
from darts.trials.job import Job, Resources
from darts.trials.store import Trial

# Seconds between looks at whether an interruption came.
_PATIENCE = 0.5


def run_on_ray(job: Job) -> None:
    """Do the trials on the cluster that RAY_ADDRESS names, or on one that lives as long as this.

    Raises:
        UserError: Ray is not installed, does not start, or no machine has what a trial asks for.
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
    # Retries are the ledger's, so that each attempt is told of and counted.
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
                for measured in curve:
                    ledger.reported(trial.key, measured)
                ledger.ended(trial.key, outcome)
    finally:
        for reference in running:
            ray.cancel(reference, force=True)
        if ours:
            ray.shutdown()


def _attempt(
    work: TrialFunction, settings: dict[str, Any]
) -> tuple[list[Mapping[str, Any]], TrialOutcome]:
    """A task: an attempt, and all that it reported."""
    curve: list[Mapping[str, Any]] = []
    outcome = attempt(work, settings, curve.append)
    return curve, outcome


def _room(ray: Any, resources: Resources) -> int:
    """Trials that the cluster, as large as it is now, takes at the same time."""
    present = ray.cluster_resources()
    asked = {"CPU": resources.cpus_per_trial, "GPU": resources.gpus_per_trial}
    room = min(int(present.get(name, 0) / need + 1e-6) for name, need in asked.items() if need)
    if room < 1:
        raise UserError(
            f"A trial asks for {resources.cpus_per_trial:g} CPUs and "
            f"{resources.gpus_per_trial:g} GPUs; Ray's cluster has {present.get('CPU', 0):g} and "
            f"{present.get('GPU', 0):g}."
        )
    return room


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def import_ray() -> Any:
    """Ray.

    Raises:
        UserError: It is not installed.
    """
    try:
        import ray
    except ImportError:
        raise UserError(
            "The executor ray needs Ray: pip install 'darts-nas[cluster]' (or: pip install ray)."
        ) from None
    return ray
