"""What a data set is: images with labels, how to fetch them, and what a network must know of them.

Images are uint8 until the last moment and live either in memory, on any device (`ImageTensor`), or
in files that worker processes decode (`darts.data.streaming`); both look the same from outside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from darts.data.channels import Rgb

BatchReader = Callable[[Sequence[Tensor]], Iterator[Tensor]]
"""Takes index batches [B] and yields their images [B, 3, H, W] uint8, in the same order."""


class ImageSet(Protocol):
    """Images and their labels, numbered from 0."""

    @property
    def labels(self) -> Tensor:
        """Class numbers [N], int64, on the CPU."""

    def __len__(self) -> int: ...

    def fetch(self, indices: Tensor) -> Tensor:
        """Images [B, 3, H, W] uint8 with the numbers `indices` [B]."""

    def reader(self, pin: bool = False) -> BatchReader:
        """A reader of batches; a fresh one each call. `pin` asks for page-locked memory."""

    def subset(self, indices: Tensor) -> ImageSet:
        """The images with the numbers `indices`, renumbered in that order."""

    def resized(self, size: int) -> ImageSet:
        """Shorter side brought to `size`, then the square in the middle."""

    def to(self, device: torch.device | str) -> ImageSet:
        """The same images on `device`, where they live in memory at all."""


@dataclass(frozen=True, eq=False)
class ImageTensor:
    """Images in memory: pixels [N, C, H, W] uint8 on any device; C = 1 is shown as three channels.

    `labels` [N] int64 stay on the CPU.
    """

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def fetch(self, indices: Tensor) -> Tensor:
        picked = self.pixels.index_select(0, indices.to(self.pixels.device, non_blocking=True))
        return picked.expand(-1, 3, -1, -1)

    def reader(self, pin: bool = False) -> BatchReader:
        return lambda batches: map(self.fetch, batches)

    def subset(self, indices: Tensor) -> ImageTensor:
        return ImageTensor(self.pixels[indices.to(self.pixels.device)], self.labels[indices])

    def resized(self, size: int) -> ImageTensor:
        if self.pixels.shape[2:] == (size, size):
            return self
        pixels = [_resize_and_crop(part, size) for part in self.pixels.split(128)]
        return ImageTensor(torch.cat(pixels), self.labels)

    def to(self, device: torch.device | str) -> ImageTensor:
        return ImageTensor(self.pixels.to(device), self.labels)


def _resize_and_crop(images: Tensor, size: int) -> Tensor:
    height, width = images.shape[2:]
    short = min(height, width)
    shape = (size * height // short, size * width // short)
    # Rounding is left to us: not every device interpolates uint8.
    grown = F.interpolate(images.float(), shape, mode="bilinear", antialias=True)
    top, left = round((shape[0] - size) / 2), round((shape[1] - size) / 2)
    square = grown[:, :, top : top + size, left : left + size]
    return square.round().clamp(0, 255).to(torch.uint8)


@dataclass(frozen=True, kw_only=True, eq=False)
class Files:
    """Which files the images of a data set are.

    Args:
        root: The folder that they lie below.
        train: Path of each training image, in the order of `Dataset.train`.
        test: Likewise for the test images.
        skipped: Paths that were left out because they cannot be read as images.
        halves: Numbers of the training images for the weights and for the architecture, where an
            earlier run has settled them.
        is_subset: Whether this is a subset of the folder.
    """

    root: Path
    train: tuple[str, ...]
    test: tuple[str, ...]
    skipped: tuple[str, ...] = ()
    halves: tuple[Tensor, Tensor] | None = None
    is_subset: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Training and test images, and what a network and its user must know of them.

    Args:
        name: As the user gave it.
        classes: One name a class; a label is a position in it.
        image_size: Side in pixels of what the network sees.
        stored_size: Side in pixels of what the image sets hold; larger where crops are resized.
        mean: Of the red, green and blue channel, in 0..1.
        std: Likewise.
        measured: Mean and std come from these images and not from a publication.
        flip: Whether a mirror image keeps its class.
        train: Training images; they are divided between weights and architecture in a search.
        test: Test images, disjoint from the training images.
        files: The images' files, where they came from such.
    """

    name: str
    classes: tuple[str, ...]
    image_size: int
    stored_size: int
    mean: Rgb
    std: Rgb
    measured: bool
    flip: bool
    train: ImageSet
    test: ImageSet
    files: Files | None = None

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    def to(self, device: torch.device | str) -> Dataset:
        """The same data set with its images on `device`, where they live in memory at all."""
        return replace(self, train=self.train.to(device), test=self.test.to(device))

    def counts(self) -> dict[str, int]:
        """What a result says of image files: how many were left out as unreadable."""
        return {"skipped_images": len(self.files.skipped)} if self.files is not None else {}

    def card(self) -> dict[str, Any]:
        """Plain values that a checkpoint keeps, so that `predict` treats an image likewise."""
        return {
            "name": self.name,
            "classes": list(self.classes),
            "image_size": self.image_size,
            "stored_size": self.stored_size,
            "mean": list(self.mean),
            "std": list(self.std),
        }
