"""An AnyNet as plain values: what makes two networks of the design spaces differ.

Source: RegNet (arXiv 2003.13678, §3.2 and appendix D). The bottleneck ratio is the paper's b: the
3x3 convolution of a stage of width w has w / b channels (pycls stores 1 / b as BOT_MUL).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from darts.errors import UserError
from darts.models.arrays import IntArray
from darts.models.staged_config import StagedConfig, count_problem

# X: residual bottleneck with groups; a Y block is an X block with squeeze-excitation; R: X without
# groups; V: one 3x3 convolution; VR: V beside a shortcut.
Block = Literal["x", "r", "v", "vr"]
# simple: 3x3, stride 2; resnet: 7x7, stride 2, and max pooling; cifar: 3x3, stride 1.
AnyNetStem = Literal["simple", "resnet", "cifar"]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Blocks of one width; the first one strides.

    Attributes:
        depth: Number of blocks, d_i.
        width: Channels of the blocks' output, w_i.
        stride: Stride of the first block.
        bottleneck: Bottleneck ratio b_i, without meaning for blocks V and VR.
        group_width: Channels of a group, g_i, without meaning but for block X.
        se_ratio: Channels of the squeeze-excitation over those of its block's *input*; 0: none.
    """

    depth: int
    width: int
    stride: int = 2
    bottleneck: float = 1.0
    group_width: int = 1
    se_ratio: float = 0.0

    @property
    def inner_width(self) -> int:
        """Channels of the bottleneck's 3x3 convolution, w_b."""
        return round(self.width / self.bottleneck)


@dataclass(frozen=True, kw_only=True)
class AnyNetConfig(StagedConfig):
    """A stem, stages of blocks, and a linear classifier on the mean over the image.

    Raises:
        UserError: No such network exists; the message says which stage and value is at fault.
    """

    kind = "an AnyNet"
    stage_type = Stage

    stages: tuple[Stage, ...]
    block: Block = "x"
    stem: AnyNetStem = "simple"
    stem_width: int = 32

    def __post_init__(self) -> None:
        if self.block not in get_args(Block):
            raise UserError(f"There is no block {self.block!r} ({', '.join(get_args(Block))}).")
        if self.stem not in get_args(AnyNetStem):
            raise UserError(f"There is no stem {self.stem!r} ({', '.join(get_args(AnyNetStem))}).")
        if not self.stages:
            raise UserError("An AnyNet needs at least one stage.")
        if self.stem_width < 1:
            raise UserError(f"A stem needs a width of at least 1, not {self.stem_width}.")
        for number, stage in enumerate(self.stages, 1):
            if problem := self._problem(stage):
                raise UserError(f"Stage {number} of an AnyNet: {problem}.")

    def _problem(self, stage: Stage) -> str | None:
        for name in ("depth", "width", "stride", "group_width"):
            if problem := count_problem(name, getattr(stage, name)):
                return problem
        if not stage.bottleneck > 0:
            return f"bottleneck is a positive ratio, not {stage.bottleneck}"
        if not stage.se_ratio >= 0:
            return f"se_ratio is 0 or positive, not {stage.se_ratio}"
        if self.block in ("v", "vr"):
            return f"block {self.block!r} has no squeeze-excitation" if stage.se_ratio else None
        if self.block == "x" and stage.inner_width % stage.group_width:
            return (
                f"groups of {stage.group_width} channels do not divide the bottleneck's "
                f"{stage.inner_width}; see compatible_widths"
            )
        return None

    @property
    def stem_stride(self) -> int:
        """What the stem divides the image's height and width by."""
        return {"cifar": 1, "simple": 2, "resnet": 4}[self.stem]

    @property
    def resolution(self) -> int:
        """Side of the images that the network is meant for, in pixels."""
        return 32 if self.stem == "cifar" else 224

    def for_small_images(self) -> AnyNetConfig:
        """The form for images of about 32 pixels: the stem "cifar" and the strides that fit it."""
        strides = stage_strides("cifar", len(self.stages))
        stages = (
            replace(stage, stride=stride)
            for stage, stride in zip(self.stages, strides, strict=True)
        )
        return replace(self, stem="cifar", stages=tuple(stages))


def stage_strides(stem: AnyNetStem, stages: int) -> tuple[int, ...]:
    """Strides of so many stages after a stem.

    All are 2 after "simple"; the max pooling of "resnet" stands for the first one. After "cifar"
    only the last three stages stride, which takes 32 pixels to 4 (to 8 for two stages, as in the
    CIFAR network of pycls).
    """
    strided = {"simple": stages, "resnet": stages - 1, "cifar": min(stages, 3)}[stem]
    return (1,) * (stages - strided) + (2,) * strided


def compatible_widths(
    widths: ArrayLike, bottlenecks: ArrayLike, group_widths: ArrayLike
) -> tuple[IntArray, IntArray]:
    """Widths and group widths nearest to the given ones such that groups divide bottlenecks.

    As in pycls: a group is at most as wide as the bottleneck v = w / b; v is rounded to the nearest
    multiple of the group width (and of 1 / b where that is above 1), halves to even, but not below
    one multiple; w = v · b. It changes by at most a third (appendix D). All arrays broadcast.

    >>> compatible_widths([24, 152, 392], 1, 16)
    (array([ 32, 160, 384]), array([16, 16, 16]))
    """
    ratio = np.asarray(bottlenecks, np.float64)
    inner = np.maximum(1, np.asarray(widths, np.float64) / ratio).astype(np.int64)
    groups = np.minimum(np.asarray(group_widths, np.int64), inner)
    multiple = np.where(ratio < 1, np.lcm(groups, np.rint(1 / ratio).astype(np.int64)), groups)
    inner = np.maximum(multiple, np.rint(inner / multiple).astype(np.int64) * multiple)
    return np.rint(inner * ratio).astype(np.int64), groups


def squeezed_width(c_in: ArrayLike, se_ratio: ArrayLike) -> IntArray:
    """Channels of the squeeze-excitation in a block of `c_in` input channels; ratio 0: none.

    Rounded half to even. The ratio refers to the block's input, not to its bottleneck.
    """
    ratio = np.asarray(se_ratio, np.float64)
    squeezed = np.rint(np.asarray(c_in, np.int64) * ratio).astype(np.int64)
    return np.where(ratio > 0, np.maximum(squeezed, 1), 0)
