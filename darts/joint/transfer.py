"""Is a found recipe good for other networks, too? Each is trained by it and by its own.

FBNetV3 (arXiv 2006.02049) trains networks that it did not search by the recipe that it found. Here
a network's own recipe is the shipped one of its paper, and for a genotype on small images that of
PC-DARTS; both recipes train for the same epochs, in batches of the same size, on the same images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from darts.data.facts import data_facts
from darts.errors import UserError
from darts.joint.arm_options import ArmOptions
from darts.joint.arm_trials import over_networks, shared_options, train_arms
from darts.joint.arms import Arm, ArmStudy, Contrast
from darts.joint.directory import SearchRecord
from darts.joint.query import trained_genes
from darts.models.registry import Model, family_of, find_model
from darts.settings.options import PHOTOGRAPH_SIZE, names_of
from darts.settings.recipes import read_recipe
from darts.training.options import (
    AuxiliaryOptions,
    RecipeOptions,
    TrainingOptions,
    imagenet_recipe,
)
from genotypes import Genotype

OWN, FOUND = "own", "found"

RECIPE = (
    *(
        name
        for name in names_of(RecipeOptions, AuxiliaryOptions)
        if name not in ("epochs", "compile", "batch_size", "test_every")
    ),
    *("augment", "auto_augment", "interpolation", "flip", "cutout", "color_jitter"),
)
"""The options that make up a recipe. Epochs and batch size are the same for all recipes."""

_IMAGENET_IMAGES = 1_281_167


def train_transfer(
    record: SearchRecord, words: Sequence[str], options: ArmOptions, folder: Path
) -> ArmStudy:
    """Train each named model by its own recipe and by the best one of a search.

    Args:
        record: A search whose candidates have recipes.
        words: Models: names in the zoo, YAML files.
        options: Number of seeds, epochs, where trainings run.
        folder: Directory of the study.

    Raises:
        UserError: A model is unknown or named twice, the search has no recipe, or see `train_arms`.
        TrialsInterrupted: SIGINT or SIGTERM came; finished trainings are kept.
    """
    labels = [Path(word).stem if Path(word).is_file() else word for word in words]
    if repeated := [label for label in labels if labels.count(label) > 1]:
        raise UserError(f"--models: {repeated[0]} is named twice.")
    shared = shared_options(record, options)
    found = found_recipe(record, shared.epochs)
    photographs = data_facts(shared, shared.seed).size >= PHOTOGRAPH_SIZE
    arms, contrasts = [], []
    for word, label in zip(words, labels, strict=True):
        model = find_model(word)
        own = own_recipe(word, model, shared, photographs=photographs)
        for name, recipe in ((FOUND, found), (OWN, own)):
            arms.append(Arm(network=label, recipe=name, model=model, settings=recipe))
        title = f"found recipe instead of its own, {label}"
        contrasts.append(Contrast(title, len(arms) - 2, len(arms) - 1))
    notes = [] if options.final else [_CHOSEN]
    study = train_arms("transfer", arms, contrasts, shared, options, folder, notes)
    if len(words) > 1:
        mean = over_networks("found recipe instead of its own, over networks", study.differences)
        study = replace(study, differences=(*study.differences, mean))
    return study


_CHOSEN = (
    "The search chose the found recipe by the same held-out images, with another network: the "
    "comparison favours it. --final trains on all training images and judges by the test images; "
    "use it once, at the end."
)


def found_recipe(record: SearchRecord, epochs: int) -> dict[str, Any]:
    """The recipe of the best trained candidate, for trainings of so many epochs.

    Raises:
        UserError: The search has no recipes, or no trained candidate.
    """
    space, config = record.problem.space, record.config
    names = space.targets("recipe")
    if not names:
        raise UserError(
            f"{record.path} searched {space.name}, networks alone: there is no recipe to transfer. "
            "Search a space with one, such as regnet+recipe."
        )
    best = record.problem.candidate(trained_genes(record)[0]).options
    given = {name: config[name] for name in RECIPE if name in config}
    recipe = {**given, **{name: best[name] for name in names}}
    return stretched(recipe, epochs / int(config["epochs"]))


def own_recipe(
    word: str, model: Model, shared: TrainingOptions, *, photographs: bool = True
) -> dict[str, Any]:
    """The recipe of a model's paper, for other epochs and batches.

    That of ImageNet for a network, and for a genotype if the images are ImageNet; else PC-DARTS' on
    CIFAR-10. The learning rate is proportional to the batch. The epochs of warm-up and decay, and
    the steps that a moving average remembers, keep their share of the training.

    >>> shared = TrainingOptions(dataset="cifar10", epochs=50, batch_size=128)
    >>> recipe = own_recipe("resnet18", find_model("resnet18"), shared)
    >>> recipe["learning_rate"], recipe["lr_warmup_epochs"]  # 0.8 and 5 there.
    (0.1, 2)

    Args:
        word: The name or file of the model.
        model: The model.
        shared: Data, epochs and batch size.
        photographs: Whether images are as large as photographs; small ones keep their colours.
    """
    given: Mapping[str, Any] = {}
    if shared.dataset == "imagenet" or not isinstance(model, Genotype):
        given = read_recipe(imagenet_recipe(_family(word, model)))
    defaults = {one.name: one.default for one in fields(TrainingOptions)}
    recipe = {name: given.get(name, defaults[name]) for name in RECIPE}
    epochs, batch = (given.get(name, defaults[name]) for name in ("epochs", "batch_size"))
    recipe["learning_rate"] = recipe["learning_rate"] * shared.batch_size / batch
    if not photographs:
        recipe["color_jitter"] = 0.0
    if recipe["ema"]:
        steps = epochs * (_IMAGENET_IMAGES // batch)
        recipe["ema_share"] = round(1 / (1 - recipe["ema"]) / steps, 6)
        recipe["ema"] = 0.0
    return stretched(recipe, shared.epochs / epochs)


def _family(word: str, model: Model) -> str | None:
    """The name of a network that has this model's recipe; None for a genotype."""
    if isinstance(model, Genotype):
        return None
    # The name of a file says nothing.
    return {"anynet": "regnet", "mbconv": "efficientnet"}.get(
        family_of(model).key if Path(word).is_file() else "", word
    )


def stretched(recipe: dict[str, Any], factor: float) -> dict[str, Any]:
    """A recipe for `factor` times its epochs."""
    if factor != 1:
        recipe["lr_decay_epochs"] = recipe["lr_decay_epochs"] * factor
        recipe["lr_warmup_epochs"] = round(recipe["lr_warmup_epochs"] * factor)
    return recipe
