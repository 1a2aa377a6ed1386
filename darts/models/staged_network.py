"""A stem, stages of blocks, a head and a linear classifier: the module of a `StagedConfig`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor, nn

from darts.errors import UserError
from darts.models.classifier import Classifier
from darts.models.features import scales_of, stage_maps
from darts.models.staged_config import StagedConfig
from ops.regularize import Noise, dropout, needed_noise


class StagedNetwork(Classifier):
    """The classifier of a config; each family adds `stem`, `stages` and `classifier`.

    Attributes:
        key: The key of the config in the network's description, in files and in checkpoints.

    Raises:
        UserError: `num_classes` is not positive.
    """

    key: ClassVar[str]
    auxiliary_head = None

    stem: nn.Module
    stages: nn.ModuleList
    classifier: nn.Module

    def __init__(self, config: StagedConfig, num_classes: int) -> None:
        super().__init__()
        if num_classes < 1:
            raise UserError(f"A network needs num_classes of at least 1, not {num_classes}.")
        self.config = config
        # Plain values that `darts.models.registry.network_from_description` rebuilds this network
        # from.
        self.description: dict[str, Any] = {
            self.key: config.as_dict(),
            "num_classes": num_classes,
        }
        self.resolution = config.resolution
        self.dropout = 0.0
        self._depth = config.depth
        self._scales = scales_of(config.stages, config.stem_stride)
        self.feature_channels = self._scales.channels
        self.feature_strides = self._scales.strides

    @property
    def averaged(self) -> nn.Module:
        """The last block; families with a head have another module."""
        last = self.stages[-1]
        assert isinstance(last, nn.ModuleList)
        return last[-1]

    def check_image_size(self, height: int, width: int) -> None:
        """Raise UserError unless at least one pixel is left after every stride."""
        self.config.check_image_size(height, width)

    def pooled(self, x: Tensor) -> Tensor:
        """The classifier's input `[B, C]` from the last block's output `[B, C', H, W]`."""
        return x.mean(dim=(2, 3))

    def forward(
        self, images: Tensor, drop_path: float = 0.0, generator: Noise | None = None
    ) -> tuple[Tensor, None]:
        """Logits `[B, num_classes]`, and None because there is no auxiliary head.

        Args:
            images: `[B, 3, H, W]`; see `check_image_size`.
            drop_path: Probability of dropping a residual branch, per image, in training. It grows
                linearly with depth: block i of n (from 0) has i/n of it, as in EfficientNet's code
                (0.2 there).
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
        features = self.pooled(x)
        if generator is not None:
            features = dropout(features, self.dropout, generator)
        return self.classifier(features), None

    def features(self, images: Tensor) -> tuple[Tensor, ...]:
        """Feature maps, see `darts.models.features`: the output of the last stage of each scale."""
        self.check_image_size(*images.shape[-2:])
        return stage_maps(self.stem(images), self.stages, self._scales)


def create_stages(
    config: StagedConfig, c_in: int, create_block: Callable[[Any, int, bool], nn.Module]
) -> nn.ModuleList:
    """The blocks of each stage, for a stem of `c_in` channels.

    Args:
        create_block: (stage, channels of the block's input, whether the block is the first of its
            stage) -> block. Only the first block strides.
    """
    stages = nn.ModuleList()
    for stage in config.stages:
        blocks = nn.ModuleList()
        for number in range(stage.depth):
            blocks.append(create_block(stage, c_in, number == 0))
            c_in = stage.width
        stages.append(blocks)
    return stages
