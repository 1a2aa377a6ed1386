"""What every kind of data set gives before size, subsets and statistics are settled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from darts.data.channels import ChannelStatistics
from darts.data.dataset import ImageSet


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """A data set as it was found.

    Args:
        classes: One name a class.
        train: Training images.
        test: Test images.
        flip: Whether a mirror image keeps its class.
        size: Side in pixels at which to show the images, unless the user wants another; None where
            they are not square.
        statistics: Published mean and standard deviation of the channels, if there are any.
        root: Where images are files, the folder that they lie below.
    """

    classes: tuple[str, ...]
    train: ImageSet
    test: ImageSet
    flip: bool
    size: int | None
    statistics: ChannelStatistics | None = None
    root: Path | None = None

    @property
    def folder(self) -> Path:
        """`root`, of images that are files."""
        assert self.root is not None
        return self.root
