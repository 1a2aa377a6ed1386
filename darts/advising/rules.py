"""Rules that turn a data set and a machine into settings; each says where it comes from.

The rules are rough: they choose a sensible start, not the best settings. `RULES` lists them in
words; the functions apply them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from darts.costs.options import TYPICAL
from darts.settings.options import PHOTOGRAPH_SIZE


@dataclass(frozen=True)
class SettingRule:
    """How one setting is chosen.

    Attributes:
        says: The rule in words.
        source: Where it comes from.
    """

    says: str
    source: str


_OURS = "a rule of thumb of this toolkit"
_RESULTS = "measured, docs/results.md"

RULES: Mapping[str, SettingRule] = MappingProxyType(
    {
        "image size": SettingRule(
            "Small images keep their size, rounded to a multiple of 4. Photographs get the largest "
            "of 96, 128, 160, 192 and 224 pixels at which a network of 4,000 multiply-adds per "
            "pixel (RegNetX-200MF at 224) can be trained for 20 epochs in the time there is.",
            _OURS,
        ),
        "batch size of the search": SettingRule(
            "256, as published, but at least 12 batches an epoch in the half of the images that "
            "trains the weights.",
            "PC-DARTS (arXiv 1907.05737, §4.2), reduced for small data",
        ),
        "learning rate of the search": SettingRule(
            "0.1 for batches of 256, in proportion to the batch, but at least 0.025.",
            "PC-DARTS and DARTS (arXiv 1806.09055): 0.1 for 256 images, 0.025 for 64",
        ),
        "channels and K": SettingRule(
            "16 channels and K = 4 from 10,000 training images on; below 8 channels and K = 1, "
            "because with 8 channels K = 4 judges operations by two channels and is unreliable.",
            _RESULTS,
        ),
        "cells": SettingRule(
            "8 cells, as published, from 10,000 training images on; 5 below.", _OURS
        ),
        "epochs of the search": SettingRule(
            "50, as published, but no fewer than 600 and no more than 5,000 steps; the first 30 % "
            "train the weights alone.",
            "PC-DARTS (arXiv 1907.05737, §4.2): 15 of 50 epochs, 98 steps each",
        ),
        "ceiling on the cost": SettingRule(
            "None from 10,000 training images on, as published; below, the mean cost of random "
            "cells: short searches that do not know the cost prefer cells that are too dear.",
            _RESULTS,
        ),
        "learning rate of alpha": SettingRule(
            "In inverse proportion to the number of architecture steps: 6e-4 at the 3,430 of the "
            "paper, at most 0.02.",
            _RESULTS,
        ),
        "size of the trained network": SettingRule(
            "36 channels and 20 cells as published (48 and 14 for photographs) from 10,000 "
            "training images on; 16 channels and 8 cells below (24 and 8 for photographs).",
            "PC-DARTS (arXiv 1907.05737, §4.2), reduced for small data",
        ),
        "batch size of the training": SettingRule(
            "96, as published, but at least 15 batches an epoch; a power of two below 96.",
            "the authors' code, reduced for small data",
        ),
        "epochs of the training": SettingRule(
            "600, as published, but no more than two steps for each training image (3,000 to "
            "12,000) or 8 hours on this machine, and no fewer than 30 epochs.",
            _OURS,
        ),
        "learning rate of the training": SettingRule(
            "0.025 for batches of 96, in proportion to the square root of the batch.",
            "the authors' code",
        ),
    }
)

PHOTOGRAPH_SIZES = (224, 192, 160, 128, PHOTOGRAPH_SIZE)
_MACS_PER_PIXEL, _LEAST_EPOCHS = 4000, 20


def own_size(size: int | None, typical: int) -> int | None:
    """The side that small images keep, a multiple of 4; None for photographs.

    >>> own_size(28, 28), own_size(30, 30), own_size(None, 300)
    (28, 32, None)

    Args:
        size: The side that nearly all images have, if there is one.
        typical: The median of the shorter sides.
    """
    side = size or typical
    if side >= PHOTOGRAPH_SIZE:
        return None
    return max(8, 4 * math.ceil(side / 4))


def photograph_size(typical: int, affordable: float) -> int:
    """The side at which photographs are trained.

    >>> photograph_size(500, 1e9), photograph_size(500, 7e7), photograph_size(130, 1e9)
    (224, 128, 128)

    Args:
        typical: The median of the shorter sides.
        affordable: Multiply-adds of the network that the time allows; see `affordable_macs`.
    """
    fitting = [size for size in PHOTOGRAPH_SIZES if size <= typical] or [PHOTOGRAPH_SIZE]
    return next((one for one in fitting if _MACS_PER_PIXEL * one**2 <= affordable), fitting[-1])


def affordable_macs(images: int, seconds: float, macs_per_second: float) -> float:
    """Multiply-adds of a network that can be trained for 20 epochs in so many seconds.

    Args:
        images: Training images.
        seconds: Time of the training.
        macs_per_second: Multiply-adds of the network times images of a training, per second.
    """
    return macs_per_second * seconds / (_LEAST_EPOCHS * max(1, images))


def search_batch(images: int) -> int:
    """Batch size of a search for this number of training images, half of which train the weights.

    >>> search_batch(50_000), search_batch(1442), search_batch(60)
    (256, 32, 2)
    """
    return _power_of_two(min(256, images // 2 // 12), 2)


def training_batch(images: int) -> int:
    """Batch of a training on so many images.

    >>> training_batch(50_000), training_batch(1442), training_batch(60)
    (96, 96, 4)
    """
    most = images // 15
    return 96 if most >= 96 else _power_of_two(most, 2)


def search_size(images: int) -> tuple[int, int, int]:
    """Channels, cells and K of a search for this number of training images.

    >>> search_size(50_000), search_size(1442)
    ((16, 8, 4), (8, 5, 1))
    """
    return (16, 8, 4) if images >= 10_000 else (8, 5, 1)


def search_ceiling(images: int) -> str | None:
    """The `max_macs` of a search; None for data on which the published setting is used.

    >>> search_ceiling(50_000), search_ceiling(1442)
    (None, 'typical')
    """
    return None if images >= 10_000 else TYPICAL


def retraining_size(images: int, photographs: bool) -> tuple[int, int]:
    """Channels and cells of the network that is trained with a found cell.

    >>> retraining_size(50_000, photographs=False), retraining_size(600, photographs=True)
    ((36, 20), (24, 8))
    """
    if images >= 10_000:
        return (48, 14) if photographs else (36, 20)
    return (24, 8) if photographs else (16, 8)


def search_epochs(steps_per_epoch: int) -> tuple[int, int]:
    """Epochs of a search, and how many of them train the weights alone.

    >>> search_epochs(98), search_epochs(22)
    ((50, 15), (50, 15))
    """
    least, most = math.ceil(600 / steps_per_epoch), max(1, 5000 // steps_per_epoch)
    epochs = max(6, min(max(50, least), most))
    return epochs, round(0.3 * epochs)


def alpha_rate(steps: int) -> float:
    """Learning rate of alpha for this number of architecture steps, with two digits.

    >>> alpha_rate(3430), alpha_rate(10)
    (0.0006, 0.02)
    """
    return float(f"{min(0.02, 6e-4 * 3430 / max(1, steps)):.2g}")


def search_rate(batch: int) -> float:
    """Learning rate of the weights in a search.

    >>> search_rate(256), search_rate(32)
    (0.1, 0.025)
    """
    return max(0.025, float(f"{0.1 * batch / 256:.2g}"))


def training_rate(batch: int) -> float:
    """Learning rate of a training."""
    return float(f"{0.025 * math.sqrt(batch / 96):.2g}")


def training_epochs(images: int, steps_per_epoch: int, epoch_seconds: float) -> int:
    """Epochs of a training.

    >>> training_epochs(50_000, 520, 60.0), training_epochs(1442, 15, 1.0)
    (30, 200)
    """
    steps = min(12_000, max(3_000, 2 * images))
    night = int(8 * 3600 / max(epoch_seconds, 1e-6))
    return max(30, min(600, steps // steps_per_epoch, night))


def _power_of_two(value: int, least: int) -> int:
    return max(least, 1 << (max(1, value).bit_length() - 1))
