"""Rungs trained as trials of one durable experiment."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from darts.models.registry import describe_model
from darts.scaling.bases import Rung
from darts.settings.options import IntervalOptions, RunOptions, names_of, tagged
from darts.training.options import TrainingOptions
from darts.training.trial import train_trial
from darts.trials.executors import run_trials
from darts.trials.job import Resources
from darts.trials.options import ExecutorName
from darts.trials.store import TrialStore


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Accuracies (%) of one network, a seed each; `failed` trainings have none."""

    accuracies: tuple[float, ...]
    failed: int = 0

    @property
    def mean(self) -> float:
        return statistics.fmean(self.accuracies) if self.accuracies else float("nan")

    @property
    def deviation(self) -> float | None:
        """Standard deviation over seeds; None for fewer than two."""
        return statistics.stdev(self.accuracies) if len(self.accuracies) > 1 else None

    def as_dict(self) -> dict[str, Any]:
        return {
            "accuracy": self.mean if self.accuracies else None,
            "deviation": self.deviation,
            "seeds": len(self.accuracies),
            "failed": self.failed,
            "accuracies": list(self.accuracies),
        }


def rung_key(rung: Rung) -> str:
    """What tells a network apart from all others of an experiment, short enough to read."""
    described = [describe_model(rung.model), dict(rung.settings)]
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
    return f"d{rung.depth}-c{rung.channels}-r{rung.resolution}-{digest[:6]}"


def train_rungs(
    store: TrialStore,
    rungs: Iterable[Rung],
    options: TrainingOptions,
    seeds: Sequence[int],
    *,
    title: str,
    executor: ExecutorName = "in-process",
    resources: Resources | None = None,
) -> dict[str, Measured]:
    """Train every network with every seed, go on where the store ends, and return what came out.

    Equal networks are trained once. A seed draws weights, batches and augmentation; the seed of
    `options` draws subsets of images, the same for all trials.

    Returns:
        By `rung_key`.

    Raises:
        UserError: The store is of another experiment.
        TrialsInterrupted: SIGINT or SIGTERM came.
    """
    # Where and how fast a training runs may change, and a trial has no run directory.
    left_out = {
        *tagged(TrainingOptions, "where"),
        *names_of(RunOptions, IntervalOptions),
        "accumulate",
    }
    common = {name: value for name, value in asdict(options).items() if name not in left_out}
    store.configure({"kind": "scaling", "recipe": common})
    different = {rung_key(rung): rung for rung in rungs}
    # Seed by seed, so that an experiment that is cut short has whole comparisons.
    store.add_all(
        {
            f"{key}-s{seed}": {
                "model": describe_model(rung.model),
                "recipe": dict(rung.settings),
                "seed": seed,
            }
            for seed in seeds
            for key, rung in different.items()
        }
    )
    work = partial(train_trial, options)
    run_trials(store, work, executor=executor, resources=resources, title=title)
    rows = {row.key: row for row in store.rows()}
    measured = {}
    for key in different:
        ended = [rows[f"{key}-s{seed}"] for seed in seeds]
        errors = [row.result["test_error"] for row in ended if row.result is not None]
        accuracies = tuple(100 - error for error in errors)
        measured[key] = Measured(accuracies=accuracies, failed=len(ended) - len(accuracies))
    return measured
