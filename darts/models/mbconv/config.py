"""A network of MBConv blocks as plain values; EfficientNets and FBNetV3s differ in nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeVar, get_args

import numpy as np
from numpy.typing import ArrayLike

from darts.errors import UserError
from darts.models.arrays import IntArray
from darts.models.staged_config import StagedConfig, count_problem
from ops.mbconv import Activation, Gate, LayerStyle, Padding

# imagenet: 3x3, stride 2; cifar: 3x3, stride 1.
MBConvStem = Literal["imagenet", "cifar"]
# conv: 1x1 convolution, then the mean over the image; pool: MBPool.
Head = Literal["conv", "pool"]

Sizes = TypeVar("Sizes", int, IntArray)


def round_width(widths: ArrayLike, multiple: int = 8, least: float = 0.9) -> IntArray:
    """The nearest multiples, halves up, but at least one multiple and not below `least` · width.

    `least` is 0.9 for EfficientNet's filters (round_filters in its code), 0.95 for FBNetV3's.

    >>> round_width([35.2, 36, 12, 21, 3]), round_width(10, least=0.95)
    (array([32, 40, 16, 24,  8]), array(16))
    """
    exact = np.asarray(widths, np.float64)
    nearest = np.maximum(np.floor(exact / multiple + 0.5), 1) * multiple
    return np.where(nearest < least * exact, nearest + multiple, nearest).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class MBConvStage:
    """Blocks of one shape; the first one strides.

    Attributes:
        depth: Number of blocks.
        width: Channels of the blocks' output.
        kernel: Side of the depthwise kernel; odd.
        stride: Stride of the first block.
        expansion: Channels of the depthwise convolution over those of its block's input.
        se_ratio: Channels of the squeeze-excitation over those of its block's *input*; 0: none.
        padding: Pixels around the strided depthwise convolution; None: what keeps the size. Some
            FBNetV3 have other ones and lose a ring of pixels.
    """

    depth: int
    width: int
    kernel: int = 3
    stride: int = 1
    expansion: float = 6.0
    se_ratio: float = 0.0
    padding: int | None = None


@dataclass(frozen=True, kw_only=True)
class MBConvConfig(StagedConfig):
    """A 3x3 stem, stages of MBConv blocks, a head, dropout and a linear classifier.

    Attributes:
        stem_bias: Whether the stem's convolution has biases beside its norm (FBNetV3).
        head_width: Channels that the classifier reads.
        head_expansion: Channels that MBPool averages over those of its input.
        channel_multiple: What the channels of depthwise convolutions and squeeze-excitations are
            rounded to multiples of (`round_width`, 0.95); the latter are rounded down first.
        padding: Around strided convolutions: symmetric, or TensorFlow's "same".
        dropout: Before the classifier, in training.
        norm_momentum, norm_eps: Of all batch norms; the momentum as torch means it.
        zero_gamma: Whether the last norm of each block with a skip begins at zero.
        resolution: Side of the images that it is meant for.

    Raises:
        UserError: No such network exists; the message says which stage and value is at fault.
    """

    kind = "an MBConv network"
    stage_type = MBConvStage

    stages: tuple[MBConvStage, ...]
    stem: MBConvStem = "imagenet"
    stem_width: int = 32
    stem_bias: bool = False
    head: Head = "conv"
    head_width: int = 1280
    head_expansion: float = 6.0
    channel_multiple: int = 1
    activation: Activation = "swish"
    gate: Gate = "sigmoid"
    padding: Padding = "symmetric"
    dropout: float = 0.0
    norm_momentum: float = 0.01
    norm_eps: float = 1e-3
    zero_gamma: bool = False
    resolution: int = 224

    def __post_init__(self) -> None:
        if problem := self._problem():
            raise UserError(f"An MBConv network: {problem}.")
        for number, stage in enumerate(self.stages, 1):
            if problem := _stage_problem(stage):
                raise UserError(f"Stage {number} of an MBConv network: {problem}.")

    def _problem(self) -> str | None:
        choices = {
            "stem": MBConvStem,
            "head": Head,
            "activation": Activation,
            "gate": Gate,
            "padding": Padding,
        }
        for name, known in choices.items():
            if (value := getattr(self, name)) not in get_args(known):
                return f"{name} is one of {', '.join(get_args(known))}, not {value!r}"
        if not self.stages:
            return "it needs at least one stage"
        for name in ("stem_width", "head_width", "channel_multiple", "resolution"):
            if problem := count_problem(name, getattr(self, name)):
                return problem
        if not 0 <= self.dropout < 1:
            return f"dropout lies in [0, 1), not {self.dropout}"
        if not self.norm_eps > 0 or not 0 <= self.norm_momentum <= 1:
            return "norm_eps is positive and norm_momentum lies in [0, 1]"
        if not self.head_expansion > 0:
            return f"head_expansion is positive, not {self.head_expansion}"
        return None

    @property
    def style(self) -> LayerStyle:
        """What all its layers have in common."""
        return LayerStyle(
            activation=self.activation,
            gate=self.gate,
            padding=self.padding,
            norm_momentum=self.norm_momentum,
            norm_eps=self.norm_eps,
        )

    @property
    def stem_stride(self) -> int:
        """What the stem divides the image's height and width by."""
        return 1 if self.stem == "cifar" else 2

    @property
    def smallest_image(self) -> int:
        """Side of the smallest image that leaves every stride a pixel."""
        smallest = self.total_stride
        while self.sizes(smallest)[-1] < 1:
            smallest += 1
        return smallest

    def sizes(self, size: int) -> tuple[int, ...]:
        """Side of the image after the stem and after each stage."""
        sizes = [size if self.stem == "cifar" else -(-size // 2)]
        for stage in self.stages:
            sizes.append(strided_size(sizes[-1], stage.kernel, stage.stride, stage.padding))
        return tuple(sizes)

    def inner_width(self, c_in: int, expansion: float) -> int:
        """Channels of the depthwise convolution in a block of `c_in` input channels."""
        return int(round_width(c_in * expansion, self.channel_multiple, 0.95))

    def squeezed_width(self, c_in: int, se_ratio: float) -> int:
        """Channels of the squeeze-excitation in a block of `c_in` input channels; ratio 0: none."""
        return int(mbconv_squeezed_width(c_in, se_ratio, self.channel_multiple))

    def for_small_images(self) -> MBConvConfig:
        """The form for 32 pixels: stem and first strided stage no longer stride, 4x4 at the end.

        FBNetV3's paper keeps the stem's stride on CIFAR-10 and drops the next one only; here all
        families have one form. Odd paddings go: of 8x8 pixels none is to spare.
        """
        if self.stem == "cifar":
            return self
        strided = [number for number, stage in enumerate(self.stages) if stage.stride > 1]
        stages = (
            replace(stage, padding=None, stride=1 if number in strided[:1] else stage.stride)
            for number, stage in enumerate(self.stages)
        )
        return replace(self, stem="cifar", stages=tuple(stages), resolution=32)


def _stage_problem(stage: MBConvStage) -> str | None:
    for name in ("depth", "width", "kernel", "stride"):
        if problem := count_problem(name, getattr(stage, name)):
            return problem
    if stage.kernel % 2 == 0:
        return f"kernel is odd, not {stage.kernel}"
    if not stage.expansion > 0:
        return f"expansion is positive, not {stage.expansion}"
    if not stage.se_ratio >= 0:
        return f"se_ratio is 0 or positive, not {stage.se_ratio}"
    if stage.padding is not None and (stage.padding < 0 or stage.stride == 1):
        return "padding is 0 or positive, and only a strided stage has one"
    return None


def strided_size(size: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes | None = None) -> Sizes:
    """Side of the image after a convolution; padding None: kernel // 2, or "same" alike."""
    around = kernel // 2 if padding is None else padding
    return (size + 2 * around - kernel) // stride + 1


def mbconv_squeezed_width(c_in: ArrayLike, se_ratio: ArrayLike, multiple: int) -> IntArray:
    """Channels of squeeze-excitations in blocks of `c_in` input channels; ratio 0: none.

    Rounded down, then to a multiple, at least one. In both families' code the ratio refers to the
    block's input, not to what it is expanded to.
    """
    ratio = np.asarray(se_ratio, np.float64)
    rounded_down = np.floor(np.asarray(c_in, np.int64) * ratio + 1e-9)
    return np.where(ratio > 0, round_width(rounded_down, multiple, 0.95), 0)
