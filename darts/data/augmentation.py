"""Random changes of whole batches on the device, each image by its own draws.

A call draws from one CPU generator, always the same numbers in the same order whatever is switched
on: runs with and without cutout see the same crops. The images may be a
share of a batch: the draws are those of the whole batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from darts.data.channels import Rgb
from darts.settings.options import PHOTOGRAPH_SIZE
from darts.system.share import WHOLE, Share

Policy = Literal["cifar", "imagenet", "none"]


class Transform(Protocol):
    """Turns images [B, 3, H, W] uint8 into what a network reads, [B, 3, S, S] float32."""

    def __call__(
        self, images: Tensor, generator: torch.Generator, share: Share = WHOLE
    ) -> Tensor: ...


def policy_of(augment: Literal["auto", "cifar", "imagenet", "none"], size: int) -> Policy:
    """The policy that `augment` means for images of `size` pixels."""
    if augment == "auto":
        return "imagenet" if size >= PHOTOGRAPH_SIZE else "cifar"
    return augment


def stored_size(size: int, policy: Policy) -> int:
    """Side of the images before augmentation: 256 for 224, as ImageNet networks are tested."""
    return round(size * 256 / 224) if policy == "imagenet" else size


@dataclass(frozen=True, kw_only=True)
class Normalization:
    """The test transform: the middle square of `size` pixels, normalised; draws nothing."""

    mean: Rgb
    std: Rgb
    size: int

    def __call__(
        self, images: Tensor, generator: torch.Generator | None = None, share: Share = WHOLE
    ) -> Tensor:
        top = round((images.shape[2] - self.size) / 2)
        left = round((images.shape[3] - self.size) / 2)
        middle = images[:, :, top : top + self.size, left : left + self.size]
        return normalise(middle.float(), self.mean, self.std)


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random crop of the zero-padded image, mirror image, normalisation, cutout.

    The CIFAR recipe of DARTS and PC-DARTS (4.2). Padding is black, not grey: it happens before
    normalisation, as in torchvision; the cutout square is 0 after it, as in DARTS.

    Args:
        mean: Of the channels, in 0..1.
        std: Likewise.
        crop_padding: Pixels added on each side before a crop of the old size is taken; 4 for 32.
        flip: Mirror half of the images.
        cutout: Side in pixels of the blanked square; its centre is any pixel, so that it may stick
            out. 0 is none, and an odd side counts as the even one below.
    """

    mean: Rgb
    std: Rgb
    crop_padding: int
    flip: bool
    cutout: int = 0

    def __call__(self, images: Tensor, generator: torch.Generator, share: Share = WHOLE) -> Tensor:
        height, width = images.shape[2:]
        batch = share.whole(len(images))
        shifts = 2 * self.crop_padding + 1
        draws = torch.stack(
            [
                torch.randint(upper, (batch,), generator=generator)
                for upper in (shifts, shifts, 2, height, width)
            ]
        )
        draws = share.of(draws, 1).to(images.device, non_blocking=True)
        top, left, mirrored, row, column = draws
        images = crop_and_flip(images, top, left, mirrored.bool() & self.flip, self.crop_padding)
        result = normalise(images.float(), self.mean, self.std)
        return cut_out(result, row, column, self.cutout) if self.cutout else result


def crop_and_flip(images: Tensor, top: Tensor, left: Tensor, flip: Tensor, padding: int) -> Tensor:
    """Pad [B, C, H, W] with zeros, take the crop at (`top`, `left`) [B], mirror where `flip` [B].

    One gather over flat pixel positions; `top` and `left` are in 0..2 * padding.
    """
    batch, channels, height, width = images.shape
    rows = torch.arange(height, device=images.device) + top[:, None]
    columns = torch.arange(width, device=images.device).expand(batch, width)
    columns = torch.where(flip[:, None], width - 1 - columns, columns) + left[:, None]
    positions = rows[:, :, None] * (width + 2 * padding) + columns[:, None, :]  # [B, H, W]
    padded = F.pad(images, (padding,) * 4).flatten(2)
    picked = padded.gather(2, positions.flatten(1)[:, None, :].expand(-1, channels, -1))
    return picked.view(batch, channels, height, width)


def cut_out(images: Tensor, row: Tensor, column: Tensor, side: int) -> Tensor:
    """Blank squares in place: `side // 2` pixels before (`row`, `column`) [B], as many from it."""
    half = side // 2

    def near(centre: Tensor, length: int) -> Tensor:
        offset = torch.arange(length, device=images.device) - centre[:, None]
        return (offset >= -half) & (offset < half)

    hole = near(row, images.shape[2])[:, :, None] & near(column, images.shape[3])[:, None, :]
    return images.masked_fill_(hole[:, None], 0)


def normalise(images: Tensor, mean: Rgb, std: Rgb) -> Tensor:
    """(x / 255 - mean) / std for images [B, 3, H, W] of floats in 0..255, in place."""
    scale = 255 * torch.tensor([mean, std], dtype=images.dtype).view(2, 3, 1, 1)
    # Not `tensor(..., device=)`, which would wait until the device has caught up.
    shift, spread = scale.to(images.device, non_blocking=True)
    if images.device.type == "cpu" and images.is_contiguous(memory_format=torch.channels_last):
        # In rows of pixels, because a CPU is slow at loops over three channels.
        rows = images.permute(0, 2, 3, 1).flatten(2)
        width = images.shape[3]
        rows.sub_(shift.view(3).repeat(width)).div_(spread.view(3).repeat(width))
        return rows.unflatten(2, (width, 3)).permute(0, 3, 1, 2)
    return images.sub_(shift).div_(spread)
