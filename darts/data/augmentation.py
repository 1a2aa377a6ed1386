"""Data augmentation of whole batches on the device, with separate random numbers for each image.

A call draws from one CPU generator. It always draws the same numbers in the same order, whichever
options are on, so runs with and without cutout see the same crops. If the images are a share of a
batch (several processes), the numbers of the whole batch are drawn and those of the share are used.
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
    """Turns images `[B, 3, H, W]` uint8 into the input of a network, `[B, 3, S, S]` float32."""

    def __call__(
        self, images: Tensor, generator: torch.Generator, share: Share = WHOLE
    ) -> Tensor: ...


def policy_of(augment: Literal["auto", "cifar", "imagenet", "none"], size: int) -> Policy:
    """Return the kind of augmentation for images of `size` pixels; "auto" depends on the size.

    >>> policy_of("auto", 32), policy_of("auto", 224)
    ('cifar', 'imagenet')
    """
    if augment == "auto":
        return "imagenet" if size >= PHOTOGRAPH_SIZE else "cifar"
    return augment


def stored_size(size: int, policy: Policy) -> int:
    """Return the side of the images before cropping.

    Images for "imagenet" are stored at 256/224 of the network's image size, as in the usual
    ImageNet evaluation.

    >>> stored_size(224, "imagenet"), stored_size(32, "cifar")
    (256, 32)
    """
    return round(size * 256 / 224) if policy == "imagenet" else size


@dataclass(frozen=True, kw_only=True)
class Normalization:
    """The evaluation transform: centre crop and normalisation, (x / 255 - mean) / std.

    It is deterministic.

    >>> transform = Normalization(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), size=2)
    >>> transform(torch.full((1, 3, 4, 4), 255, dtype=torch.uint8)).shape
    torch.Size([1, 3, 2, 2])

    Attributes:
        mean: Mean of each channel, for values in 0..1.
        std: Standard deviation of each channel, for values in 0..1.
        size: Side of the crop in pixels.
    """

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
    """Random crop of the zero-padded image, horizontal flip, normalisation and cutout.

    This is the CIFAR recipe of DARTS and PC-DARTS (§4.2). Padding happens before normalisation, as
    in torchvision, so the border is black. Cutout happens after it, as in DARTS, so the square has
    the value 0, the mean colour.

    >>> augment = Augmentation(mean=(0.5,) * 3, std=(0.5,) * 3, crop_padding=4, flip=True)
    >>> augment(torch.zeros(2, 3, 32, 32, dtype=torch.uint8), torch.Generator()).shape
    torch.Size([2, 3, 32, 32])

    Attributes:
        mean: Mean of each channel, for values in 0..1.
        std: Standard deviation of each channel, for values in 0..1.
        crop_padding: Pixels added on each side before a crop of the original size is taken; 4 for
            images of 32 pixels.
        flip: Whether each image is mirrored with probability 1/2.
        cutout: Side in pixels of the square that is set to 0. Its centre is uniform over the
            pixels, so the square may extend beyond the image. 0 disables cutout; an odd side is
            rounded down to an even one.
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
    """Zero-pad images `[B, C, H, W]`, crop them to `H x W` and mirror some, in one gather.

    Args:
        images: The images.
        top: First row of each crop in the padded image `[B]`, in 0..2 * padding.
        left: First column of each crop `[B]`, in 0..2 * padding.
        flip: Which crops are mirrored `[B]`, bool.
        padding: Zeros added on each side.
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
    """Set one square in each image `[B, C, H, W]` to 0, in place.

    The square covers rows `row - side // 2` up to, not including, `row + side // 2`, and the
    columns accordingly.

    >>> row, column = torch.tensor([1]), torch.tensor([2])
    >>> cut_out(torch.ones(1, 1, 3, 4), row, column, 2)[0, 0].int().tolist()
    [[1, 0, 0, 1], [1, 0, 0, 1], [1, 1, 1, 1]]

    Args:
        images: The images.
        row: Row of each centre `[B]`.
        column: Column of each centre `[B]`.
        side: Side of the square in pixels.
    """
    half = side // 2

    def near(centre: Tensor, length: int) -> Tensor:
        offset = torch.arange(length, device=images.device) - centre[:, None]
        return (offset >= -half) & (offset < half)

    hole = near(row, images.shape[2])[:, :, None] & near(column, images.shape[3])[:, None, :]
    return images.masked_fill_(hole[:, None], 0)


def normalise(images: Tensor, mean: Rgb, std: Rgb) -> Tensor:
    """Compute (x / 255 - mean) / std for float images `[B, 3, H, W]` in 0..255, in place.

    >>> normalise(torch.full((1, 3, 1, 1), 255.0), (0.5,) * 3, (0.25,) * 3).flatten().tolist()
    [2.0, 2.0, 2.0]
    """
    scale = 255 * torch.tensor([mean, std], dtype=images.dtype).view(2, 3, 1, 1)
    # `torch.tensor(..., device=)` would synchronise with the device; this copy does not.
    shift, spread = scale.to(images.device, non_blocking=True)
    if images.device.type == "cpu" and images.is_contiguous(memory_format=torch.channels_last):
        # Treat a row of pixels as one vector: loops over only three channels are slow on a CPU.
        rows = images.permute(0, 2, 3, 1).flatten(2)
        width = images.shape[3]
        rows.sub_(shift.view(3).repeat(width)).div_(spread.view(3).repeat(width))
        return rows.unflatten(2, (width, 3)).permute(0, 3, 1, 2)
    return images.sub_(shift).div_(spread)
