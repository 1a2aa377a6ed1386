"""The transforms of a data set: for training, for evaluation, and for a single file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from darts.data.augmentation import Augmentation, Normalization, Transform, policy_of
from darts.data.auto_augment import create_auto_augment
from darts.data.crops import RandomCrops
from darts.data.dataset import Dataset
from darts.data.options import DataOptions
from darts.data.photographs import PhotographAugmentation
from darts.data.pixels import Decoding, decode
from darts.errors import UserError


def random_crops(dataset: Dataset) -> RandomCrops | None:
    """The random crops that are cut when images are read; None if they are cropped later."""
    if not dataset.decoding.whole:
        return None
    return RandomCrops(size=dataset.image_size, decoding=dataset.decoding)


def training_transform(dataset: Dataset, options: DataOptions) -> Transform:
    """Return the augmentation that `options` select, of images that `random_crops` has cropped.

    For "cifar" augmentation, images are padded by an eighth of their size before the crop.

    Raises:
        UserError: An option does not fit the image size or the kind of augmentation.
    """
    return create_auto_augment(options.auto_augment, dataset.name, _crops(dataset, options))


def _crops(dataset: Dataset, options: DataOptions) -> Transform:
    policy = policy_of(options.augment, dataset.image_size)
    if not 0 <= options.cutout < dataset.image_size:
        raise UserError(
            f"cutout {options.cutout}: it must be smaller than the images of {dataset.name}, "
            f"which have {dataset.image_size} pixels; 0 disables it"
        )
    if policy == "imagenet":
        return PhotographAugmentation(
            mean=dataset.mean,
            std=dataset.std,
            size=dataset.image_size,
            flip=dataset.flip,
            cutout=options.cutout,
            color_jitter=options.color_jitter,
            crop=not dataset.decoding.whole,
        )
    if options.color_jitter:
        raise UserError("color_jitter needs imagenet augmentation: give --augment imagenet")
    return Augmentation(
        mean=dataset.mean,
        std=dataset.std,
        crop_padding=max(1, dataset.image_size // 8) if policy == "cifar" else 0,
        flip=dataset.flip and policy == "cifar",
        cutout=options.cutout,
    )


def evaluation_transform(dataset: Dataset) -> Transform:
    """Return the evaluation transform: centre crop and normalisation."""
    return Normalization(mean=dataset.mean, std=dataset.std, size=dataset.image_size)


def load_image(path: Path | str, card: Mapping[str, Any]) -> Tensor:
    """Read an image file as the input of a network, `[1, 3, S, S]` float32.

    Args:
        path: The file.
        card: `Dataset.card` of the data that the network was trained on.

    Raises:
        UserError: The file cannot be decoded.
    """
    how = Decoding.from_dict(card.get("decoding"))
    image = torch.from_numpy(decode(path, card["stored_size"], how)).permute(2, 0, 1)[None]
    transform = Normalization(mean=card["mean"], std=card["std"], size=card["image_size"])
    return transform(image)
