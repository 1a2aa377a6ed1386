"""What every network here is: an image classifier that can also serve as a backbone."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Classifier(nn.Module):
    """An image classifier. `forward(images, drop_path=0.0, generator=None)` takes images
    `[B, 3, H, W]` and returns the logits `[B, num_classes]` and those of the auxiliary head, or
    None.

    Attributes:
        description: Plain values from which `darts.models.registry.network_from_description`
            rebuilds the network.
        resolution: Side of the images that the network is meant for, in pixels.
        auxiliary_head: A second classifier, used in training only, or None.
        dropout: Probability of dropping an input of the classifier in training.
        feature_channels: Channels of each feature map, finest map first.
        feature_strides: The factor by which each map is smaller than the image, ascending.
    """

    description: dict[str, Any]
    resolution: int
    auxiliary_head: nn.Module | None
    dropout: float
    feature_channels: tuple[int, ...]
    feature_strides: tuple[int, ...]

    def check_image_size(self, height: int, width: int) -> None:
        """Raise UserError unless the network takes images of this size."""
        raise NotImplementedError

    def features(self, images: Tensor) -> tuple[Tensor, ...]:
        """One map `[B, feature_channels[i], H / feature_strides[i], W / …]` for each scale i."""
        raise NotImplementedError
