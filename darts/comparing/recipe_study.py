"""Run a comparison under several recipes from its options to its outcome.

Every training is a durable trial: an interrupted study goes on where it was, and the same command
with more cells, recipes or seeds trains only what is missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from darts.comparing.candidates import ComparedNetwork, baseline, contender
from darts.comparing.describe import recipe_parts
from darts.comparing.recipe_options import RecipeStudyOptions
from darts.comparing.recipe_outcome import RecipeErrors, RecipeOutcome, judge_recipes
from darts.comparing.recipes import Recipe
from darts.comparing.trainings import common_recipe, run_missing, study_directory
from darts.data.transforms import training_transform
from darts.errors import UserError
from darts.files import atomic_write
from darts.models.image_spec import ImageSpec
from darts.models.registry import describe_model
from darts.report.notebook import Figures, Summarised
from darts.report.tables import Row
from darts.runs.directory import RunDirectory, finite
from darts.system.device import device_name, resolve_device
from darts.system.randomness import stream_seed
from darts.system.threads import set_threads
from darts.training.options import training_of
from darts.training.trial import opened_dataset
from darts.trials.schema import TRIALS_FILE
from darts.trials.store import Trial, TrialStore

STUDY_RESULT = "recipes.json"
# With fewer trainings, no noise of seeds is known.
_MEASURABLE = 2


@dataclass(frozen=True, repr=False)
class FinishedRecipeStudy(Summarised):
    """A finished study.

    Attributes:
        outcome: Its outcome.
        path: Its directory.
    """

    outcome: RecipeOutcome
    path: Path

    def figures(self) -> Figures:
        """The size of the study, and where it is."""
        measured = self.outcome.measured
        return [
            ("networks", ", ".join(measured.networks)),
            ("recipes", str(len(measured.recipes))),
            ("directory", str(self.path)),
        ]

    def tables(self) -> Sequence[tuple[str, Sequence[Row]]]:
        """What the page of the study has."""
        # Its plots need matplotlib, which trainings do without.
        from darts.comparing.recipe_report import recipe_tables

        return recipe_tables(self.outcome)


def train_by_recipes(options: RecipeStudyOptions) -> FinishedRecipeStudy:
    """Train every network by every recipe as far as missing, judge, and write `recipes.json`.

    Raises:
        UserError: An option is wrong, there are no networks of this cost, or too few trainings
            ended well.
        Interrupted: SIGINT or SIGTERM came; finished trainings are kept.
    """
    options.check()
    device = resolve_device(options.device)
    set_threads(options.threads)
    data = opened_dataset(training_of(options), None if options.executor == "in-process" else "cpu")
    images = ImageSpec.of(data.image_size, data.num_classes, options.stem)
    recipes = options.chosen.each
    for one in recipes:  # Raises if no training is possible.
        training_transform(data, replace(options, **one.settings))
    cells = [contender(options, cell.name, cell, images) for cell in options.judged]
    groups = [baseline(one, options, cells[0], images) for one in options.baselines]
    networks = [*cells, *(one for group in groups for one in group.candidates)]
    run = study_directory(options, "recipes")
    rows = _trained(options, run, networks, recipes)

    found = _complete(options, networks, recipes, rows, len(cells))
    errors, kept, used, lost = found
    measured = RecipeErrors(
        recipes=tuple(one.name for one in used),
        networks=tuple(one.label for one in kept),
        judged=len(cells),
        errors=errors,
        images=len(data.test),
    )
    outcome = judge_recipes(
        measured,
        options.seed,
        recipe=_sentence(options, len(data.test)),
        notes=(
            *lost,
            *_caveats(options, cells, measured),
            *(note for group in groups for note in group.notes),
        ),
        setting={
            **asdict(images),
            "dataset": options.dataset,
            "half": options.half,
            "measured_on": measured_on(options),
            "images": len(data.test),
            "device": device_name(device),
            "recipes": {one.name: dict(one.settings) for one in recipes},
            "sizes": {one.label: _size(one) for one in kept},
        },
    )
    with atomic_write(run.path / STUDY_RESULT) as stream:
        json.dump(finite(outcome.as_dict()), stream, indent=2, allow_nan=False)
    return FinishedRecipeStudy(outcome, run.path)


def measured_on(options: RecipeStudyOptions) -> str:
    """The images that errors are measured on."""
    return "held-out training images" if options.hold_out else "test images"


def trial_key(network: str, recipe: str, training: int) -> str:
    """The key of a trial; `training` counts from 0.

    >>> trial_key("darts_v2", "lr=0.1", 0)
    'darts_v2, recipe lr=0.1, training 1'
    """
    return f"{network}, recipe {recipe}, training {training + 1}"


def _trained(
    options: RecipeStudyOptions,
    run: RunDirectory,
    networks: Sequence[ComparedNetwork],
    recipes: Sequence[Recipe],
) -> Mapping[str, Trial]:
    """Run all missing trainings; return every trial, done or failed, by its key.

    Each training has its own seed, derived from the seed of the study and the key, so that errors
    are independent samples. One training of everything comes before the next.
    """
    trials: dict[str, dict[str, Any]] = {}
    for training in range(options.seeds):
        for recipe in recipes:
            for one in networks:
                key = trial_key(one.label, recipe.name, training)
                size = {"channels": one.channels, "layers": one.layers}
                trials[key] = {
                    "model": describe_model(one.model),
                    "seed": stream_seed(options.seed, key),
                    "recipe": {**size, **recipe.settings},
                }
    with TrialStore(run.path / TRIALS_FILE) as store:
        shared = common_recipe(options)
        varied = options.chosen.varied
        store.configure({name: one for name, one in shared.items() if name not in varied})
        store.add_all(trials)
        if options.retry_failed:
            store.retry_failed()
        run_missing(store, options, run, "recipes")
        return {trial.key: trial for trial in store.rows()}


def _complete(
    options: RecipeStudyOptions,
    networks: Sequence[ComparedNetwork],
    recipes: Sequence[Recipe],
    rows: Mapping[str, Trial],
    judged: int,
) -> tuple[np.ndarray, list[ComparedNetwork], list[Recipe], list[str]]:
    """Errors `[R, N, S]` without gaps, their networks and recipes, and what was left out.

    A recipe under which a judged cell failed is left out; then, a baseline's network that failed.
    """

    def results(one: ComparedNetwork, recipe: Recipe) -> list[Trial]:
        keys = (trial_key(one.label, recipe.name, number) for number in range(options.seeds))
        return [rows[key] for key in keys]

    def failure(one: ComparedNetwork, recipe: Recipe) -> str | None:
        return next((row.error for row in results(one, recipe) if row.error is not None), None)

    lost, used = [], []
    for recipe in recipes:
        failed = [(one, why) for one in networks[:judged] if (why := failure(one, recipe))]
        if failed:
            reason = failed[0][1].splitlines()[-1]
            lost.append(
                f"Recipe {recipe.name} is left out of all statistics, because {failed[0][0].label} "
                f"could not be trained by it: {reason}"
            )
        else:
            used.append(recipe)
    kept = [one for one in networks if not any(failure(one, recipe) for recipe in used)]
    if missing := [one.label for one in networks if one not in kept]:
        lost.append(f"Left out, because a training failed: {', '.join(missing)}.")
    if len(used) < 2 or len(kept) < 2:
        raise UserError(
            f"Only {len(used)} recipes and {len(kept)} networks have all their trainings; two of "
            f"each are needed. {' '.join(lost)} Failed trainings run again with --retry-failed."
        )
    errors = [
        [[(row.result or {})["test_error"] for row in results(one, recipe)] for one in kept]
        for recipe in used
    ]
    return np.array(errors, np.float64), kept, used, lost


def _size(one: ComparedNetwork) -> dict[str, Any]:
    return {"channels": one.channels, "layers": one.layers, **one.properties}


def _sentence(options: RecipeStudyOptions, images: int) -> str:
    """How all networks were trained."""
    varied = options.chosen.varied
    parts = ", ".join(recipe_parts(options, varied))
    return (
        f"All networks: {parts}; the recipes set {', '.join(_word(name) for name in varied)}. "
        f"{options.seeds} training{'s' * (options.seeds > 1)} of each network under each recipe, "
        f"each with its own seed, derived from {options.seed}; errors of the last epoch on "
        f"{images:,} {measured_on(options)}."
    )


def _word(name: str) -> str:
    return name.replace("_", " ")


def _caveats(
    options: RecipeStudyOptions, cells: Sequence[ComparedNetwork], measured: RecipeErrors
) -> list[str]:
    notes = []
    if not options.hold_out:
        notes.append(
            "The smallest error of all recipes is chosen on the test images, so it is optimistic; "
            "it is no estimate of what a recipe chosen beforehand would give. Choose recipes with "
            "--hold-out 5, which measures on held-out training images."
        )
    if measured.trainings < _MEASURABLE:
        notes.append(
            "Every network was trained once by each recipe: noise is taken from the number of "
            "test images alone, which is a lower bound. Use --seeds 2 or more to measure it."
        )
    macs = [one.properties["macs"] for one in cells]
    if max(macs) > (1 + options.tolerance) * min(macs):
        notes.append(
            f"The cells differ in cost: {min(macs):,.0f} to {max(macs):,.0f} multiply-adds. "
            "--macs scales them to equal cost."
        )
    if set(options.baselines) - {"random-cells"} and (options.auxiliary or options.drop_path):
        notes.append(
            "The recipe is not neutral: drop path and auxiliary heads were designed for cells. Use "
            "--no-auxiliary --drop-path 0."
        )
    return notes
