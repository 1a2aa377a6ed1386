"""A look at the data before anything is trained: numbers, balance, sizes, duplicates, bad files."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from darts.data.corrupt import find_broken
from darts.data.dataset import ImageTensor
from darts.data.duplicates import duplicates
from darts.data.options import DataOptions
from darts.data.source import Source
from darts.data.sources import open_source
from darts.data.streaming import ImageFiles

# What the data set says about equal images; the summary counts them itself.
_COPIES = re.compile(r"(a copy|copies) of training")
_MOST_READ = 5000
"""Training files that are decoded to find unreadable ones; of more, evenly spread ones."""
_MOST_HEADERS = 500
_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class DataSummary:
    """What is known of a data set without training on it.

    Attributes:
        dataset: Its name, as the option `dataset` has it.
        classes: Name of each class.
        train_counts: Training images of each class.
        test_counts: Test images of each class.
        kind: single-label or multi-label.
        totals: Training and test images; None: the sums of the counts.
        size: Side of the images in pixels, if nearly all have the same; else None.
        sides: Shorter side of a typical image in pixels, with the smallest and the largest one:
            (smallest, median, largest).
        files: Whether the images are files.
        checked: Number of training files that were decoded.
        unreadable: Those of them that cannot be decoded.
        duplicates: Number of test images that equal a training image, byte by byte.
        tested: What the test images are, in words.
        notes: What else the user should know, in sentences.
    """

    dataset: str
    classes: tuple[str, ...]
    train_counts: tuple[int, ...]
    test_counts: tuple[int, ...]
    size: int | None
    sides: tuple[int, int, int]
    kind: str = "single-label"
    totals: tuple[int, int] | None = None
    files: bool = False
    checked: int = 0
    unreadable: tuple[str, ...] = ()
    duplicates: int = 0
    tested: str = ""
    notes: tuple[str, ...] = ()

    @property
    def train_images(self) -> int:
        """Number of training images."""
        return sum(self.train_counts) if self.totals is None else self.totals[0]

    @property
    def test_images(self) -> int:
        """Number of test images."""
        return sum(self.test_counts) if self.totals is None else self.totals[1]

    @property
    def smallest(self) -> int:
        """Training images of the smallest class."""
        return min(self.train_counts)

    @property
    def imbalance(self) -> float:
        """Images of the largest class for each image of the smallest one."""
        return max(self.train_counts) / max(1, self.smallest)

    @property
    def majority(self) -> float:
        """Test accuracy (%) of always naming the class with the most test images; one label."""
        return 100 * max(self.test_counts) / max(1, self.test_images)

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DataSummary:
        """The inverse of `as_dict`, also after a way through JSON."""
        names = {one.name for one in fields(cls)}
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
            if name in names
        }
        return cls(**plain)

    def sentences(self) -> list[str]:
        """The summary in words."""
        low, middle, high = self.sides
        pixels = (
            f"{middle} pixels" if low == high else f"{low} to {high} pixels, half below {middle}"
        )
        found = [
            f"{self.dataset}: {self.train_images:,} training images and {self.test_images:,} test "
            f"images of {len(self.classes)} classes; shorter side {pixels}."
        ]
        if self.kind == "multi-label":
            found.append("An image may have several labels; networks are compared by mAP.")
        if self.tested:
            found.append(f"The test images are {self.tested}.")
        if self.imbalance >= 1.5:
            found.append(
                f"The classes are unbalanced: the largest has {self.imbalance:.1f} times the "
                f"training images of the smallest ({self.smallest}). Accuracy alone can mislead; "
                "balanced accuracy is reported beside it."
            )
        if self.unreadable:
            named = ", ".join(self.unreadable[:_NAMED]) + (
                " …" if len(self.unreadable) > _NAMED else ""
            )
            verb = "is" if len(self.unreadable) == 1 else "are"
            found.append(
                f"{len(self.unreadable)} of {self.checked:,} training files cannot be read and "
                f"{verb} left out: {named}."
            )
        if self.duplicates:
            verb = "equals" if self.duplicates == 1 else "equal"
            found.append(
                f"{self.duplicates:,} of the {self.test_images:,} test images {verb} a training "
                "image: the test accuracy will be too high."
            )
        return [*found, *self.notes]


def look(options: DataOptions) -> DataSummary:
    """Look at the data set of `options`.

    The pixels of test images are compared with those of training images and not used otherwise.

    >>> found = look(DataOptions(dataset="digits"))
    >>> found.train_images, found.size, len(found.classes)
    (1442, 8, 10)

    Raises:
        UserError: The data set is unknown, missing or faulty.
    """
    source = open_source(options)
    classes = len(source.classes)
    sides = _sides(source)
    checked, unreadable = _unreadable(source)
    return DataSummary(
        dataset=options.dataset,
        classes=source.classes,
        train_counts=_counts(source.train.labels, classes),
        test_counts=_counts(source.test.labels, classes),
        kind=source.target.kind,
        totals=(len(source.train), len(source.test)),
        # Oblong images have a usual size for networks, which is not their own.
        size=source.size if source.size == sides[1] else None,
        sides=sides,
        files=isinstance(source.train, ImageFiles),
        checked=checked,
        unreadable=unreadable,
        duplicates=_duplicates(source),
        tested=source.tested,
        notes=tuple(note for note in source.notes if not _COPIES.search(note)),
    )


def _counts(labels: Tensor, classes: int) -> tuple[int, ...]:
    if labels.dim() == 2:
        return tuple(labels.sum(0, dtype=torch.int64).tolist())
    return tuple(labels.bincount(minlength=classes).tolist())


def _sides(source: Source) -> tuple[int, int, int]:
    images = source.train
    if isinstance(images, ImageTensor):
        side = min(images.pixels.shape[2:])
        return side, side, side
    if not isinstance(images, ImageFiles):
        side = source.size or 0
        return side, side, side
    step = max(1, len(images) // _MOST_HEADERS)
    found = sorted(side for path in images.paths[::step] if (side := _side(path)))
    if not found:
        return 0, 0, 0
    return found[0], found[len(found) // 2], found[-1]


def _side(path: str) -> int:
    """The shorter side of an image file, 0 if its header cannot be read."""
    try:
        with Image.open(path) as image:
            return min(image.size)
    except Exception:  # Each of Pillow's plug-ins raises what it likes.
        return 0


def _unreadable(source: Source) -> tuple[int, tuple[str, ...]]:
    """How many training files were decoded, and which of them cannot be."""
    images = source.train
    if not isinstance(images, ImageFiles):
        return 0, ()
    chosen = images.subset(torch.arange(0, len(images), max(1, -(-len(images) // _MOST_READ))))
    broken = find_broken(chosen, "reading training images")
    return len(chosen), tuple(chosen.paths[index] for index in broken)


def _duplicates(source: Source) -> int:
    """The number of test images that equal a training image."""
    train, test = source.train, source.test
    if isinstance(train, ImageFiles) and isinstance(test, ImageFiles):
        return sum(1 for _ in duplicates(train.paths, test.paths))
    if isinstance(train, ImageTensor) and isinstance(test, ImageTensor):
        known = Counter(map(_digest, train.pixels))
        return sum(_digest(image) in known for image in test.pixels)
    return 0


def _digest(image: Tensor) -> bytes:
    return hashlib.sha256(image.contiguous().cpu().numpy().tobytes()).digest()
