"""Training of rungs as trials of one experiment that can be resumed."""

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
from darts.settings.options import IntervalOptions, RunOptions, names_of, tagged, without_later
from darts.training.options import TrainingOptions
from darts.training.trial import train_trial
from darts.trials.executors import run_trials
from darts.trials.job import Resources
from darts.trials.options import ExecutorName
from darts.trials.store import TrialStore
from darts.trials.tracking import TrialTracking
from darts.trials.used import using_files


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Results of training one network with several seeds.

    Attributes:
        accuracies: Test accuracy in percent, one per successful training.
        failed: Number of trainings that failed.
    """

    accuracies: tuple[float, ...]
    failed: int = 0

    @property
    def mean(self) -> float:
        """Mean accuracy; NaN if every training failed."""
        return statistics.fmean(self.accuracies) if self.accuracies else float("nan")

    @property
    def deviation(self) -> float | None:
        """Standard deviation over seeds; None with fewer than two accuracies."""
        return statistics.stdev(self.accuracies) if len(self.accuracies) > 1 else None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for tables and JSON."""
        return {
            "accuracy": self.mean if self.accuracies else None,
            "deviation": self.deviation,
            "seeds": len(self.accuracies),
            "failed": self.failed,
            "accuracies": list(self.accuracies),
        }


def rung_key(rung: Rung) -> str:
    """A short readable key that identifies a network within an experiment."""
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
    """Train every network with every seed, except for the trials that the store already holds.

    Equal networks are trained once. The seed of a trial determines weights, batches and
    augmentation. The seed of `options` determines subsets of the images, which are the same for
    all trials.

    Returns:
        The results of each network, by `rung_key`.

    Raises:
        UserError: The store belongs to another experiment.
        TrialsInterrupted: The process received SIGINT or SIGTERM.
    """
    # These options may change between runs, because they do not affect the result; and a trial
    # has no run directory.
    left_out = {
        *tagged(TrainingOptions, "where"),
        *names_of(RunOptions, IntervalOptions),
        "accumulate",
    }
    values = without_later(asdict(options), TrainingOptions)
    common = {name: value for name, value in values.items() if name not in left_out}
    store.configure({"kind": "scaling", "recipe": common})
    different = {rung_key(rung): rung for rung in rungs}
    # One seed after the other, so that an interrupted experiment has complete comparisons.
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
    work = using_files(options.use, partial(train_trial, options))
    run_trials(
        store,
        work,
        executor=executor,
        resources=resources,
        title=title,
        tracking=TrialTracking(store.path.parent, options),
    )
    rows = {row.key: row for row in store.rows()}
    measured = {}
    for key in different:
        ended = [rows[f"{key}-s{seed}"] for seed in seeds]
        errors = [row.result["test_error"] for row in ended if row.result is not None]
        accuracies = tuple(100 - error for error in errors)
        measured[key] = Measured(accuracies=accuracies, failed=len(ended) - len(accuracies))
    return measured
