"""Scaling of an MBConv network in depth, width and resolution."""

from __future__ import annotations

import math
from dataclasses import replace

from darts.models.mbconv.config import MBConvConfig, round_width


def scaled_mbconv(
    base: MBConvConfig, *, width: float, depth: float, resolution: int
) -> MBConvConfig:
    """Multiply the widths of `base` by `width` and its depths by `depth`; set the resolution.

    Source: the code of EfficientNet (tensorflow/tpu, round_filters and round_repeats). Widths,
    including those of stem and head, are rounded by `round_width` to multiples of gcd(width of the
    base, 8), so that a factor of 1 changes nothing. Depths are rounded up.

    >>> from darts.models.mbconv.zoo import B0
    >>> scaled_mbconv(B0, width=1.1, depth=1.2, resolution=260).depth
    23
    """

    def rounded(filters: int) -> int:
        return int(round_width(filters * width, math.gcd(filters, 8)))

    stages = (
        replace(
            stage,
            width=rounded(stage.width),
            # The subtraction keeps floating-point noise from adding a block.
            depth=math.ceil(stage.depth * depth - 1e-9),
        )
        for stage in base.stages
    )
    return replace(
        base,
        stages=tuple(stages),
        stem_width=rounded(base.stem_width),
        head_width=rounded(base.head_width),
        resolution=resolution,
    )
