"""Random changes of brightness, contrast, saturation and hue for a whole batch.

The formulas are those of torchvision's ColorJitter; each image has its own factors. Functions take
and return images `[B, 3, H, W]` in 0..1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def jitter(images: Tensor, changes: Tensor, order: Sequence[int]) -> Tensor:
    """Change brightness, contrast, saturation and hue of images `[B, 3, H, W]`.

    >>> grey = torch.full((1, 3, 1, 1), 0.5)
    >>> changes = torch.tensor([[0.2], [0.0], [0.0], [0.0]])
    >>> [round(value, 3) for value in jitter(grey, changes, [0, 1, 2, 3]).flatten().tolist()]
    [0.6, 0.6, 0.6]

    Args:
        images: Values in 0..1.
        changes: One row `[B]` for each of brightness, contrast and saturation (0: no change, -1:
            none left) and hue (in full turns of the colour circle): `[4, B]`.
        order: Order of the four steps, a permutation of 0..3.
    """
    steps = (adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue)
    for step in order:
        images = steps[step](images, changes[step].view(-1, 1, 1, 1))
    return images


def adjust_brightness(images: Tensor, change: Tensor) -> Tensor:
    """Multiply by 1 + `change` `[B, 1, 1, 1]`."""
    return (images * (1 + change)).clamp_(0, 1)


def adjust_contrast(images: Tensor, change: Tensor) -> Tensor:
    """Scale the distance from the mean luma of the image by 1 + `change`."""
    return _away_from(_grey(images).mean((2, 3), keepdim=True), images, change)


def adjust_saturation(images: Tensor, change: Tensor) -> Tensor:
    """Scale the distance from the luma of each pixel by 1 + `change`."""
    return _away_from(_grey(images), images, change)


def adjust_hue(images: Tensor, turn: Tensor) -> Tensor:
    """Rotate the hue of HSV by `turn` of a full circle; value and saturation are unchanged."""
    red, green, blue = images.split(1, dim=1)
    value = images.amax(1, keepdim=True)
    chroma = value - images.amin(1, keepdim=True)
    span = torch.where(chroma > 0, chroma, 1)  # a grey pixel has no hue; any divisor but 0 will do
    sixths = torch.where(
        value == red,
        (green - blue).div_(span),
        torch.where(
            value == green, (blue - red).div_(span).add_(2), (red - green).div_(span).add_(4)
        ),
    )
    offsets = torch.tensor([5.0, 3.0, 1.0], dtype=images.dtype).view(1, 3, 1, 1)
    # Modulo 1 by subtracting the floor: `%` of floats is slow on CPUs.
    place = (offsets.to(images.device, non_blocking=True) + sixths.add_(6 * turn)).div_(6)
    place.sub_(place.floor()).mul_(6)
    return value - torch.minimum(place, 4 - place).clamp_(0, 1).mul_(chroma)


def _away_from(base: Tensor, images: Tensor, change: Tensor) -> Tensor:
    return torch.lerp(base, images, 1 + change).clamp_(0, 1)


def _grey(images: Tensor) -> Tensor:
    """Luma of ITU-R BT.601, `[B, 1, H, W]`."""
    red, green, blue = images.split(1, dim=1)
    return (0.299 * red).add_(green, alpha=0.587).add_(blue, alpha=0.114)
