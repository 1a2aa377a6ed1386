"""The images that a network is built for."""

from __future__ import annotations

from dataclasses import dataclass

from darts.models.stems import choose_stem


@dataclass(frozen=True, kw_only=True)
class ImageSpec:
    """Images as a network sees them.

    Attributes:
        stem: "cifar" or "imagenet", as in derived networks.
        resolution: Side of the square images, in pixels.
        num_classes: Number of classes.

    >>> ImageSpec.of(32, 10).stem
    'cifar'
    """

    stem: str
    resolution: int
    num_classes: int

    @classmethod
    def of(cls, resolution: int, num_classes: int, stem: str = "auto") -> ImageSpec:
        """The specification, with the stem chosen by the resolution if it is "auto"."""
        chosen = choose_stem(stem, resolution)
        return cls(resolution=resolution, num_classes=num_classes, stem=chosen)
