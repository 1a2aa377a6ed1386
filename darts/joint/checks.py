"""Validate the options of a search before anything is written."""

from __future__ import annotations

import difflib
from dataclasses import replace

from darts.data.dataset import Dataset
from darts.data.transforms import training_transform
from darts.errors import UserError
from darts.joint.options import JointOptions, recipe_names
from darts.joint.problem import RESOLUTION
from darts.joint.space import Space
from darts.settings.parsing import options_from
from darts.training.options import TrainingOptions, training_overlay


def check_sizes(options: JointOptions) -> None:
    """Check numbers of rounds, candidates and epochs, and the held-out images.

    Raises:
        UserError: A number is too small.
    """
    if options.rounds < 1 or options.candidates < 2 or options.epochs < 1:
        raise UserError(
            f"A joint search needs at least 1 round, 2 candidates and 1 epoch, not "
            f"{options.rounds}, {options.candidates} and {options.epochs}."
        )
    if options.hold_out < 2:
        raise UserError(
            f"--hold-out {options.hold_out}: must be 2 or more. Candidates are scored on every Nth "
            "training image, which is held out; the test images are never used."
        )
    if options.pool < options.rounds * options.candidates:
        raise UserError(
            f"--pool {options.pool} is too small for {options.rounds} rounds of "
            f"{options.candidates} candidates."
        )


def check_recipe_names(space: Space) -> None:
    """Check that every setting of the recipe is an option of a training.

    Raises:
        UserError: A setting is not such an option.
    """
    known = recipe_names()
    unknown = [name for name in space.targets("recipe") if name not in known]
    if unknown:
        close = [m for name in unknown for m in difflib.get_close_matches(name, known, n=1)]
        hint = f" Did you mean {', '.join(close)}?" if close else ""
        raise UserError(
            f"{space.name}: a recipe cannot set {', '.join(unknown)}.{hint} It can set "
            f"{', '.join(known)}. A variable with another name needs 'sets', the list of the "
            "options that it sets."
        )


def check_values(space: Space) -> None:
    """Check that the options of a training take every value of a variable.

    Raises:
        UserError: One does not.
    """
    check_recipe_names(space)
    for variable in space.variables:
        for name in variable.sets if variable.part == "recipe" else ():
            for value in variable.extremes():
                settings = {"dataset": "digits", name: value}
                try:
                    options_from(TrainingOptions, settings, training_overlay)
                except UserError as error:
                    raise UserError(f"{space.name}: variable {variable.name}: {error}") from None


def check_images(space: Space, options: TrainingOptions, dataset: Dataset) -> None:
    """Check that the images are large enough for every value of the recipe.

    Nothing is checked if the recipe decides the image size: then each trial checks its own.

    Raises:
        UserError: The images are too small for a value.
    """
    if RESOLUTION in space.targets("recipe"):
        return
    for variable in space.variables:
        for name in set(variable.sets) & {"cutout", "augment", "color_jitter"}:
            for value in variable.extremes():
                try:
                    training_transform(dataset, replace(options, **{name: value}))
                except UserError as error:
                    raise UserError(f"{space.name}: variable {variable.name}: {error}") from None
