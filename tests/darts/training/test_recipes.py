"""The shipped recipes of retraining fit the options and have the papers' values."""

from __future__ import annotations

import pytest

from darts.costs.count import count
from darts.joint.directory import limits_of
from darts.joint.options import JointOptions
from darts.models.registry import create_network, find_model
from darts.settings.parsing import options_from, parse_options
from darts.settings.recipes import list_configs
from darts.training.fitting import fit_training
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


def fitted(**settings: object) -> TrainingOptions:
    given = {"dataset": "imagenet", **settings}
    return options_from(TrainingOptions, given, training_overlay, fit_training)


@pytest.mark.parametrize("name", ["regnetx_400mf", "RegNetY-16GF", "resnet50", "resnext50"])
def test_regnets_and_resnets_take_the_recipe_of_the_regnet_paper(name: str) -> None:
    options = options_from(
        TrainingOptions, {"dataset": "imagenet", "model": name}, training_overlay
    )
    assert (options.epochs, options.schedule, options.lr_warmup_epochs) == (100, "cosine", 5)
    assert options.learning_rate / options.batch_size == pytest.approx(0.1 / 128)
    assert options.weight_decay == 5e-5
    assert (options.label_smoothing, options.grad_clip, options.drop_path) == (0, 0, 0)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("efficientnet_b0", 224),
        ("efficientnet_b1", 240),
        ("efficientnet_b2", 260),
        ("efficientnet_b7", 600),
        ("efficientnet_l2", 800),
        ("fbnetv3_g", 320),
        ("resnet50", 224),
    ],
)
def test_named_networks_take_the_size_that_they_were_published_for(name: str, size: int) -> None:
    assert (fitted(model=name).image_size or 224) == size
    assert fitted(model=name, image_size=128).image_size == 128


def test_the_published_size_gives_the_published_cost() -> None:
    options = fitted(model="fbnetv3_g")
    network = create_network(find_model("fbnetv3_g"), num_classes=1000, stem="imagenet")
    assert count(network, options.image_size).macs == 2_125_187_200


def test_the_largest_fbnets_have_more_drop_connect() -> None:
    paths = {name: fitted(model=f"fbnetv3_{name}").drop_path for name in "aefg"}
    assert paths == {"a": 0.1, "e": 0.1, "f": 0.2, "g": 0.2}
    assert fitted(model="fbnetv3_g", drop_path=0.1).drop_path == 0.1


def test_the_joint_search_is_fbnetv3s() -> None:
    options = parse_options(
        JointOptions, ["--config", "joint_fbnetv3"], prog="joint", overlay=lambda settings: {}
    )
    assert (options.classes, options.epochs, options.batch_size) == (200, 150, 256)
    assert (options.lr_decay, options.lr_decay_epochs, options.schedule) == (
        0.963,
        1,
        "exponential",
    )
    assert (options.rounds, options.candidates, options.pool) == (5, 48, 20_000)
    limits = limits_of(options.min_macs, options.max_macs, options.max_params)
    assert (limits.min_macs, limits.max_macs) == (4e8, 8e8)
