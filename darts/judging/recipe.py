"""The recipe of the short trainings that judge the cells of a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from darts.data.options import DataOptions
from darts.searching.options import SearchOptions
from darts.settings.options import (
    LoopOptions,
    PlaceOptions,
    PresetOptions,
    names_of,
    shared_values,
    tagged,
)
from darts.settings.parsing import options_from
from darts.settings.recipes import read_recipe
from darts.system.randomness import stream_seed
from darts.training.options import ModelOptions, TrainingOptions, check_recipe
from genotypes import SearchSpace

# Settings of a recipe that a short training takes over.
_RECIPE = (
    *("batch_size", "learning_rate", "schedule", "lr_warmup_epochs", "optimiser", "momentum"),
    *("weight_decay", "grad_clip", "label_smoothing"),
)


def short_recipe(
    search: SearchOptions, space: SearchSpace, changes: Mapping[str, Any], seed: int
) -> TrainingOptions:
    """The recipe of the short trainings that judge the cells of a search.

    Width, depth, stem and images are those of the search; there are half as many epochs. The
    optimiser is that of a retraining, in batches that are not larger than the search's, with a
    learning rate in proportion to the batch. Drop path and auxiliary head, which help only long
    trainings, are left out. Subsets of images are sampled again, so that no search has seen
    exactly these images.

    Args:
        search: The settings of the search.
        space: Its cells.
        changes: Settings that differ, by name.
        seed: Decides the subsets of images.

    Raises:
        UserError: A setting is wrong.
    """
    recipe: Mapping[str, Any] = {}
    if search.dataset == "imagenet":
        recipe = read_recipe("evaluate_imagenet")
    if space.stack == "stages":
        recipe = read_recipe("evaluate_nasbench201")
    usual = TrainingOptions(**{name: recipe[name] for name in _RECIPE if name in recipe})
    shared = shared_values(usual, TrainingOptions)
    given = options_from(TrainingOptions, changes, _nothing)  # Their types are right.
    epochs = given.epochs if "epochs" in changes else max(1, search.epochs // 2)
    batch_size = min(usual.batch_size, search.batch_size)
    if "batch_size" in changes:
        batch_size = given.batch_size
    values = {
        **shared,
        **shared_values(search, DataOptions),
        **shared_values(search, PlaceOptions),
        "seed": stream_seed(seed, "images of the choice"),
        "learning_rate": usual.learning_rate * batch_size / usual.batch_size,
        "stem": search.stem,
        "channels": search.channels,
        "layers": search.layers,
        "epochs": epochs,
        "lr_warmup_epochs": min(usual.lr_warmup_epochs, epochs // 5),
        "test_every": 0,
        "compile": False,
        "auxiliary": False,
        "drop_path": 0.0,
        "batch_size": batch_size,
        **changes,
    }
    found = options_from(TrainingOptions, values, _nothing)
    check_recipe(found)
    return found


def _nothing(_: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def plain_recipe(recipe: TrainingOptions) -> dict[str, Any]:
    """The settings that decide what a short training finds, by name."""
    left_out = {
        *tagged(TrainingOptions, "where"),
        *names_of(PresetOptions, LoopOptions, ModelOptions),
    }
    values = shared_values(recipe, TrainingOptions)
    return {name: values[name] for name in sorted(values) if name not in left_out}
