"""Short retrainings of found cells, which judge them on set-aside training images."""

from __future__ import annotations

from typing import Any

from darts.errors import UserError
from darts.judging.recipe import short_recipe
from darts.judging.short_training import EVERY, ShortTraining
from darts.models.registry import describe_model
from darts.searching.options import SearchOptions
from darts.searching.spaces import searched_space
from darts.sweeps.options import SweepOptions
from darts.system.randomness import stream_seed
from genotypes import Genotype


def planned_retraining(options: SweepOptions, search: SearchOptions) -> ShortTraining:
    """How cells are retrained; `hold_out` among the settings says which images are set aside.

    Args:
        options: The settings of the sweep.
        search: The settings of the first configuration's search.

    Raises:
        UserError: A setting is wrong, or the test images would judge.
    """
    changes = dict(options.retraining)
    every = changes.pop("hold_out", EVERY)
    try:
        recipe = short_recipe(search, searched_space(search.space), changes, seed=0)
        return ShortTraining(recipe, every)
    except UserError as error:
        raise UserError(f"--retrain-with: {error}") from None


def retraining_settings(training: ShortTraining, cell: Genotype, seed: int) -> dict[str, Any]:
    """The settings of a retraining as a trial.

    Args:
        training: How all cells are retrained.
        cell: The cell.
        seed: Of this training.
    """
    return {"model": describe_model(cell), "seed": seed, "recipe": training.plain}


def retraining_key(cell: str, number: int) -> str:
    """The key of a retraining, counted from 1, of the cell that a key stands for."""
    return f"{cell} retraining {number}"


def retraining_seed(seed: int, number: int) -> int:
    """The seed of a retraining: the same for all configurations, so that they differ less."""
    return stream_seed(seed, f"retraining {number}")
