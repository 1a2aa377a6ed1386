"""Training images that are set aside to judge cells; the test images are never read."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from darts.data.dataset import Dataset
from darts.data.options import DataOptions
from darts.data.sources import open_dataset
from darts.data.splits import class_counts, hold_out
from darts.data.statistics import with_statistics
from darts.data.transforms import training_transform
from darts.errors import UserError
from darts.settings.options import shared_values
from darts.system.device import resolve_device
from darts.training.options import TrainingOptions


def check_set_aside(options: TrainingOptions, every: int) -> None:
    """Check that cells can be compared on these images.

    Raises:
        UserError: The data set is unknown or missing, or a class has too few images.
    """
    training_transform(set_aside(options, every), options)


def set_aside(options: TrainingOptions, every: int) -> Dataset:
    """The training images, every `every`-th one of each class in place of the test images.

    It is opened once per process; the seed of `options` chooses subsets of images.

    Raises:
        UserError: No class has `every` images; or see `open_dataset`.
    """
    plain = DataOptions(**{**shared_values(options, DataOptions), "test_images": None})
    return _opened(plain, every, options.seed, str(resolve_device(options.device)))


@lru_cache(maxsize=1)
def _opened(options: DataOptions, every: int, seed: int, device: str) -> Dataset:
    dataset = open_dataset(options, seed, device, test=False)
    return without_tests(dataset, every)


def without_tests(dataset: Dataset, every: int) -> Dataset:
    """A data set that has set-aside training images in place of its test images.

    Mean and standard deviation, where they are not published, are those of the remaining images.

    Raises:
        UserError: No class has `every` images.
    """
    counts = class_counts(dataset.train.labels, dataset.num_classes)
    largest = int(counts.argmax())
    if counts[largest] < every:
        raise UserError(
            f"the largest class, {dataset.classes[largest]}, has {int(counts[largest])} images; "
            f"{every} are needed to set aside every {every}th training image"
        )
    ours, theirs = hold_out(dataset.train.labels, every)
    divided = with_statistics(dataset, ours)
    train, test = dataset.train.subset(ours), dataset.train.subset(theirs)
    return replace(divided, train=train, test=test, files=None)
