"""Base class of all networks: an image classifier that can also serve as a backbone."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Classifier(nn.Module):
    """An image classifier.

    `forward(images, drop_path=0.0, generator=None)` takes images `[B, 3, H, W]`. It returns the
    logits `[B, num_classes]` and the logits of the auxiliary head, or None if there is no such
    head or the network is not training.

    >>> import torch
    >>> from darts.models.registry import create_network, find_model
    >>> network = create_network(find_model("regnetx_200mf"), num_classes=10, stem="cifar")
    >>> [tuple(x.shape) for x in network.features(torch.zeros(1, 3, 32, 32))]
    [(1, 24, 32, 32), (1, 56, 16, 16), (1, 152, 8, 8), (1, 368, 4, 4)]

    Attributes:
        description: Plain values from which `darts.models.registry.network_from_description`
            rebuilds the network.
        resolution: Side of the images that the network is designed for, in pixels.
        auxiliary_head: A second classifier that is used only in training, or None.
        dropout: Probability of zeroing an input of the classifier in training.
        feature_channels: Channels of each feature map, highest resolution first.
        feature_strides: Stride of each feature map relative to the image, ascending.
    """

    description: dict[str, Any]
    resolution: int
    auxiliary_head: nn.Module | None
    dropout: float
    feature_channels: tuple[int, ...]
    feature_strides: tuple[int, ...]

    @property
    def averaged(self) -> nn.Module:
        """The module whose output `[B, C, h, w]` is averaged over the image for the classifier."""
        raise NotImplementedError

    def check_image_size(self, height: int, width: int) -> None:
        """Check that the network takes images of this size.

        Raises:
            UserError: The images are too small, or their size does not fit the strides.
        """
        raise NotImplementedError

    def features(self, images: Tensor) -> tuple[Tensor, ...]:
        """Feature maps `[B, feature_channels[i], H / s, W / s]` with s = `feature_strides[i]`."""
        raise NotImplementedError
