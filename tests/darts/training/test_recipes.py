"""The shipped recipes of retraining fit the options and have the papers' values."""

from __future__ import annotations

import pytest

from darts.settings.parsing import parse_options
from darts.settings.recipes import list_configs
from darts.training.options import TrainingOptions, check_recipe, training_overlay


def recipe(name: str, *flags: str) -> TrainingOptions:
    arguments = ["--config", name, *flags]
    return parse_options(TrainingOptions, arguments, prog="evaluate.py", overlay=training_overlay)


@pytest.mark.parametrize("name", [name for name in list_configs() if name.startswith("evaluate_")])
def test_every_recipe_is_one(name: str) -> None:
    check_recipe(recipe(name))


def test_efficientnets_recipe() -> None:
    options = recipe("evaluate_efficientnet", "--epochs", "10")
    assert (options.optimiser, options.learning_rate, options.ema) == ("rmsprop", 0.016, 0.9999)
    assert options.model == "efficientnet_b0"
    assert options.epochs == 10  # Flags win.
    assert options.color_jitter == 0.0  # The ImageNet recipe of cells has 0.4.


def test_fbnetv3s_recipe_takes_a_teacher() -> None:
    options = recipe("evaluate_fbnetv3", "--teacher", "runs/teacher")
    assert (options.teacher, options.distillation_weight) == ("runs/teacher", 0.8)


def test_the_defaults_are_still_pc_darts() -> None:
    options = TrainingOptions()
    assert (options.optimiser, options.momentum, options.decay_norms) == ("sgd", 0.9, True)
    assert (options.ema, options.mixup, options.teacher, options.dropout) == (0.0, 0.0, None, None)
    assert (options.schedule, options.drop_path, options.drop_path_schedule) == (
        "cosine",
        0.3,
        "linear",
    )
    assert options.auto_augment == "none"
