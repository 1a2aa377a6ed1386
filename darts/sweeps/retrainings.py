"""Short trainings of cells on a part of the training images, compared on the others.

The test images are never read: every Nth training image of each class is set aside, the network
trains on the others and is judged on the set-aside ones. All cells of a choice have the same images
and the same recipe; a training's own seed decides its initial weights, order and augmentation.

The recipe is that of a retraining with the search's width and depth, fewer epochs, and without what
helps only long trainings: drop path, cutout and auxiliary head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from darts.data.dataset import Dataset
from darts.data.options import DataOptions
from darts.data.sources import open_dataset
from darts.data.splits import hold_out
from darts.data.statistics import with_statistics
from darts.data.transforms import training_transform
from darts.models.registry import describe_model, model_from_description
from darts.settings.options import names_of
from darts.settings.recipes import read_recipe
from darts.sweeps.choice_options import ManySearchOptions
from darts.system.device import resolve_device
from darts.system.randomness import stream_seed
from darts.training.options import TrainingOptions
from darts.training.trial import train_briefly
from darts.trials.attempt import ReportEpoch
from genotypes import Genotype, SearchSpace

# Settings of a recipe that a short training takes over.
_RECIPE = (
    *("batch_size", "learning_rate", "schedule", "lr_warmup_epochs", "optimiser", "momentum"),
    *("weight_decay", "grad_clip", "label_smoothing"),
)


@dataclass(frozen=True)
class ShortTraining:
    """A trial function: trains a cell, and judges it on set-aside training images.

    Attributes:
        options: The recipe; its seed chooses subsets of images, the same for all trainings.
        every: Which image of each class is set aside.
    """

    options: TrainingOptions
    every: int

    def __call__(self, settings: Mapping[str, Any], report: ReportEpoch) -> dict[str, Any]:
        """Train once.

        Args:
            settings: `model`, the description of the cell, and `seed`; see `trainings_of`.
            report: Receives `epoch` and the training's loss and accuracy after each epoch.

        Returns:
            `accuracy`, `error` (%) and `loss` on the `images` set-aside ones, after the last epoch;
            `train_images`; and the network's `params` and `macs`.

        Raises:
            UserError: A setting or the data are wrong, or the loss diverged.
        """
        options = replace(self.options, seed=settings["seed"])
        dataset = set_aside(self.options, self.every)
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


def trainings_of(
    options: ManySearchOptions, cell: Genotype, seed: int
) -> dict[str, dict[str, Any]]:
    """The trials that train a cell, by their keys.

    Args:
        options: Number of trainings.
        cell: The cell.
        seed: The search that found it.
    """
    named = cell.with_name(f"seed-{seed}")
    model = describe_model(replace(named, provenance={}))
    keys = [key_of(seed, number) for number in range(options.choice_trainings)]
    return {key: {"model": model, "seed": stream_seed(options.seed, key)} for key in keys}


def key_of(seed: int, number: int) -> str:
    """The key of a training, counted from 0, of the cell of a search.

    >>> key_of(7, 0)
    'seed 7, training 1'
    """
    return f"seed {seed}, training {number + 1}"


def short_recipe(options: ManySearchOptions, space: SearchSpace, device: str) -> TrainingOptions:
    """The recipe of the short trainings that choose among the cells of a search.

    Width, depth, stem and images are those of the search; the optimiser is that of a retraining, in
    batches that are not larger than the search's, with a learning rate in proportion. Subsets of
    images are sampled again, so that no search has seen exactly these images.

    Args:
        options: The searches.
        space: Their cells.
        device: The device, as the process of a training names it.
    """
    recipe: dict[str, Any] = {}
    if options.dataset == "imagenet":
        recipe = read_recipe("evaluate_imagenet")
    if space.stack == "stages":
        recipe = read_recipe("evaluate_nasbench201")
    usual = TrainingOptions(**{name: recipe[name] for name in _RECIPE if name in recipe})
    epochs = options.epochs_of_choice
    batch_size = min(usual.batch_size, options.batch_size)
    return replace(
        usual,
        **{name: getattr(options, name) for name in names_of(DataOptions)},
        device=device,
        precision=options.precision,
        threads=options.threads,
        seed=stream_seed(options.seed, "images of the choice"),
        batch_size=batch_size,
        learning_rate=usual.learning_rate * batch_size / usual.batch_size,
        stem=options.stem,
        channels=options.channels,
        layers=options.layers,
        epochs=epochs,
        lr_warmup_epochs=min(usual.lr_warmup_epochs, epochs // 5),
        test_every=0,
        compile=False,
        auxiliary=False,
        drop_path=0.0,
    )


def check_choice_images(options: TrainingOptions, every: int) -> None:
    """Check that cells can be compared on these images.

    Raises:
        UserError: The data set is unknown or missing, or a class has too few images.
    """
    training_transform(set_aside(options, every), options)


def set_aside(options: TrainingOptions, every: int) -> Dataset:
    """The training images, every `every`-th one of each class in place of the test images.

    It is opened once per process.

    Raises:
        UserError: A class has fewer than `every` images; or see `open_dataset`.
    """
    values = {name: getattr(options, name) for name in names_of(DataOptions)}
    plain = DataOptions(**{**values, "test_images": None})
    return _opened(plain, every, options.seed, str(resolve_device(options.device)))


@lru_cache(maxsize=1)
def _opened(options: DataOptions, every: int, seed: int, device: str) -> Dataset:
    dataset = open_dataset(options, seed, device, test=False)
    return without_tests(dataset, every)


def without_tests(dataset: Dataset, every: int) -> Dataset:
    """A data set that has set-aside training images in place of its test images.

    Mean and standard deviation, where they are not published, are those of the remaining images.

    Raises:
        UserError: A class has fewer than `every` images.
    """
    ours, theirs = hold_out(dataset.train.labels, dataset.classes, every)
    divided = with_statistics(dataset, ours)
    train, test = dataset.train.subset(ours), dataset.train.subset(theirs)
    return replace(divided, train=train, test=test, files=None)


def _without_tests(line: Mapping[str, Any]) -> dict[str, Any]:
    """The line of an epoch under names that do not speak of test images."""
    return {name.replace("test_", "set_aside_"): value for name, value in line.items()}
