"""Rungs trained as trials of one durable experiment."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from darts.errors import UserError
from darts.models import describe_model, model_from_description
from darts.scaling.bases import Rung
from darts.training.options import TrainingOptions
from darts.training.trainer import TrainingTask, score
from darts.trials.executors import Executor, Resources, run_trials
from darts.trials.store import TrialStore

Report = Callable[[Mapping[str, Any]], None]

# Where and how a training runs; its result does not depend on them.
_ELSEWHERE = ("device", "threads", "run_dir", "resume", "log_every", "checkpoint_every", "workers")


@dataclass(frozen=True)
class TrainRung:
    """Trains the network that a trial's settings describe; picklable.

    Attributes:
        options: What all trainings have in common.
    """

    options: TrainingOptions

    def __call__(self, settings: dict[str, Any], report: Report) -> dict[str, Any]:
        """The accuracy (%) after the last epoch.

        Raises:
            UserError: The loss diverged, or the data or the network do not fit.
        """
        options = replace(self.options, **settings["options"], seed=settings["seed"])
        task = TrainingTask(options, model_from_description(settings["model"]))
        for epoch in range(task.epochs):
            task.begin_epoch(epoch)
            losses = [task.step()["loss"] for _ in range(task.steps_per_epoch)]
            loss = torch.stack(losses).mean().item()
            if not loss < float("inf") or not task.is_finite():
                raise UserError(f"epoch {epoch + 1}: the loss or a weight is not finite")
            report({"epoch": epoch + 1, "train_loss": loss})
        scores = score(
            task.network,
            task.dataset,
            batch_size=options.batch_size,
            device=task.device,
            precision=options.precision,
        )
        return {
            "accuracy": scores.accuracy,
            "test_error": 100 - scores.accuracy,
            "test_images": len(task.dataset.test),
        }


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
    executor: Executor = "in-process",
    resources: Resources | None = None,
) -> dict[str, Measured]:
    """Train every network with every seed, go on where the store ends, and return what came out.

    Equal networks are trained once. The seed draws weights, batches and the images of a subset.

    Returns:
        By `rung_key`.

    Raises:
        UserError: The store is of another experiment.
        TrialsInterrupted: SIGINT or SIGTERM came.
    """
    common = {name: value for name, value in asdict(options).items() if name not in _ELSEWHERE}
    store.configure({"kind": "scaling", "training": common})
    different = {rung_key(rung): rung for rung in rungs}
    # Seed by seed, so that an experiment that is cut short has whole comparisons.
    trials = {
        f"{key}-s{seed}": {
            "model": describe_model(rung.model),
            "options": dict(rung.settings),
            "seed": seed,
        }
        for seed in seeds
        for key, rung in different.items()
    }
    store.add_all(trials)
    run_trials(store, TrainRung(options), executor=executor, resources=resources, title=title)
    rows = {row.key: row for row in store.rows()}
    measured = {}
    for key in different:
        ended = [rows[f"{key}-s{seed}"] for seed in seeds]
        accuracies = tuple(row.result["accuracy"] for row in ended if row.result is not None)
        measured[key] = Measured(accuracies=accuracies, failed=len(ended) - len(accuracies))
    return measured
