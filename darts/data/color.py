"""Brightness, contrast, saturation and hue of whole batches, each image by its own factor."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def jitter(images: Tensor, changes: Tensor, order: Sequence[int]) -> Tensor:
    """Change the colours of images [B, 3, H, W] in 0..1 by `changes` [4, B], in `order`.

    Rows of `changes` are brightness, contrast, saturation (0 leaves the image, -1 takes all away)
    and hue (in turns of the colour circle), as in torchvision's ColorJitter.
    """
    steps = (adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue)
    for step in order:
        images = steps[step](images, changes[step].view(-1, 1, 1, 1))
    return images


def adjust_brightness(images: Tensor, change: Tensor) -> Tensor:
    return (images * (1 + change)).clamp_(0, 1)


def adjust_contrast(images: Tensor, change: Tensor) -> Tensor:
    return _away_from(_grey(images).mean((2, 3), keepdim=True), images, change)


def adjust_saturation(images: Tensor, change: Tensor) -> Tensor:
    return _away_from(_grey(images), images, change)


def adjust_hue(images: Tensor, turn: Tensor) -> Tensor:
    """Turn the hue of HSV by `turn` of a full circle, with value and saturation unchanged."""
    red, green, blue = images.split(1, dim=1)
    value = images.amax(1, keepdim=True)
    chroma = value - images.amin(1, keepdim=True)
    span = torch.where(chroma > 0, chroma, 1)  # a grey pixel has no hue, and none is needed
    sixths = torch.where(
        value == red,
        (green - blue).div_(span),
        torch.where(
            value == green, (blue - red).div_(span).add_(2), (red - green).div_(span).add_(4)
        ),
    )
    offsets = torch.tensor([5.0, 3.0, 1.0], dtype=images.dtype).view(1, 3, 1, 1)
    # Whole turns by hand: `%` of floats is slow on CPUs.
    place = (offsets.to(images.device, non_blocking=True) + sixths.add_(6 * turn)).div_(6)
    place.sub_(place.floor()).mul_(6)
    return value - torch.minimum(place, 4 - place).clamp_(0, 1).mul_(chroma)


def _away_from(base: Tensor, images: Tensor, change: Tensor) -> Tensor:
    return torch.lerp(base, images, 1 + change).clamp_(0, 1)


def _grey(images: Tensor) -> Tensor:
    """Luma of ITU-R BT.601, [B, 1, H, W]."""
    red, green, blue = images.split(1, dim=1)
    return (0.299 * red).add_(green, alpha=0.587).add_(blue, alpha=0.114)
