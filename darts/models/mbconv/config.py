"""A network of MBConv blocks as plain values: EfficientNet (arXiv 1905.11946) and FBNetV3."""

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
# conv: 1x1 convolution, then global average pooling; pool: MBPool.
Head = Literal["conv", "pool"]

Sizes = TypeVar("Sizes", int, IntArray)


def round_width(widths: ArrayLike, multiple: int = 8, least: float = 0.9) -> IntArray:
    """Round widths to the nearest multiples, halves up.

    The result is at least one multiple and at least `least` · width: 0.9 for EfficientNet's filters
    (round_filters in its code), 0.95 for FBNetV3's.

    >>> round_width([35.2, 36, 12, 21, 3]), round_width(10, least=0.95)
    (array([32, 40, 16, 24,  8]), array(16))
    """
    exact = np.asarray(widths, np.float64)
    nearest = np.maximum(np.floor(exact / multiple + 0.5), 1) * multiple
    return np.where(nearest < least * exact, nearest + multiple, nearest).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class MBConvStage:
    """A stage of blocks of one shape; only the first block strides.

    Attributes:
        depth: Number of blocks.
        width: Channels of the blocks' output.
        kernel: Kernel size of the depthwise convolution; odd.
        stride: Stride of the first block.
        expansion: Channels of the depthwise convolution divided by those of the block's input.
        se_ratio: Channels of the squeeze-excitation divided by those of the block's *input*; 0 for
            no squeeze-excitation.
        padding: Padding of the strided depthwise convolution; None for kernel // 2. Some FBNetV3
            networks use a smaller padding and lose the outermost pixels.
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

    >>> config = MBConvConfig(stages=(MBConvStage(depth=1, width=16, stride=2),))
    >>> config.sizes(224), config.total_stride
    ((112, 56), 4)

    Attributes:
        stages: The stages, from the stem to the head.
        stem: "imagenet" (stride 2) or "cifar" (stride 1).
        stem_width: Channels of the stem's output.
        stem_bias: Whether the stem's convolution has biases, although a batch norm follows
            (FBNetV3).
        head: "conv" (1x1 convolution, then global average pooling) or "pool" (MBPool).
        head_width: Channels of the classifier's input.
        head_expansion: Channels that MBPool averages, divided by those of its input.
        channel_multiple: The channels of depthwise convolutions and squeeze-excitations are rounded
            to multiples of this (`round_width` with 0.95); the latter are rounded down first.
        activation: Activation of all layers.
        gate: Gate of the squeeze-excitations.
        padding: Padding of strided convolutions: "symmetric", or TensorFlow's "same".
        dropout: Dropout probability before the classifier, in training.
        norm_momentum, norm_eps: Momentum (in torch's sense) and epsilon of all batch norms.
        zero_gamma: Whether the weights of the last batch norm of each block with a skip start at 0.
        resolution: Side of the images that the network is meant for.

    Raises:
        UserError: No such network exists; the message names the stage and the value.
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
        """The settings that all layers share."""
        return LayerStyle(
            activation=self.activation,
            gate=self.gate,
            padding=self.padding,
            norm_momentum=self.norm_momentum,
            norm_eps=self.norm_eps,
        )

    @property
    def stem_stride(self) -> int:
        """The factor by which the stem divides height and width."""
        return 1 if self.stem == "cifar" else 2

    @property
    def smallest_image(self) -> int:
        """Side of the smallest image that leaves at least one pixel after every stride."""
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
        """Channels of the squeeze-excitation in such a block; 0 if the ratio is 0."""
        return int(mbconv_squeezed_width(c_in, se_ratio, self.channel_multiple))

    def for_small_images(self) -> MBConvConfig:
        """The form for 32 pixels: stem and first strided stage no longer stride; 4x4 at the end.

        Departure: FBNetV3's paper keeps the stem's stride on CIFAR-10 and removes the next one
        only; here all families have the same form. Paddings other than kernel // 2 are removed,
        because an image of 8x8 pixels cannot lose any.
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
    """Side of the image after a convolution.

    (size + 2 · padding - kernel) // stride + 1, with padding kernel // 2 for None; TensorFlow's
    "same" gives the same side.
    """
    around = kernel // 2 if padding is None else padding
    return (size + 2 * around - kernel) // stride + 1


def mbconv_squeezed_width(c_in: ArrayLike, se_ratio: ArrayLike, multiple: int) -> IntArray:
    """Channels of squeeze-excitations in blocks of `c_in` input channels; 0 if the ratio is 0.

    The product is rounded down, then to a multiple, at least one. In the code of EfficientNet and
    of FBNetV3 the ratio refers to the block's input, not to its expanded channels.
    """
    ratio = np.asarray(se_ratio, np.float64)
    rounded_down = np.floor(np.asarray(c_in, np.int64) * ratio + 1e-9)
    return np.where(ratio > 0, round_width(rounded_down, multiple, 0.95), 0)
