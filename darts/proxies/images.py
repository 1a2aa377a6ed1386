"""The one batch of images with which all networks are scored."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from darts.data.dataset import Dataset
from darts.data.loader import BatchLoader
from darts.data.options import DataOptions
from darts.data.sources import open_dataset
from darts.data.transforms import random_crops, training_transform
from darts.errors import UserError
from darts.proxies.options import ScoreOptions
from darts.proxies.subject import Batch
from darts.system.randomness import RandomStreams

_STREAMS = ("score order", "score noise")


@dataclass(frozen=True, eq=False)
class ScoreImages:
    """The source of the batch: a data set, or random numbers.

    Attributes:
        options: Number of images, and their data set if there is one.
        dataset: The data set, or None.
    """

    options: ScoreOptions
    dataset: Dataset | None

    @classmethod
    def open(cls, options: ScoreOptions) -> ScoreImages:
        """Open the data set.

        Raises:
            UserError: It is unknown, missing or faulty.
        """
        if options.dataset is None:
            return cls(options, None)
        dataset = open_dataset(_data_options(options), options.seed, test=False)
        if dataset.target.kind != "single-label":
            raise UserError(
                f"--dataset {options.dataset}: scores are defined for images with one label each."
            )
        return cls(options, dataset)

    def batch(self, size: int, classes: int) -> Batch:
        """The same batch at each call.

        Of a data set, it is the first batch of shuffled training images with the usual
        augmentation, as a training would see it. Else images are N(0, 1) and labels uniform.

        >>> images = ScoreImages.open(ScoreOptions(models=("darts_v2",), batch=4))
        >>> images.batch(8, 10).images.shape
        torch.Size([4, 3, 8, 8])

        Args:
            size: Side of random images in pixels; those of a data set have their own.
            classes: Number of classes of random labels.
        """
        streams, number = RandomStreams(self.options.seed, _STREAMS), self.options.batch
        if self.dataset is None:
            images = torch.randn(number, 3, size, size, generator=streams["score noise"])
            labels = torch.randint(classes, (number,), generator=streams["score order"])
            return Batch(images, labels, classes)
        loader = BatchLoader(
            self.dataset.train,
            torch.arange(len(self.dataset.train)),
            number,
            "cpu",
            training_transform(self.dataset, _data_options(self.options)),
            streams["score order"],
            streams["score noise"],
            channels_last=False,
            crops=random_crops(self.dataset),
        )
        return Batch(*loader.next_batch(), self.dataset.num_classes)


def _data_options(options: ScoreOptions) -> DataOptions:
    assert options.dataset is not None
    return DataOptions(
        dataset=options.dataset, data_dir=options.data_dir, image_size=options.resolution
    )
