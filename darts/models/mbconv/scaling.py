"""How an MBConv network is scaled in depth, width and resolution."""

from __future__ import annotations

import math
from dataclasses import replace

from darts.models.mbconv.config import MBConvConfig, round_width


def scaled_mbconv(
    base: MBConvConfig, *, width: float, depth: float, resolution: int
) -> MBConvConfig:
    """`base` with other widths, depths and resolution, rounded as in EfficientNet's code.

    Filters, those of stem and head included, are rounded to multiples of 8 (`round_width`), or of
    the 4, 2 or 1 that divides the base's, so that factors of 1 change nothing; repeats are rounded
    up.
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
