"""Costs of AnyNets in closed form: without building them, and for many at once.

The formulas follow the layers of `ops.blocks`; tests compare them with `darts.costs.count.count` of
the module. There are two counting rules:
- ours: multiply-adds of convolutions and linear layers; outputs of convolutions (RegNet,
  arXiv 2003.13678, §4);
- the rule of pycls, behind the paper's figures: "flops" are multiply-adds plus one addition for
  each output *channel* with a bias; "acts" are the outputs of convolutions, linear layers and max
  pooling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from darts.models.anynet.config import AnyNetConfig, Block, squeezed_width
from darts.models.anynet.table import AnyNetTable
from darts.models.arrays import FloatArray, IntArray, Number
from darts.models.staged_cost import StagedCost


@dataclass(frozen=True, kw_only=True)
class AnyNetCost(StagedCost[Number]):
    """Costs of AnyNets for one image.

    >>> from darts.models.anynet.zoo import RESNETS
    >>> cost = anynet_cost(RESNETS["resnet50"])
    >>> cost.params, cost.macs
    (25557032, 4089184256)

    Attributes:
        biases: Number of biases of convolutions and classifier.
        other_outputs: Output elements of the classifier and of max pooling.
    """

    biases: Number
    other_outputs: Number

    @property
    def pycls_flops(self) -> Number:
        """Multiply-adds and additions of biases, as in the published figures."""
        return self.macs + self.biases

    @property
    def pycls_acts(self) -> Number:
        """Outputs of convolutions, linear layers and max pooling, as in the published figures."""
        return self.activations + self.other_outputs

    @property
    def published(self) -> Mapping[str, Number]:
        return {"flops by pycls": self.pycls_flops, "acts by pycls": self.pycls_acts}


def anynet_cost(
    config: AnyNetConfig, *, resolution: int = 224, num_classes: int = 1000
) -> AnyNetCost[int]:
    """The cost of one network for a square image of `resolution` pixels."""
    table = AnyNetTable.from_config(config)
    return anynet_costs(table, resolution=resolution, num_classes=num_classes).at(0)


def anynet_costs(
    table: AnyNetTable, *, resolution: int = 224, num_classes: int = 1000
) -> AnyNetCost[IntArray]:
    """The costs of N networks for a square image of `resolution` pixels, arrays `[N]`."""
    inner = np.rint(table.widths / table.bottlenecks).astype(np.int64)
    group_widths = inner if table.block == "r" else table.group_widths
    total, pooled, size = _stem_cost(table, resolution)
    c_in = np.full(len(table), table.stem_width)
    for stage in range(table.stages):
        width, stride = table.widths[:, stage], table.strides[:, stage]
        layers = (width, inner[:, stage], group_widths[:, stage], table.se_ratios[:, stage])
        total = total + _block_cost(table.block, c_in, *layers, size, stride)
        size, c_in = -(-size // stride), width
        rest = _block_cost(table.block, c_in, *layers, size, np.ones_like(stride))
        total += (table.depths[:, stage] - 1) * rest
    params, macs, activations, biases = total
    return AnyNetCost(
        params=params + (c_in + 1) * num_classes,
        conv_macs=macs,
        linear_macs=c_in * num_classes,
        activations=activations,
        biases=biases + num_classes,
        other_outputs=np.full(len(table), pooled + num_classes),
    )


def _stem_cost(table: AnyNetTable, resolution: int) -> tuple[IntArray, int, IntArray]:
    """Counts `[4, N]` of the stem, outputs of its pooling, and the image size `[N]` after it."""
    size, width = resolution, np.full(len(table), table.stem_width)
    size = size if table.stem == "cifar" else -(-size // 2)
    counts = _conv_norm(3, width, 7 if table.stem == "resnet" else 3, size)
    if table.stem == "resnet":
        size = -(-size // 2)
        return counts, table.stem_width * size**2, np.full_like(width, size)
    return counts, 0, np.full_like(width, size)


def _block_cost(
    block: Block,
    c_in: IntArray,
    width: IntArray,
    inner: IntArray,
    group_width: IntArray,
    se_ratio: FloatArray,
    size: IntArray,
    stride: IntArray,
) -> IntArray:
    """Counts `[4, N]` of one block on images of `size`."""
    smaller = -(-size // stride)
    if block in ("v", "vr", "b"):
        counts = _conv_norm(c_in, width, 3, smaller)
        if block == "b":
            counts += _conv_norm(width, width, 3, smaller)
    else:
        counts = _conv_norm(c_in, inner, 1, size)
        counts += _conv_norm(group_width, inner, 3, smaller)
        counts += _conv_norm(inner, width, 1, smaller)
        counts += _squeeze_excite(inner, squeezed_width(c_in, se_ratio))
    if block != "v":
        changes = (c_in != width) | (stride != 1)
        counts += changes * _conv_norm(c_in, width, 1, smaller)
    return counts


def _conv_norm(
    c_in: IntArray | int, c_out: IntArray, kernel: int, size: IntArray | int
) -> IntArray:
    """Parameters, multiply-adds, outputs and biases `[4, N]`; c_in: input channels of a group."""
    weights = kernel**2 * c_in * c_out
    pixels = size * size
    return np.stack([weights + 2 * c_out, weights * pixels, c_out * pixels, 0 * c_out])


def _squeeze_excite(channels: IntArray, squeezed: IntArray) -> IntArray:
    """The same counts of a squeeze-excitation; zeros where `squeezed` is 0."""
    weights = 2 * channels * squeezed
    biases = (channels + squeezed) * (squeezed > 0)
    return np.stack([weights + biases, weights, biases, biases])
