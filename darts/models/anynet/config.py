"""An AnyNet as plain values.

Source: RegNet (arXiv 2003.13678, §3.2 and appendix D). The bottleneck ratio is the paper's b: the
3x3 convolution of a stage of width w has w / b channels. (The paper's code, pycls, stores 1 / b as
BOT_MUL.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from darts.errors import UserError
from darts.models.arrays import IntArray
from darts.models.staged_config import StagedConfig, count_problem

# x: residual bottleneck with group convolution (with se_ratio > 0: the paper's Y block); r: x
# without groups; v: one 3x3 convolution; vr: v with a shortcut; b: two of them with a shortcut, the
# basic block of ResNets.
Block = Literal["x", "r", "v", "vr", "b"]
# simple: 3x3, stride 2; resnet: 7x7, stride 2, and max pooling; cifar: 3x3, stride 1.
AnyNetStem = Literal["simple", "resnet", "cifar"]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage of blocks of one width; only the first block strides.

    >>> Stage(depth=3, width=256, bottleneck=4, group_width=64).inner_width
    64

    Attributes:
        depth: Number of blocks, d_i.
        width: Channels of the blocks' output, w_i.
        stride: Stride of the first block.
        bottleneck: Bottleneck ratio b_i; not used by blocks v, vr and b.
        group_width: Channels of a group, g_i; used by block x only.
        se_ratio: Channels of the squeeze-excitation divided by those of the block's *input*; 0 for
            no squeeze-excitation.
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
    """A stem, stages of blocks, global average pooling and a linear classifier.

    >>> config = AnyNetConfig(stages=(Stage(depth=2, width=24, group_width=8),))
    >>> config.depth, config.total_stride
    (2, 4)

    Attributes:
        stages: The stages, from the stem to the classifier.
        block: "x", "r", "v", "vr" or "b".
        stem: "simple" (3x3, stride 2), "resnet" (7x7, stride 2, max pooling) or "cifar" (3x3,
            stride 1).
        stem_width: Channels of the stem's output.

    Raises:
        UserError: No such network exists; the message names the stage and the value.
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
        if self.block in ("v", "vr", "b"):
            return f"block {self.block!r} has no squeeze-excitation" if stage.se_ratio else None
        if self.block == "x" and stage.inner_width % stage.group_width:
            return (
                f"groups of {stage.group_width} channels do not divide the bottleneck's "
                f"{stage.inner_width}; see compatible_widths"
            )
        return None

    @property
    def stem_stride(self) -> int:
        """The factor by which the stem divides height and width."""
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
    """Strides of the stages after a stem.

    After "simple" all are 2. After "resnet" the first one is 1, because the stem's max pooling
    strides instead. After "cifar" only the last three stages stride, from 32 pixels to 4 (with two
    stages to 8, as in the CIFAR network of pycls).

    >>> stage_strides("resnet", 4)
    (1, 2, 2, 2)
    """
    strided = {"simple": stages, "resnet": stages - 1, "cifar": min(stages, 3)}[stem]
    return (1,) * (stages - strided) + (2,) * strided


def compatible_widths(
    widths: ArrayLike, bottlenecks: ArrayLike, group_widths: ArrayLike
) -> tuple[IntArray, IntArray]:
    """The nearest widths and group widths for which the groups divide the bottlenecks.

    As in pycls: a group is at most as wide as the bottleneck v = w / b. v is rounded to the nearest
    multiple of the group width (and of 1 / b if that is above 1), halves to even, but to at least
    one multiple; then w = v · b. Widths change by at most a third (appendix D). All arrays
    broadcast.

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
    """Channels of the squeeze-excitation in a block of `c_in` input channels; 0 if the ratio is 0.

    Halves are rounded to even. The ratio refers to the block's input, not to its bottleneck.

    >>> int(squeezed_width(24, 0.25))
    6
    """
    ratio = np.asarray(se_ratio, np.float64)
    squeezed = np.rint(np.asarray(c_in, np.int64) * ratio).astype(np.int64)
    return np.where(ratio > 0, np.maximum(squeezed, 1), 0)
