"""Statistics of the colour channels of a data set. Torch-free."""

from __future__ import annotations

from typing import NamedTuple

Rgb = tuple[float, float, float]
"""One number for each of red, green and blue."""


class ChannelStatistics(NamedTuple):
    """Mean and standard deviation of each colour channel, for pixel values in 0..1.

    An image x with values in 0..255 is normalised to (x / 255 - mean) / std.

    >>> ChannelStatistics.grey(0.5, 0.25).mean
    (0.5, 0.5, 0.5)

    Attributes:
        mean: Mean of red, green and blue.
        std: Standard deviation of red, green and blue.
    """

    mean: Rgb
    std: Rgb

    @classmethod
    def grey(cls, mean: float, std: float) -> ChannelStatistics:
        """The statistics of grey images, which are shown as three equal channels."""
        return cls((mean, mean, mean), (std, std, std))
