"""RegNet: widths from a line, quantised to a few stages (arXiv 2003.13678, §3.3, Eq. 2 to 4).

Block j = 0, 1, … has the width

    u_j = w_0 + w_a · j                                     (Eq. 2)
    s_j = round(log(u_j / w_0) / log(w_m))                  (Eq. 3)
    w_j = w_0 · w_m^s_j, rounded to a multiple of 8         (Eq. 4)

Consecutive blocks of equal width form a stage. Halves are rounded to even, as in pycls.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from darts.errors import UserError
from darts.models.anynet.config import (
    AnyNetConfig,
    AnyNetStem,
    Block,
    Stage,
    compatible_widths,
    stage_strides,
)
from darts.models.arrays import FloatArray, IntArray

QUANTUM = 8  # Widths are multiples of this.


@dataclass(frozen=True, kw_only=True)
class RegNet:
    """The parameters of a RegNet: RegNetX, or RegNetY with squeeze-excitation (`se_ratio` 1/4).

    >>> model = RegNet(depth=13, w0=24, wa=36.44, wm=2.49, group_width=8)
    >>> [(stage.depth, stage.width) for stage in model.config().stages]
    [(1, 24), (1, 56), (4, 152), (7, 368)]

    Attributes:
        depth: Number of blocks, d.
        w0: Initial width, a multiple of 8.
        wa: Slope, at least 0.
        wm: Ratio of the widths of consecutive stages, above 1.
        group_width: Channels of a group, g, before `compatible_widths`.
        bottleneck: Bottleneck ratio, b.
        se_ratio: See `Stage`.

    Raises:
        UserError: A parameter is outside its range.
    """

    depth: int
    w0: int
    wa: float
    wm: float
    group_width: int
    bottleneck: float = 1.0
    se_ratio: float = 0.0

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise UserError(f"A RegNet needs a depth of at least 1, not {self.depth}.")
        if self.w0 < QUANTUM or self.w0 % QUANTUM:
            raise UserError(f"A RegNet's w0 is a positive multiple of {QUANTUM}, not {self.w0}.")
        if not self.wa >= 0:
            raise UserError(f"A RegNet's wa is at least 0, not {self.wa}.")
        if not self.wm > 1:
            raise UserError(f"A RegNet's wm is above 1, not {self.wm}.")

    def block_widths(self) -> IntArray:
        """Width of each block `[depth]`, before `compatible_widths`."""
        exponents = exponents_of(np.arange(self.depth), self.w0, self.wa, self.wm)
        return quantised_widths(self.w0, self.wm, exponents)

    def config(
        self, *, block: Block = "x", stem: AnyNetStem = "simple", stem_width: int = 32
    ) -> AnyNetConfig:
        """The network of these parameters."""
        widths, depths = np.unique(self.block_widths(), return_counts=True)
        widths, groups = compatible_widths(widths, self.bottleneck, self.group_width)
        strides = stage_strides(stem, len(widths))
        stages = tuple(
            Stage(
                depth=int(depth),
                width=int(width),
                stride=stride,
                bottleneck=self.bottleneck,
                group_width=int(group),
                se_ratio=self.se_ratio,
            )
            for depth, width, stride, group in zip(depths, widths, strides, groups, strict=True)
        )
        return AnyNetConfig(stages=stages, block=block, stem=stem, stem_width=stem_width)

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def exponents_of(blocks: ArrayLike, w0: ArrayLike, wa: ArrayLike, wm: ArrayLike) -> IntArray:
    """The exponents s_j (Eq. 3) of block numbers j; arrays broadcast."""
    start, ratio = np.asarray(w0, np.float64), np.asarray(wm, np.float64)
    line = np.asarray(blocks, np.int64) * np.asarray(wa, np.float64) + start
    return np.rint(np.log(line / start) / np.log(ratio)).astype(np.int64)


def quantised_widths(w0: ArrayLike, wm: ArrayLike, exponents: ArrayLike) -> IntArray:
    """w_0 · w_m^exponent, rounded to a multiple of 8 (Eq. 4); arrays broadcast."""
    power = np.power(np.asarray(wm, np.float64), np.asarray(exponents, np.int64))
    return np.rint(np.asarray(w0, np.float64) * power / QUANTUM).astype(np.int64) * QUANTUM


def stages_of(
    depths: IntArray, w0: FloatArray, wa: FloatArray, wm: FloatArray, stages: int
) -> tuple[IntArray, IntArray, IntArray]:
    """The stages of those M of N RegNets that have exactly `stages` stages.

    As in pycls, a RegNet is not valid if it skips an exponent, or if two of its exponents give the
    same width.

    Returns:
        Indices `[M]` of these RegNets; depths and widths `[M, stages]` of their stages, before
        `compatible_widths`.
    """
    chosen = np.flatnonzero(exponents_of(depths - 1, w0, wa, wm) == stages - 1)
    depths, w0, wa, wm = depths[chosen, None], w0[chosen, None], wa[chosen, None], wm[chosen, None]
    blocks, numbers = np.arange(depths.max(initial=0)), np.arange(stages)
    exponents = np.where(blocks < depths, exponents_of(blocks, w0, wa, wm), -1)
    counted = (exponents[..., None] == numbers).sum(axis=1)
    widths = quantised_widths(w0, wm, numbers)
    valid = (counted > 0).all(axis=1) & (np.diff(widths, axis=1) > 0).all(axis=1)
    return chosen[valid], counted[valid], widths[valid]
