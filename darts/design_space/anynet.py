"""AnyNet: a stem, stages of one kind of block, mean, linear classifier.

Source: RegNet (arXiv 2003.13678, §3.2); layers and initial weights are those of its code pycls.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from darts.design_space.config import AnyNetConfig, Stage, squeezed_width
from darts.errors import UserError
from darts.features import scales_of, stage_maps
from ops.blocks import ConvNorm, ResidualBottleneck, ResidualConv, VanillaConv
from ops.initialise import initialise_by_fan_out
from ops.regularize import Noise, dropout, needed_noise


class AnyNet(nn.Module):
    """An image classifier of `config`.

    Args:
        num_classes: Number of classes.
        generator: Random stream of the initial weights; by default torch's global one.

    Raises:
        UserError: `num_classes` is not positive.
    """

    # Derived networks may have one; training asks.
    auxiliary_head = None

    def __init__(
        self,
        config: AnyNetConfig,
        *,
        num_classes: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if num_classes < 1:
            raise UserError(f"A network needs num_classes of at least 1, not {num_classes}.")
        self.config = config
        # Plain values that `darts.models.network_from_description` rebuilds this network from.
        self.description: dict[str, Any] = {
            "anynet": config.as_dict(),
            "num_classes": num_classes,
        }
        self.resolution = 32 if config.stem == "cifar" else 224
        self.stem = _create_stem(config)
        self.stages = nn.ModuleList()
        c_in = config.stem_width
        for stage in config.stages:
            blocks = nn.ModuleList()
            for number in range(stage.depth):
                stride = 1 if number else stage.stride
                blocks.append(_create_block(config, stage, c_in, stride))
                c_in = stage.width
            self.stages.append(blocks)
        self.classifier = nn.Linear(c_in, num_classes)
        self.dropout = 0.0
        self._depth = sum(stage.depth for stage in config.stages)
        self._scales = scales_of(config.stages, _stride(config))
        self.feature_channels = self._scales.channels
        self.feature_strides = self._scales.strides
        initialise_by_fan_out(self, generator)

    def check_image_size(self, height: int, width: int) -> None:
        """Raise UserError unless every stride has more than one pixel to act on."""
        self.config.check_image_size(height, width)

    def forward(
        self, images: Tensor, drop_path: float = 0.0, generator: Noise | None = None
    ) -> tuple[Tensor, None]:
        """Logits `[B, num_classes]` of images `[B, 3, H, W]`, and None for an auxiliary head's.

        Args:
            drop_path: Probability of dropping a sample's residual branch; it grows linearly with
                depth: block i of n, from 0, has i/n of it. Without effect at test.
            generator: Noise of drop path and dropout, needed in training with either.
        """
        self.check_image_size(*images.shape[-2:])
        generator = needed_noise(self.training, drop_path, self.dropout, generator)
        x = self.stem(images)
        number = 0
        for stage in self.stages:
            assert isinstance(stage, nn.ModuleList)
            for block in stage:
                x = block(x, drop_path * number / self._depth, generator)
                number += 1
        features = x.mean(dim=(2, 3))
        if generator is not None:
            features = dropout(features, self.dropout, generator)
        return self.classifier(features), None

    def features(self, images: Tensor) -> tuple[Tensor, ...]:
        """Feature maps, see `darts.features`: what the last stage of each scale gives."""
        self.check_image_size(*images.shape[-2:])
        return stage_maps(self.stem(images), self.stages, self._scales)


def _stride(config: AnyNetConfig) -> int:
    return {"resnet": 4, "cifar": 1}.get(config.stem, 2)


def _create_stem(config: AnyNetConfig) -> nn.Module:
    width = config.stem_width
    if config.stem == "resnet":
        first = ConvNorm(3, width, 7, stride=2, relu=True)
        return nn.Sequential(first, nn.MaxPool2d(3, 2, padding=1))
    return ConvNorm(3, width, 3, stride=1 if config.stem == "cifar" else 2, relu=True)


def _create_block(config: AnyNetConfig, stage: Stage, c_in: int, stride: int) -> nn.Module:
    if config.block == "v":
        return VanillaConv(c_in, stage.width, stride=stride)
    if config.block == "vr":
        return ResidualConv(c_in, stage.width, stride=stride)
    return ResidualBottleneck(
        c_in,
        stage.width,
        inner=stage.inner_width,
        stride=stride,
        groups=stage.inner_width // stage.group_width if config.block == "x" else 1,
        squeezed=int(squeezed_width(c_in, stage.se_ratio)),
    )
