"""Scaling of an AnyNet in depth and width."""

from __future__ import annotations

import math
from dataclasses import replace

from darts.models.anynet.config import AnyNetConfig, compatible_widths
from darts.models.rounding import nearest_multiple


def scaled_anynet(
    base: AnyNetConfig, *, width: float, depth: float, resolution: int
) -> AnyNetConfig:
    """Multiply the widths of `base` by `width` and its depths by `depth`.

    Depths are rounded to the nearest integer. Widths, including the stem's, are rounded to
    multiples of gcd(width of the base, 8), then by `compatible_widths` (RegNet, arXiv 2003.13678,
    appendix D). Group widths do not change, except in a ResNet: there each bottleneck is a single
    group, which grows with it. The config does not depend on `resolution`.

    >>> from darts.models.anynet.zoo import REGNETS
    >>> base = REGNETS["regnetx_200mf"].config()
    >>> [stage.width for stage in scaled_anynet(base, width=2, depth=1, resolution=224).stages]
    [48, 112, 304, 736]
    """

    def rounded(channels: int) -> int:
        return nearest_multiple(channels * width, math.gcd(channels, 8))

    whole = all(stage.group_width == stage.inner_width for stage in base.stages)
    stages = []
    for stage in base.stages:
        channels, group_width = rounded(stage.width), stage.group_width
        if base.block == "x":
            group_width = max(1, round(channels / stage.bottleneck)) if whole else group_width
            widths, groups = compatible_widths(channels, stage.bottleneck, group_width)
            channels, group_width = int(widths), int(groups)
        blocks = nearest_multiple(stage.depth * depth, 1)
        stages.append(replace(stage, depth=blocks, width=channels, group_width=group_width))
    return replace(base, stages=tuple(stages), stem_width=rounded(base.stem_width))
