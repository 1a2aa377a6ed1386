"""Short trainings of cells on a part of the training images, compared on the others.

The test images are never read: every Nth training image of each class is set aside, the network
trains on the others and is judged on the set-aside ones. All cells of a study have the same images
and the same recipe; a training's own seed decides its initial weights, order and augmentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from darts.errors import UserError
from darts.judging.recipe import plain_recipe
from darts.judging.set_aside import check_set_aside, set_aside
from darts.models.registry import model_from_description
from darts.training.options import TrainingOptions
from darts.training.pretrained import with_normalisation
from darts.training.trial import train_briefly
from darts.trials.attempt import ReportEpoch

EVERY = 5
"""By default every fifth training image of each class is set aside."""


@dataclass(frozen=True)
class ShortTraining:
    """A trial function: trains a cell, and judges it on set-aside training images.

    Attributes:
        recipe: The recipe; its seed chooses subsets of images, the same for all trainings.
        every: Which image of each class is set aside.
    """

    recipe: TrainingOptions
    every: int = EVERY

    def __post_init__(self) -> None:
        if self.every < 2:
            raise UserError(
                f"hold-out {self.every}: cells are compared on set-aside training images, never on "
                "test images. Give 2 or more, 5 for every fifth image."
            )

    def check_images(self) -> None:
        """Check that cells can be compared on these images.

        Raises:
            UserError: The data set is unknown or missing, or a class has too few images.
        """
        check_set_aside(self.recipe, self.every)

    @property
    def plain(self) -> dict[str, Any]:
        """What decides the result of a training besides its cell and seed, as plain values."""
        return {**plain_recipe(self.recipe), "set_aside_every": self.every}

    def __call__(self, settings: Mapping[str, Any], report: ReportEpoch) -> dict[str, Any]:
        """Train once.

        Args:
            settings: `model`, the description of the cell (`describe_model`), and `seed`.
            report: Receives `epoch` and the training's loss and accuracy after each epoch.

        Returns:
            `accuracy`, `error` (%) and `loss` on the `images` set-aside ones, after the last epoch;
            `train_images`; and the network's `params` and `macs`.

        Raises:
            UserError: A setting or the data are wrong, or the loss diverged.
        """
        options = replace(self.recipe, seed=settings["seed"])
        dataset = with_normalisation(
            set_aside(self.recipe, self.every), options.pretrained, None, options.pretrained_as
        )
        model = model_from_description(settings["model"])
        found = train_briefly(options, model, dataset, lambda line: report(_without_tests(line)))
        return {
            "accuracy": 100 - found["test_error"],
            "error": found["test_error"],
            "loss": found["test_loss"],
            "images": len(dataset.test),
            "train_images": len(dataset.train),
            "params": found["params"],
            "macs": found["macs"],
        }


def _without_tests(line: Mapping[str, Any]) -> dict[str, Any]:
    """The line of an epoch under names that do not speak of test images."""
    return {name.replace("test_", "set_aside_"): value for name, value in line.items()}
