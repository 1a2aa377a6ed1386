"""A data set: training and test images with labels, and what a network must know about them.

Images stay uint8 until they are augmented. They are either in memory, on any device
(`ImageTensor`), or in files that worker processes decode (`darts.data.streaming.ImageFiles`); both
implement `ImageSet`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from darts.data.balance import EpochOrder, balanced_order
from darts.data.channels import Rgb
from darts.data.options import BalanceOptions
from darts.data.pixels import PLAIN, Decoding
from darts.errors import UserError
from darts.targets.single import SINGLE
from darts.targets.target import LearningTask

BatchReader = Callable[[Sequence[Tensor]], Iterator[Tensor]]
"""Takes batches of image numbers `[B]` and yields their images `[B, 3, H, W]` uint8, in order."""


class ImageSet(Protocol):
    """Images with labels; the images are numbered from 0."""

    @property
    def labels(self) -> Tensor:
        """Class numbers `[N]` int64, or 0 and 1 `[N, C]` uint8, on the CPU."""

    def __len__(self) -> int: ...

    def fetch(self, indices: Tensor) -> Tensor:
        """Return the images with the numbers `indices` `[B]` as `[B, 3, H, W]` uint8."""

    def reader(self, pin: bool = False) -> BatchReader:
        """Return a new reader of batches, into page-locked memory if `pin` is true."""

    def subset(self, indices: Tensor) -> ImageSet:
        """Return the images with the numbers `indices`, renumbered in that order."""

    def resized(self, size: int) -> ImageSet:
        """Resize the shorter side to `size` and crop to the centre square."""

    def to(self, device: torch.device | str) -> ImageSet:
        """Return the images on `device`; images in files are returned unchanged."""

    def cropping(self, crops: Any) -> Any:
        """Random crops of the whole photographs, see `darts.data.crops.Cropped`."""


@dataclass(frozen=True, eq=False)
class ImageTensor:
    """Images in memory, an `ImageSet`.

    >>> images = ImageTensor(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1]))
    >>> images.fetch(torch.tensor([1])).shape
    torch.Size([1, 3, 8, 8])

    Attributes:
        pixels: The images `[N, C, H, W]` uint8, on any device. With C = 1, `fetch` repeats the
            channel three times.
        labels: Class numbers `[N]` int64, or 0 and 1 `[N, C]` uint8, on the CPU.
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

    def cropping(self, crops: Any) -> Any:
        raise TypeError("images in a tensor are squares; they are cropped on the device")


def _resize_and_crop(images: Tensor, size: int) -> Tensor:
    height, width = images.shape[2:]
    short = min(height, width)
    shape = (size * height // short, size * width // short)
    # In float, because not every device interpolates uint8.
    grown = F.interpolate(images.float(), shape, mode="bilinear", antialias=True)
    top, left = round((shape[0] - size) / 2), round((shape[1] - size) / 2)
    square = grown[:, :, top : top + size, left : left + size]
    return square.round().clamp(0, 255).to(torch.uint8)


@dataclass(frozen=True, kw_only=True, eq=False)
class Files:
    """The files of a data set of image files.

    Attributes:
        root: The folder that contains them.
        train: Path of each training image, in the order of `Dataset.train`.
        test: Path of each test image, in the order of `Dataset.test`.
        skipped: Paths of files that were left out because they cannot be decoded.
        halves: Numbers of the training images for the weights and for the architecture, if an
            earlier run has chosen them.
        size: Default size of the images in pixels.
        listed: Whether a run writes down which files it uses: those of a subset, or of the user's
            own data, which may change before the run is resumed.
    """

    root: Path
    train: tuple[str, ...]
    test: tuple[str, ...]
    skipped: tuple[str, ...] = ()
    halves: tuple[Tensor, Tensor] | None = None
    size: int | None = None
    listed: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Training and test images, and what a network must know about them.

    Attributes:
        name: Name as the user gave it.
        classes: Name of each class; a label is an index into it.
        image_size: Side of the images that the network receives, in pixels.
        stored_size: Side of the images in the image sets, in pixels; larger than `image_size` if
            they are cropped.
        mean: Mean of red, green and blue, for values in 0..1.
        std: Standard deviation of red, green and blue, for values in 0..1.
        measured: Whether mean and std are computed from these images instead of published.
        flip: Whether a mirrored image has the same class.
        train: Training images; a search divides them between weights and architecture.
        test: Test images, disjoint from the training images.
        files: The files of the images, if they are files.
        target: What a network learns from the labels.
        decoding: How image files become pixels.
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
    target: LearningTask = SINGLE
    decoding: Decoding = PLAIN

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    def to(self, device: torch.device | str) -> Dataset:
        """Return the data set with its images on `device`; images in files stay there."""
        return replace(self, train=self.train.to(device), test=self.test.to(device))

    def class_weights(
        self, options: BalanceOptions, device: torch.device, indices: Tensor | None = None
    ) -> Tensor | None:
        """Weights of the classes `[C]` in the loss, if the options ask for them.

        Args:
            options: The wish.
            device: Where the loss is computed.
            indices: Numbers of the training images that count; by default all.

        Raises:
            UserError: Sampling is balanced as well.
        """
        if options.class_weights == "none":
            return None
        if options.class_sampling != "none":
            raise UserError(
                "--class-weights, --class-sampling: both make up for the same; give one of them."
            )
        labels = self.train.labels if indices is None else self.train.labels[indices]
        return self.target.class_weights(labels, self.num_classes).to(device)

    def epoch_order(
        self, options: BalanceOptions, indices: Tensor | None = None
    ) -> EpochOrder | None:
        """How an epoch samples the training images; None for each once.

        Raises:
            UserError: Balanced sampling is wanted, and images have several labels.
        """
        if options.class_sampling == "none":
            return None
        return balanced_order(self.train.labels if indices is None else self.train.labels[indices])

    def counts(self) -> dict[str, int]:
        """Entries of a run's result about image files: how many were unreadable and left out."""
        return {"skipped_images": len(self.files.skipped)} if self.files is not None else {}

    def check_same(self, card: Mapping[str, Any]) -> None:
        """Check that a resumed run has the classes and the task that it began with.

        Args:
            card: From `card`, as the run has stored it.

        Raises:
            UserError: They differ; the message names a class.
        """
        before, kind = tuple(card["classes"]), card.get("task", self.target.kind)
        if before != self.classes:
            changed = [name for name in self.classes if name not in before]
            gone = [name for name in before if name not in self.classes]
            what = "; ".join(
                f"{word} {', '.join(names[:3])}"
                for word, names in (("new", changed), ("gone", gone))
                if names
            )
            raise UserError(
                f"--resume: {self.name} has {len(self.classes)} classes, but had {len(before)} "
                f"when the run began ({what or 'in another order'}). Restore them, or start a new "
                "run."
            )
        if kind != self.target.kind:
            raise UserError(
                f"--resume: the run began as {kind}, but {self.name} is {self.target.kind} now. "
                "Restore the labels, or start a new run."
            )

    def card(self) -> dict[str, Any]:
        """Plain values for the checkpoint; `predict` prepares images with them."""
        return {
            "name": self.name,
            "task": self.target.kind,
            "classes": list(self.classes),
            "image_size": self.image_size,
            "stored_size": self.stored_size,
            "mean": list(self.mean),
            "std": list(self.std),
            **({} if self.decoding == PLAIN else {"decoding": self.decoding.as_dict()}),
        }
