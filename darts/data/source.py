"""A data set as it is opened, before size, subset and statistics are chosen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from darts.data.channels import ChannelStatistics
from darts.data.dataset import ImageSet
from darts.targets.single import SINGLE
from darts.targets.target import LearningTask


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """A data set as it is opened.

    Attributes:
        classes: Name of each class.
        train: Training images.
        test: Test images.
        flip: Whether a mirrored image has the same class.
        size: Default image size in pixels; None if the images are not square.
        statistics: Published statistics of the channels, if there are any.
        root: The folder that contains the images, if they are files.
        tested: What the test images are, in words; empty if there is nothing to say.
        notes: What the user should know about how the data were read, in sentences.
        target: What a network learns from the labels.
    """

    classes: tuple[str, ...]
    train: ImageSet
    test: ImageSet
    flip: bool
    size: int | None
    statistics: ChannelStatistics | None = None
    root: Path | None = None
    tested: str = ""
    notes: tuple[str, ...] = ()
    target: LearningTask = SINGLE

    def sentences(self, test: bool) -> list[str]:
        """What the user should know, with the numbers of images.

        Args:
            test: Whether the test images are used.
        """
        images = f"{len(self.train):,} training images"
        if test:
            images += f", {len(self.test):,} test images ({self.tested})"
        return [f"{len(self.classes)} classes, {images}.", *self.notes]

    @property
    def folder(self) -> Path:
        """`root` of a data set of files."""
        assert self.root is not None
        return self.root
