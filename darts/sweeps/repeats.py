"""One network trained with several seeds: mean and deviation of what its runs ended with.

The directory has a complete run directory for each training in `seeds/SEED`, equal to that of
`evaluate.py --seed SEED`. Trainings are durable trials: a killed run continues.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from darts.data.transforms import training_transform
from darts.errors import UserError
from darts.report.draw import draw_genotype
from darts.report.formatting import duration
from darts.report.notebook import Figures, Summarised
from darts.report.page import write_report
from darts.report.record import REPEATS_ENTRY
from darts.report.tables import Row
from darts.run_files import RunFiles
from darts.runs.directory import RunDirectory
from darts.runs.interrupt import Interrupted
from darts.settings.used_files import check_same_files, files_in_use, keep_files
from darts.statistics.estimates import Estimate, estimate
from darts.sweeps.repeat_options import ManyTrainingOptions
from darts.sweeps.seed_trials import run_of, search_key
from darts.targets.kinds import target_of_scores
from darts.targets.single import BEST
from darts.targets.target import LearningTask
from darts.training.choice import TrainingPlan, plan_training
from darts.training.options import check_recipe
from darts.training.run_trial import (
    model_of_retraining,
    retraining_trial,
    settings_of_retraining,
)
from darts.training.trial import opened_dataset
from darts.trials.executors import TrialsInterrupted, run_trials, trial_resources
from darts.trials.run_trial import place_of_runs
from darts.trials.schema import TRIALS_FILE
from darts.trials.store import Trial, TrialStore
from darts.trials.used import using_files
from genotypes import Genotype, save_genotype

# What is averaged, and its name in tables.
_MEASURES = {
    "test_accuracy": "test accuracy (%)",
    "test_balanced_accuracy": "balanced accuracy (%)",
    "test_map": "test mAP (%)",
    "test_top5_accuracy": "top-5 accuracy (%)",
    "test_loss": "test loss",
    "average_test_accuracy": "test accuracy (%), mean weights",
    "average_test_balanced_accuracy": "balanced accuracy (%), mean weights",
    "average_test_top5_accuracy": "top-5 accuracy (%), mean weights",
    "average_test_loss": "test loss, mean weights",
}


@dataclass(frozen=True, kw_only=True, repr=False)
class RepeatedTraining(Summarised):
    """A network after its trainings.

    Attributes:
        run_dir: The directory of all runs.
        name: Name of the genotype or the network.
        results: The content of `result.json` of each run, by seed.
        errors: Why other trainings failed, by seed.
    """

    run_dir: Path
    name: str
    results: Mapping[int, Mapping[str, Any]]
    errors: Mapping[int, str]

    def figures(self) -> Figures:
        """Mean and deviation over the seeds, time, and where it is."""
        found = [("network", self.name), ("trainings", str(len(self.results)))]
        if self.results:
            one = self.accuracy
            spread = "" if one.deviation is None else f" ± {one.deviation:.2f}"
            found.append((f"test {self.target.measure}", f"{one.mean:.2f}{spread} %"))
            found.append(("time", duration(self.seconds)))
        return [*found, ("directory", str(self.run_dir))]

    def tables(self) -> Sequence[tuple[str, Sequence[Row]]]:
        """All measures."""
        return [("Mean of all trainings", self.rows())] if self.results else []

    def values(self, measure: str) -> list[float]:
        """A measure of each run, such as `test_accuracy`, in the order of the seeds."""
        return [one[measure] for one in self.results.values() if one.get(measure) is not None]

    @property
    def accuracy(self) -> Estimate:
        """Test accuracy (%) after the last epoch: mean, deviation and interval.

        If images have several labels, it is the mean average precision.
        """
        return estimate(self.values(f"test_{self.target.key}"))

    @property
    def target(self) -> LearningTask:
        """What the network learns."""
        return target_of_scores(next(iter(self.results.values())), "test")

    @property
    def seconds(self) -> float:
        """Time of all trainings."""
        return float(sum(one["seconds"] for one in self.results.values()))

    def measures(self) -> dict[str, Estimate]:
        """All measures that the runs have."""
        first = next(iter(self.results.values()))
        further = [
            name
            for name, value in first.items()
            if name.startswith(("test_", "average_test_"))
            and isinstance(value, float)
            and name not in (*_MEASURES, "test_error")
        ]
        names = [*_MEASURES, *further]
        if len(first.get("test_classes", ())) <= BEST:  # All or nearly all are right.
            names = [name for name in names if "top5" not in name]
        found = {name: self.values(name) for name in names}
        return {name: estimate(values) for name, values in found.items() if values}

    def rows(self) -> list[Row]:
        """A row of text for each measure; the first is the head."""
        head: Row = ("", "mean", "deviation", "95 % interval of the mean", "n")
        return [
            head,
            *(
                _row(_MEASURES.get(name, name.replace("_", " ")), one)
                for name, one in self.measures().items()
            ),
        ]

    def sentence(self) -> str:
        """The outcome in one sentence."""
        one = self.accuracy
        many = "s" * (one.n != 1)
        text = f"{self.name}: {one.mean:.2f} % test {self.target.measure}"
        if one.deviation is None or one.interval is None:
            return f"{text} ({one.n} training{many}; the deviation is not known)."
        return (
            f"{text} ± {one.deviation:.2f} points (mean and deviation of {one.n} training{many}; "
            f"95 % interval of the mean {one.interval.low:.2f} to {one.interval.high:.2f})."
        )


def train_many(options: ManyTrainingOptions) -> RepeatedTraining:
    """Train a network with several seeds, or continue the run in `options.resume`.

    Raises:
        UserError: A setting, the data or the run directory is wrong; or no training ended well.
        Interrupted: SIGINT or SIGTERM came; finished trainings and checkpoints are kept.
    """
    options.check_repeats()
    check_recipe(options)
    device, resources = trial_resources(options, options.device)
    plan = None if options.resume else plan_training(options.training)
    if plan is not None:
        # An error in the data is told once, before anything is written.
        training_transform(opened_dataset(plan.options, "cpu"), plan.options)
    run = _directory(options)
    # Another machine has another working directory.
    folder = run.path.resolve() if options.executor == "ray" else run.path
    work = partial(retraining_trial, str(folder), place_of_runs(options.training, device))
    with TrialStore(run.path / TRIALS_FILE) as store:
        if plan is not None or not store.rows():
            _add_trials(store, options, plan)
        if options.retry_failed:
            store.retry_failed()
        try:
            run_trials(
                store,
                using_files(options.use, work),
                executor=options.executor,
                resources=resources,
                title="trainings",
            )
        except TrialsInterrupted:
            raise Interrupted(run.path) from None
        rows = store.rows()
    return _finish(options, run, rows)


def _add_trials(store: TrialStore, options: ManyTrainingOptions, plan: TrainingPlan | None) -> None:
    """Add all trainings in one transaction, so that a continued run finds all or none."""
    if plan is None:
        plan = plan_training(replace(options.training, resume=None))
    trainings = options.trainings(plan.options)
    store.add_all(
        {
            search_key(seed): settings_of_retraining(one, plan.model, run_of(seed))
            for seed, one in trainings.items()
        }
    )


def _directory(options: ManyTrainingOptions) -> RunDirectory:
    """A new directory, or that of the run to continue."""
    if options.resume:
        run = RunDirectory.open(options.resume)
        check_same_files(files_in_use(options.use), run)
        run.record_environment()
        return run
    run = RunDirectory.create(options.run_dir, "evaluate")
    keep_files(files_in_use(options.use), run)
    run.write_config(asdict(options))  # Last: what can be resumed is complete.
    return run


def _finish(
    options: ManyTrainingOptions, run: RunDirectory, rows: Sequence[Trial]
) -> RepeatedTraining:
    """Write `result.json`, and complete the runs of the trainings."""
    done = {row.settings["seed"]: row.result for row in rows if row.result is not None}
    errors = {row.settings["seed"]: row.error or "" for row in rows if row.result is None}
    if not done:
        first = next(iter(errors.values())).strip().splitlines()
        raise UserError(
            f"None of the {len(rows)} trainings ended well. {first[-1] if first else ''}\n"
            f"Repeat them with --resume {run.path} --retry-failed."
        )
    model = model_of_retraining(rows[0].settings)
    name = Path(str(options.model or options.pretrained or "network")).stem
    if isinstance(model, Genotype):
        name = model.name
        save_genotype(model, run.genotype)
        draw_genotype(model, run.cells)
    for seed in done:
        files = RunFiles(run.path / run_of(seed))
        if not files.report.is_file():
            if isinstance(model, Genotype):
                draw_genotype(model, files.cells)
            write_report(files.path)
    found = RepeatedTraining(run_dir=run.path, name=name, results=done, errors=errors)
    run.write_result(_plain(found))
    return found


def _plain(found: RepeatedTraining) -> dict[str, Any]:
    """The content of `result.json`; its means have the names that a single training has."""
    first = next(iter(found.results.values()))
    measures = found.measures()
    kept = ("genotype", "model", "epoch", "test_images", "parameters", "macs")
    return {
        **{name: first[name] for name in kept if name in first},
        **{name: one.mean for name, one in measures.items()},
        "seconds": found.seconds,
        "peak_memory": max(one["peak_memory"] for one in found.results.values()),
        REPEATS_ENTRY: {
            "name": found.name,
            "sentence": found.sentence(),
            "rows": [list(row) for row in found.rows()],
            "measures": {name: _plain_estimate(one) for name, one in measures.items()},
            "runs": [
                {"seed": seed, "run": run_of(seed)}
                | {name: one[name] for name in (*measures, "seconds") if name in one}
                for seed, one in found.results.items()
            ],
            "failed": [{"seed": seed, "error": text} for seed, text in found.errors.items()],
        },
    }


def _plain_estimate(one: Estimate) -> dict[str, Any]:
    interval = None if one.interval is None else one.interval.as_dict()
    return {"n": one.n, "mean": one.mean, "deviation": one.deviation, "interval": interval}


def _row(label: str, one: Estimate) -> Row:
    digits = 4 if "loss" in label else 2
    if one.deviation is None or one.interval is None:
        return (label, f"{one.mean:.{digits}f}", "–", "–", str(one.n))
    low, high = one.interval.low, one.interval.high
    return (
        label,
        f"{one.mean:.{digits}f}",
        f"{one.deviation:.{digits}f}",
        f"{low:.{digits}f} to {high:.{digits}f}",
        str(one.n),
    )
