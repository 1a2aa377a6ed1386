"""Short retrainings of found cells, which judge them on set-aside training images."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from darts.data.options import DataOptions
from darts.errors import UserError
from darts.models.registry import describe_model
from darts.searching.options import SearchOptions
from darts.searching.spaces import searched_space
from darts.settings.options import (
    LoopOptions,
    PlaceOptions,
    PresetOptions,
    StepOptions,
    names_of,
    tagged,
)
from darts.settings.parsing import options_from
from darts.sweeps.options import Settings, SweepOptions
from darts.system.randomness import stream_seed
from darts.training.options import ModelOptions, TrainingOptions, check_recipe, training_overlay
from genotypes import Genotype

_HOLD_OUT = 5
_OF_STAGES = "nb201-0"  # Any cell of NAS-Bench-201: they share a recipe.


def retraining_options(options: SweepOptions, search: SearchOptions) -> TrainingOptions:
    """The recipe of all retrainings.

    By default it has the size of the searched network, half of the search's epochs, and no
    auxiliary head and drop path, which only long trainings need. Every fifth training image of each
    class is set aside.

    Args:
        options: The settings of the sweep.
        search: The settings of the first configuration's search.

    Raises:
        UserError: A setting is wrong, or the test images would judge.
    """
    shared = {*names_of(DataOptions, PresetOptions, PlaceOptions, StepOptions), "use"}
    values = {
        "hold_out": _HOLD_OUT,
        "channels": search.channels,
        "layers": search.layers,
        "epochs": max(1, search.epochs // 2),
        "auxiliary": False,
        "drop_path": 0.0,
        "test_every": 0,
        **{name: value for name, value in options.settings.items() if name in shared},
        "dataset": search.dataset,
        **options.retraining,
    }
    staged = searched_space(search.space).stack == "stages"

    def overlay(settings: Settings) -> dict[str, Any]:
        return training_overlay({**settings, "genotype": _OF_STAGES if staged else None})

    try:
        training = options_from(TrainingOptions, values, overlay)
        check_recipe(training)
    except UserError as error:
        raise UserError(f"--retrain-with: {error}") from None
    if training.hold_out < 2:
        raise UserError(
            f"--retrain-with hold-out={training.hold_out}: at least 2 is needed. Cells are "
            "compared on set-aside training images, never on test images."
        )
    return training


def retraining_settings(training: TrainingOptions, cell: Genotype, seed: int) -> dict[str, Any]:
    """The settings of a retraining as a trial; see `darts.training.trial.train_trial`.

    Args:
        training: The recipe of all retrainings.
        cell: The cell.
        seed: Of this training.
    """
    left_out = {*tagged(TrainingOptions, "where"), *names_of(LoopOptions, ModelOptions), "seed"}
    recipe = {name: value for name, value in asdict(training).items() if name not in left_out}
    return {"model": describe_model(cell), "seed": seed, "recipe": recipe}


def retraining_key(cell: str, number: int) -> str:
    """The key of a retraining, counted from 1, of the cell that a key stands for."""
    return f"{cell} retraining {number}"


def retraining_seed(seed: int, number: int) -> int:
    """The seed of a retraining: the same for all configurations, so that they differ less."""
    return stream_seed(seed, f"retraining {number}")
