"""Random crops of whole photographs: "Inception crops", the training crops of all four papers.

The crop has a random area and shape, lies anywhere in the photograph, and is resized with
antialiasing, as torchvision's RandomResizedCrop does for Pillow images. Each crop has random
numbers of its own, so that it does not depend on who cuts it: which process, and in which order.

Source: Szegedy et al., "Going deeper with convolutions", arXiv 1409.4842, §6.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from darts.data.pixels import Decoding

Box = tuple[int, int, int, int]
"""Top, left, height and width in pixels."""

_ATTEMPTS = 10


@dataclass(frozen=True, kw_only=True)
class RandomCrops:
    """Crops of random area, shape and place.

    The area is uniform in `scale`, the aspect ratio log-uniform in `ratio`. The first of ten
    samples that fits into the photograph is used. If none fits, the crop is the largest centred one
    of an allowed shape.

    >>> crops = RandomCrops(size=8, decoding=Decoding())
    >>> crops.cut(np.zeros((20, 30, 3), np.uint8), key=7).shape
    (8, 8, 3)

    Attributes:
        size: Side of the results in pixels.
        decoding: How they are resized.
        scale: Range of the area, as a share of the area of the photograph.
        ratio: Range of the width divided by the height.
    """

    size: int
    decoding: Decoding
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def box(self, height: int, width: int, key: int) -> Box:
        """The crop of a photograph with these random numbers.

        Args:
            height: Height of the photograph.
            width: Its width.
            key: Key of a Philox generator, below 2**64; each key has random numbers of its own.
        """
        random = np.random.Generator(np.random.Philox(key=key))
        area, shape = random.random((2, _ATTEMPTS))
        area = height * width * (self.scale[0] + area * (self.scale[1] - self.scale[0]))
        low, high = (math.log(bound) for bound in self.ratio)
        shape = np.exp(low + shape * (high - low))
        heights, widths = np.rint(np.sqrt(area / shape)), np.rint(np.sqrt(area * shape))
        fits = (heights > 0) & (heights <= height) & (widths > 0) & (widths <= width)
        if not fits.any():
            return self._centred(height, width)
        first = int(fits.argmax())
        h, w = int(heights[first]), int(widths[first])
        top, left = (int(random.random() * (room + 1)) for room in (height - h, width - w))
        return top, left, h, w

    def _centred(self, height: int, width: int) -> Box:
        shape = min(max(width / height, self.ratio[0]), self.ratio[1])
        h, w = min(height, round(width / shape)), min(width, round(height * shape))
        return (height - h) // 2, (width - w) // 2, h, w

    def cut(self, picture: np.ndarray, key: int) -> np.ndarray:
        """One crop `[S, S, 3]` of a photograph `[H, W, 3]`, uint8; see `box`."""
        top, left, height, width = self.box(picture.shape[0], picture.shape[1], key)
        # Cut first: pixels outside of the crop have no influence on it.
        crop = Image.fromarray(picture[top : top + height, left : left + width])
        return np.asarray(self.decoding.resized(crop, self.size, self.size))


class Pictures(Protocol):
    """Whole photographs, numbered from 0."""

    @property
    def workers(self) -> int:
        """Number of processes or threads that cut crops in advance; 0: none."""

    def picture(self, index: int) -> np.ndarray:
        """The photograph `[H, W, 3]` uint8."""

    def read_ahead(
        self, fetcher: Cropped, batches: Sequence[Tensor], pin: bool
    ) -> Iterator[Tensor]:
        """Yield `fetcher.fetch` of each batch."""


@dataclass(frozen=True, eq=False)
class Cropped:
    """Random crops of whole photographs, for `darts.data.loader.BatchLoader`.

    An item is a pair (number of the photograph, key of the random numbers), a batch `[B, 2]` int64.

    Attributes:
        images: The photographs.
        crops: How they are cropped.
    """

    images: Pictures
    crops: RandomCrops

    @property
    def size(self) -> int:
        """Side of the crops in pixels."""
        return self.crops.size

    @property
    def workers(self) -> int:
        """Number of processes or threads that cut in advance."""
        return self.images.workers

    def fetch(self, items: Tensor) -> Tensor:
        """The crops of the items `[B, 2]`, as `[B, 3, S, S]` uint8 in channels-last order."""
        batch = np.empty((len(items), self.size, self.size, 3), np.uint8)
        for row, (index, key) in enumerate(items.tolist()):
            batch[row] = self.crops.cut(self.images.picture(index), key)
        return torch.from_numpy(batch).permute(0, 3, 1, 2)

    def reader(self, pin: bool = False) -> CropReader:
        """A reader of batches of items."""
        return CropReader(self, pin)


@dataclass(frozen=True, eq=False)
class CropReader:
    """Reads batches of items in advance, in order."""

    fetcher: Cropped
    pin: bool

    def __call__(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        return self.fetcher.images.read_ahead(self.fetcher, batches, self.pin)
