"""AnyNet: a stem, stages of one kind of block, global average pooling, a linear classifier.

Source: RegNet (arXiv 2003.13678, §3.2). Layers and initial weights are those of its code, pycls.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from darts.models.anynet.config import AnyNetConfig, Stage, squeezed_width
from darts.models.staged_network import StagedNetwork, create_stages
from ops.blocks import ConvNorm, ResidualBasic, ResidualBottleneck, ResidualConv, VanillaConv
from ops.initialise import initialise_by_fan_out


class AnyNet(StagedNetwork):
    """The network of an `AnyNetConfig`.

    >>> from darts.models.anynet.zoo import REGNETS
    >>> network = AnyNet(REGNETS["regnetx_200mf"].config(stem="cifar"), num_classes=10).eval()
    >>> network(torch.zeros(1, 3, 32, 32))[0].shape
    torch.Size([1, 10])

    Args:
        config: Stem, stages and blocks.
        num_classes: Number of classes.
        generator: Random stream of the initial weights; by default torch's global one.

    Raises:
        UserError: `num_classes` is not positive.
    """

    key = "anynet"
    config: AnyNetConfig

    def __init__(
        self,
        config: AnyNetConfig,
        *,
        num_classes: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(config, num_classes)
        self.stem = _create_stem(config)
        self.stages = create_stages(config, config.stem_width, partial(_create_block, config))
        self.classifier = nn.Linear(config.stages[-1].width, num_classes)
        initialise_by_fan_out(self, generator)


def _create_stem(config: AnyNetConfig) -> nn.Module:
    width = config.stem_width
    if config.stem == "resnet":
        first = ConvNorm(3, width, 7, stride=2, relu=True)
        return nn.Sequential(first, nn.MaxPool2d(3, 2, padding=1))
    return ConvNorm(3, width, 3, stride=1 if config.stem == "cifar" else 2, relu=True)


def _create_block(config: AnyNetConfig, stage: Stage, c_in: int, first: bool) -> nn.Module:
    stride = stage.stride if first else 1
    if config.block == "v":
        return VanillaConv(c_in, stage.width, stride=stride)
    if config.block == "vr":
        return ResidualConv(c_in, stage.width, stride=stride)
    if config.block == "b":
        return ResidualBasic(c_in, stage.width, stride=stride)
    return ResidualBottleneck(
        c_in,
        stage.width,
        inner=stage.inner_width,
        stride=stride,
        groups=stage.inner_width // stage.group_width if config.block == "x" else 1,
        squeezed=int(squeezed_width(c_in, stage.se_ratio)),
    )
