"""Which transform a data set's images go through: for training, for tests, for one file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from darts.data.augmentation import Augmentation, Normalization, Transform, policy_of
from darts.data.auto_augment import create_auto_augment
from darts.data.dataset import Dataset
from darts.data.options import DataOptions
from darts.data.photographs import PhotographAugmentation
from darts.data.streaming import decode
from darts.errors import UserError


def training_transform(dataset: Dataset, options: DataOptions) -> Transform:
    """The random transform that `options` ask for; images are padded by an eighth for crops.

    Raises:
        UserError: an option does not fit the size or the kind of augmentation.
    """
    return create_auto_augment(options.auto_augment, dataset.name, _crops(dataset, options))


def _crops(dataset: Dataset, options: DataOptions) -> Transform:
    policy = policy_of(options.augment, dataset.image_size)
    if not 0 <= options.cutout < dataset.image_size:
        raise UserError(
            f"cutout {options.cutout}: it must be smaller than the images of {dataset.name}, "
            f"which have {dataset.image_size} pixels; 0 switches it off"
        )
    if policy == "imagenet":
        return PhotographAugmentation(
            mean=dataset.mean,
            std=dataset.std,
            size=dataset.image_size,
            flip=dataset.flip,
            cutout=options.cutout,
            color_jitter=options.color_jitter,
        )
    if options.color_jitter:
        raise UserError("color jitter goes with imagenet augmentation: give --augment imagenet")
    return Augmentation(
        mean=dataset.mean,
        std=dataset.std,
        crop_padding=max(1, dataset.image_size // 8) if policy == "cifar" else 0,
        flip=dataset.flip and policy == "cifar",
        cutout=options.cutout,
    )


def evaluation_transform(dataset: Dataset) -> Transform:
    """Middle square and normalisation."""
    return Normalization(mean=dataset.mean, std=dataset.std, size=dataset.image_size)


def load_image(path: Path | str, card: Mapping[str, Any]) -> Tensor:
    """One image file as a network reads it, [1, 3, S, S] float32, by the card of its data set.

    Raises:
        UserError: the file cannot be read as an image.
    """
    image = torch.from_numpy(decode(path, card["stored_size"])).permute(2, 0, 1)[None]
    transform = Normalization(mean=card["mean"], std=card["std"], size=card["image_size"])
    return transform(image)
