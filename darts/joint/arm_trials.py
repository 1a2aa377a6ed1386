"""Train arms as durable trials: an interrupted study continues, a larger one trains what is new."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from darts.data.facts import announce
from darts.data.transforms import training_transform
from darts.errors import UserError
from darts.joint.arm_options import ArmOptions
from darts.joint.arms import Arm, ArmStudy, Contrast, Difference, MeasuredArm, differences_of
from darts.joint.directory import SearchRecord
from darts.models.registry import describe_model
from darts.settings.options import (
    IntervalOptions,
    PresetOptions,
    RunOptions,
    names_of,
    without_later,
)
from darts.settings.origins import Origins
from darts.statistics.estimates import estimate
from darts.training.fitting import fitted_training
from darts.training.options import (
    CheckpointOptions,
    ModelOptions,
    PretrainedOptions,
    TrainingOptions,
)
from darts.training.trial import opened_dataset, train_trial
from darts.trials.executors import run_trials, trial_resources
from darts.trials.run_trial import plain_options
from darts.trials.schema import TRIALS_FILE
from darts.trials.store import Trial, TrialStore
from darts.trials.used import using_files

_LEFT_OUT = (
    *names_of(PresetOptions, RunOptions, IntervalOptions),
    *names_of(ModelOptions, PretrainedOptions, CheckpointOptions),
)


def shared_options(record: SearchRecord, options: ArmOptions) -> TrainingOptions:
    """The options that all arms share: those of the candidates of a search."""
    names = [name for name in names_of(TrainingOptions) if name not in _LEFT_OUT]
    known = {name: record.config[name] for name in names if name in record.config}
    shared = TrainingOptions(**known)
    return replace(
        shared,
        epochs=options.epochs or shared.epochs,
        hold_out=0 if options.final else shared.hold_out,
        test_every=0,
        device=options.device,
        threads=options.threads,
        use=options.use,
    )


def train_arms(
    name: str,
    arms: Sequence[Arm],
    contrasts: Sequence[Contrast],
    shared: TrainingOptions,
    options: ArmOptions,
    folder: Path,
    notes: Sequence[str] = (),
) -> ArmStudy:
    """Train every arm with every seed, as far as missing, and compare them.

    Args:
        name: Name of the study.
        arms: The arms.
        contrasts: Which of them are compared.
        shared: The options that they share.
        options: Number of seeds, and where trainings run.
        folder: Directory of the study, for `trials.sqlite`.
        notes: What a reader must know beside the numbers.

    Raises:
        UserError: The images or an arm's recipe are wrong, the folder belongs to another study, or
            all trainings failed.
        TrialsInterrupted: SIGINT or SIGTERM came; finished trainings are kept.
    """
    device, resources = trial_resources(options, options.device)
    shared = replace(shared, device=device)
    # Wrong data are an error now, and not one of each trial.
    dataset = opened_dataset(shared, None if options.executor == "in-process" else "cpu")
    fitted = [_fitted(one, shared) for one in arms]
    for one in fitted:
        if "image_size" not in one.settings:  # Else the trial opens other images.
            training_transform(dataset, replace(shared, **one.settings))
    seeds = range(options.seed, options.seed + options.seeds)
    with TrialStore(folder / TRIALS_FILE) as store:
        decides = without_later(plain_options(shared), TrainingOptions)
        store.configure({"kind": f"joint {name}", "recipe": {**decides, "seed": shared.seed}})
        # One seed after the other, so that an interrupted study has complete comparisons.
        store.add_all(
            {
                one.key(seed): {
                    "model": describe_model(one.model),
                    "recipe": dict(one.settings),
                    "seed": seed,
                }
                for seed in seeds
                for one in fitted
            }
        )
        if options.retry_failed:
            store.retry_failed()
        work = using_files(options.use, partial(train_trial, shared))
        run_trials(store, work, executor=options.executor, resources=resources, title=name)
        rows = {trial.key: trial for trial in store.rows()}
    measured = [_measured(one, {seed: rows[one.key(seed)] for seed in seeds}) for one in fitted]
    if not any(one.errors for one in measured):
        why = next(iter(measured[0].failures.values()), "")
        raise UserError(f"All trainings failed. The error of the first one: {why}")
    where = "test images" if options.final else "held-out training images"
    return ArmStudy(
        name=name,
        arms=tuple(measured),
        differences=differences_of(measured, contrasts),
        judged_on=f"{len(dataset.test):,} {where}",
        training=(
            f"{shared.epochs} epoch{'s' * (shared.epochs != 1)} on {len(dataset.train):,} images "
            f"of {shared.dataset}; seeds {seeds[0]} to {seeds[-1]}; errors of the last epoch"
        ),
        notes=(*notes, *_seed_notes(options.seeds), *_failure_notes(measured)),
    )


def over_networks(title: str, differences: Sequence[Difference]) -> Difference:
    """The mean of the differences of several networks, each counted once."""
    means = [one.value.mean for one in differences if one.value is not None]
    return Difference(title, estimate(means) if means else None)


def _fitted(arm: Arm, shared: TrainingOptions) -> Arm:
    """The arm with a recipe that fits its network and the images; says what was changed."""
    given = {"image_size": "in the search"} if shared.image_size is not None else {}
    own = replace(shared, **arm.settings)
    fitting = fitted_training(own, Origins(given), arm.model)
    if fitting.notes:
        print(f"{arm.network}, {arm.recipe}:", file=sys.stderr, end=" ")
        announce(fitting)
    before, after = asdict(shared), asdict(fitting.options)
    changed = {one.name for one in fields(shared) if before[one.name] != after[one.name]}
    return replace(arm, settings={name: after[name] for name in sorted(changed)})


def _measured(arm: Arm, trials: Mapping[int, Trial]) -> MeasuredArm:
    results: dict[int, Mapping[str, Any]] = {
        seed: trial.result for seed, trial in trials.items() if trial.result is not None
    }
    one = next(iter(results.values()), None)
    return MeasuredArm(
        arm=arm,
        errors={seed: arm.error(result) for seed, result in results.items()},
        params=None if one is None else int(one["params"]),
        macs=None if one is None else int(one["macs"]),
        failures={
            seed: trial.error.splitlines()[-1] for seed, trial in trials.items() if trial.error
        },
    )


def _seed_notes(seeds: int) -> list[str]:
    one = "One training each: no noise is known, so no difference can be shown. Use --seeds 3."
    return [one] if seeds == 1 else []


def _failure_notes(arms: Sequence[MeasuredArm]) -> list[str]:
    notes = []
    for one in arms:
        if one.failures:
            seed, why = next(iter(one.failures.items()))
            notes.append(
                f"{one.arm.network}, {one.arm.recipe}: {len(one.failures)} of "
                f"{len(one.failures) + len(one.errors)} trainings failed and count in no mean, "
                f"which favours this recipe. Seed {seed}: {why} Train again with --retry-failed."
            )
    return notes
