"""The module of an `MBConvConfig`."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from darts.models.mbconv.config import MBConvConfig, MBConvStage
from darts.models.staged_network import StagedNetwork, create_stages
from ops.initialise import initialise_by_group_fan_out
from ops.mbconv import ConvHead, MBConv, MBPool, MobileConv


class MBConvNet(StagedNetwork):
    """The network of an `MBConvConfig`.

    Its modules are `stem`, `stages` (each a list of blocks), `head` and `classifier`, in this
    order.

    Initial weights are those of EfficientNet's code (tensorflow/tpu). For FBNetV3 only the batch
    norms that start at zero are known from its code (mobile-vision), see `MBConvConfig.zero_gamma`.

    >>> from darts.models.mbconv.zoo import B0
    >>> network = MBConvNet(B0.for_small_images(), num_classes=10).eval()
    >>> network(torch.zeros(1, 3, 32, 32))[0].shape
    torch.Size([1, 10])

    Args:
        config: Stem, stages and head.
        num_classes: Number of classes.
        generator: Random stream of the initial weights; by default torch's global one.

    Raises:
        UserError: `num_classes` is not positive.
    """

    key = "mbconv"
    config: MBConvConfig

    def __init__(
        self,
        config: MBConvConfig,
        *,
        num_classes: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(config, num_classes)
        style, width = config.style, config.stem_width
        self.stem = MobileConv(
            3, width, 3, style=style, stride=config.stem_stride, bias=config.stem_bias
        )
        self.stages = create_stages(config, width, partial(_create_block, config))
        c_in = config.stages[-1].width
        if config.head == "pool":
            inner = config.inner_width(c_in, config.head_expansion)
            self.head: MBPool | ConvHead = MBPool(c_in, config.head_width, inner=inner, style=style)
        else:
            self.head = ConvHead(c_in, config.head_width, style=style)
        self.classifier = nn.Linear(config.head_width, num_classes)
        self.dropout = config.dropout
        initialise_by_group_fan_out(self, generator)
        if config.zero_gamma:
            for part in self.modules():
                if isinstance(part, MBConv) and part.skips:
                    nn.init.zeros_(part.project.norm.weight)

    @property
    def averaged(self) -> nn.Module:
        """The 1x1 convolution of the head before the spatial mean."""
        return self.head.expand if isinstance(self.head, MBPool) else self.head.conv

    def pooled(self, x: Tensor) -> Tensor:
        return self.head(x)


def _create_block(config: MBConvConfig, stage: MBConvStage, c_in: int, first: bool) -> MBConv:
    return MBConv(
        c_in,
        stage.width,
        inner=config.inner_width(c_in, stage.expansion),
        style=config.style,
        kernel=stage.kernel,
        stride=stage.stride if first else 1,
        squeezed=config.squeezed_width(c_in, stage.se_ratio),
        padding=stage.padding if first else None,
    )
