"""The module of an `MBConvConfig`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from darts.errors import UserError
from darts.features import scales_of, stage_maps
from darts.mobile.config import MBConvConfig
from ops.initialise import initialise_by_group_fan_out
from ops.mobile_blocks import ConvHead, MBConv, MBPool, MobileConv
from ops.regularize import Noise, dropout, needed_noise


class MBConvNet(nn.Module):
    """An image classifier of `config`.

    `stem`, `stages` (each a list of blocks), `head` and `classifier` follow one another; what a
    stage puts out is a feature map at the stride of its `config.sizes`.

    Initial weights are EfficientNet's; the sheet of FBNetV3 says only which norms begin at zero.

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
        config: MBConvConfig,
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
            "mbconv": config.as_dict(),
            "num_classes": num_classes,
        }
        self.resolution = config.resolution
        style = config.style
        c_in = config.stem_width
        stride = 1 if config.stem == "cifar" else 2
        self.stem = MobileConv(3, c_in, 3, style=style, stride=stride, bias=config.stem_bias)
        self.stages = nn.ModuleList()
        for stage in config.stages:
            blocks = nn.ModuleList()
            for number in range(stage.depth):
                block = MBConv(
                    c_in,
                    stage.width,
                    inner=config.inner_width(c_in, stage.expansion),
                    style=style,
                    kernel=stage.kernel,
                    stride=1 if number else stage.stride,
                    squeezed=config.squeezed_width(c_in, stage.se_ratio),
                    padding=None if number else stage.padding,
                )
                blocks.append(block)
                c_in = stage.width
            self.stages.append(blocks)
        if config.head == "pool":
            inner = config.inner_width(c_in, config.head_expansion)
            self.head: nn.Module = MBPool(c_in, config.head_width, inner=inner, style=style)
        else:
            self.head = ConvHead(c_in, config.head_width, style=style)
        self.classifier = nn.Linear(config.head_width, num_classes)
        self.dropout = config.dropout
        self._scales = scales_of(config.stages, stride)
        self.feature_channels = self._scales.channels
        self.feature_strides = self._scales.strides
        initialise_by_group_fan_out(self, generator)
        if config.zero_gamma:
            for part in self.modules():
                if isinstance(part, MBConv) and part.skips:
                    nn.init.zeros_(part.project.norm.weight)

    def check_image_size(self, height: int, width: int) -> None:
        """Raise UserError unless every stride has more than one pixel to act on."""
        self.config.check_image_size(height, width)

    def forward(
        self, images: Tensor, drop_path: float = 0.0, generator: Noise | None = None
    ) -> tuple[Tensor, None]:
        """Logits `[B, num_classes]` of images `[B, 3, H, W]`, and None for an auxiliary head's.

        Args:
            drop_path: Probability of dropping a sample's branch beside a skip; it grows linearly
                with depth: block i of n, from 0, has i/n of it (EfficientNet's code; 0.2 there).
                Without effect at test.
            generator: Noise of drop path and dropout, needed in training with either.
        """
        self.check_image_size(*images.shape[-2:])
        generator = needed_noise(self.training, drop_path, self.dropout, generator)
        x = self.stem(images)
        number = 0
        for stage in self.stages:
            assert isinstance(stage, nn.ModuleList)
            for block in stage:
                x = block(x, drop_path * number / self.config.depth, generator)
                number += 1
        features = self.head(x)
        if generator is not None:
            features = dropout(features, self.dropout, generator)
        return self.classifier(features), None

    def features(self, images: Tensor) -> tuple[Tensor, ...]:
        """Feature maps, see `darts.features`: what the last stage of each scale gives."""
        self.check_image_size(*images.shape[-2:])
        return stage_maps(self.stem(images), self.stages, self._scales)
