"""Costs of MBConv networks in closed form: without building them, and for many at once.

The formulas follow the layers of `ops.mbconv`; tests compare them with `darts.costs.count.count` of
the module. The same is counted: multiply-adds of convolutions (including those of
squeeze-excitations) and of the classifier, whatever the padding; outputs of convolutions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from darts.models.arrays import FloatArray, IntArray, Number
from darts.models.mbconv.config import (
    Head,
    MBConvConfig,
    MBConvStage,
    MBConvStem,
    mbconv_squeezed_width,
    round_width,
    strided_size,
)
from darts.models.staged_cost import StagedCost


@dataclass(frozen=True, kw_only=True)
class MBConvCost(StagedCost[Number]):
    """Costs of MBConv networks for one image.

    >>> from darts.models.mbconv.zoo import B0
    >>> mbconv_cost(B0).params
    5288548

    Attributes:
        averaged: Elements that are averaged over the image, in squeeze-excitations and in the head.
    """

    averaged: Number

    @property
    def fbnet_flops(self) -> Number:
        """Multiply-adds and averaged elements: the rule behind FBNetV3's published figures."""
        return self.macs + self.averaged

    @property
    def published(self) -> Mapping[str, Number]:
        return {"flops by mobile-vision": self.fbnet_flops}


@dataclass(frozen=True, kw_only=True)
class MBConvTable:
    """N MBConv networks with the same stem, head and rounding.

    Attributes:
        depths, widths, kernels, strides, expansions, se_ratios: Arrays `[N, stages]`, see
            `MBConvStage`.
        paddings: Array `[N, stages]`; -1 for kernel // 2.
        stem_widths, head_widths, head_expansions: Arrays `[N]`, see `MBConvConfig`.
        stem, stem_bias, head, channel_multiple: See `MBConvConfig`.
    """

    depths: IntArray
    widths: IntArray
    kernels: IntArray
    strides: IntArray
    expansions: FloatArray
    se_ratios: FloatArray
    paddings: IntArray
    stem_widths: IntArray
    head_widths: IntArray
    head_expansions: FloatArray
    stem: MBConvStem = "imagenet"
    stem_bias: bool = False
    head: Head = "conv"
    channel_multiple: int = 1

    @classmethod
    def from_config(cls, config: MBConvConfig) -> MBConvTable:
        """The table of one network."""

        def column(name: str) -> Any:
            values = [getattr(stage, name) for stage in config.stages]
            return np.array([[-1 if value is None else value for value in values]])

        return cls(
            **{f"{field.name}s": column(field.name) for field in fields(MBConvStage)},
            stem_widths=np.array([config.stem_width]),
            head_widths=np.array([config.head_width]),
            head_expansions=np.array([config.head_expansion]),
            stem=config.stem,
            stem_bias=config.stem_bias,
            head=config.head,
            channel_multiple=config.channel_multiple,
        )

    def __len__(self) -> int:
        return len(self.widths)


def mbconv_cost(
    config: MBConvConfig, *, resolution: int | None = None, num_classes: int = 1000
) -> MBConvCost[int]:
    """The cost of one network for a square image of `resolution` pixels, by default its own."""
    resolution = config.resolution if resolution is None else resolution
    table = MBConvTable.from_config(config)
    return mbconv_costs(table, resolution=resolution, num_classes=num_classes).at(0)


def mbconv_costs(
    table: MBConvTable, *, resolution: ArrayLike = 224, num_classes: int = 1000
) -> MBConvCost[IntArray]:
    """The costs of N networks, arrays `[N]`.

    Args:
        resolution: Side of the square images: a number, or an array `[N]`.
    """
    c_in = np.asarray(table.stem_widths, np.int64)
    size = np.broadcast_to(np.asarray(resolution, np.int64), c_in.shape)
    size = size if table.stem == "cifar" else -(-size // 2)
    total = _conv_norm(3, c_in, 3, size)
    total[0] += c_in * table.stem_bias
    for stage in range(table.widths.shape[1]):
        width, kernel = table.widths[:, stage], table.kernels[:, stage]
        expansion, se_ratio = table.expansions[:, stage], table.se_ratios[:, stage]
        stride, padding = table.strides[:, stage], table.paddings[:, stage]
        smaller = strided_size(size, kernel, stride, np.where(padding < 0, kernel // 2, padding))
        shape = (width, kernel, expansion, se_ratio, table.channel_multiple)
        total += _block(c_in, *shape, size, smaller)
        size, c_in = smaller, width
        total += (table.depths[:, stage] - 1) * _block(c_in, *shape, size, size)
    total += _head(table, c_in, size)
    params, macs, activations, averaged = total
    classifier = table.head_widths * num_classes
    return MBConvCost(
        params=params + classifier + num_classes,
        conv_macs=macs,
        linear_macs=classifier,
        activations=activations,
        averaged=averaged,
    )


def _block(
    c_in: IntArray,
    width: IntArray,
    kernel: IntArray,
    expansion: FloatArray,
    se_ratio: FloatArray,
    multiple: int,
    size: IntArray,
    smaller: IntArray,
) -> IntArray:
    """Counts `[4, N]` of one block that reduces images of `size` to `smaller`."""
    inner = round_width(c_in * expansion, multiple, 0.95)
    counts = (inner != c_in) * _conv_norm(c_in, inner, 1, size)
    counts += _conv_norm(1, inner, kernel, smaller)
    counts += _conv_norm(inner, width, 1, smaller)
    squeezed = mbconv_squeezed_width(c_in, se_ratio, multiple)
    weights, biases = 2 * inner * squeezed, (inner + squeezed) * (squeezed > 0)
    averaged = inner * smaller * smaller * (squeezed > 0)
    return counts + np.stack([weights + biases, weights, biases, averaged])


def _head(table: MBConvTable, c_in: IntArray, size: IntArray) -> IntArray:
    """The counts [4, N] up to the classifier; after MBPool the authors average once more."""
    width = table.head_widths
    if table.head == "conv":
        counts = _conv_norm(c_in, width, 1, size)
        counts[3] += width * size * size
        return counts
    inner = round_width(c_in * table.head_expansions, table.channel_multiple, 0.95)
    counts = _conv_norm(c_in, inner, 1, size)
    return counts + np.stack([inner * width, inner * width, width, inner * size * size + width])


def _conv_norm(
    c_in: IntArray | int, c_out: IntArray, kernel: IntArray | int, size: IntArray
) -> IntArray:
    """Parameters, multiply-adds, outputs, averaged `[4, N]`; c_in: input channels of a group."""
    weights = kernel**2 * c_in * c_out
    pixels = size * size
    return np.stack([weights + 2 * c_out, weights * pixels, c_out * pixels, 0 * c_out])
