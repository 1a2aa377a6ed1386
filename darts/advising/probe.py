"""The speed of this machine on random images, before the size of photographs is chosen."""

from __future__ import annotations

from dataclasses import replace

import torch

from darts.advising.machine import measure_training
from darts.data.dataset import ImageTensor
from darts.models.registry import find_model
from darts.searching.probe import stand_in_dataset
from darts.training.options import TrainingOptions

PROBE_SIZE, PROBE_BATCH = 96, 8
"""Side and number of the random images."""
_MODEL = "regnetx_200mf"


def probed_speed(recipe: TrainingOptions, seconds: float) -> float:
    """Multiply-adds of a RegNet times images that are trained per second.

    Args:
        recipe: Says where to train.
        seconds: Time of the measurement, about.
    """
    shape = (4 * PROBE_BATCH, 3, PROBE_SIZE, PROBE_SIZE)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, shape, generator=generator).to(torch.uint8)
    images = ImageTensor(pixels, torch.arange(len(pixels)) % 2)
    plain = stand_in_dataset("probe", PROBE_SIZE, classes=2)
    dataset = replace(plain, train=images, test=images)
    recipe = replace(
        recipe, augment="none", batch_size=PROBE_BATCH, image_size=PROBE_SIZE, compile=False
    )
    rate = measure_training(recipe, find_model(_MODEL), dataset, "regnet", seconds=seconds)
    return rate.macs / rate.image_seconds
