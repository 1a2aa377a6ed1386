"""The ImageNet recipe on whole batches: random resized crop, mirror image, colour jitter.

Departures from torchvision's transforms: the crop is cut from the stored square (256 pixels for
224) and not from the original photograph, it is interpolated without an antialiasing filter (at
most 256 / 224 is lost), the order of the jitter's four steps is drawn once a batch, and values are
not rounded between the steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from darts.data.augmentation import cut_out, normalise
from darts.data.color import jitter
from darts.data.dataset import Channels
from darts.data.share import WHOLE, Share

ATTEMPTS = 10


@dataclass(frozen=True, kw_only=True)
class PhotographAugmentation:
    """Random resized crop, mirror image, colour jitter, normalisation (PC-DARTS, 4.3).

    Args:
        mean: Of the channels, in 0..1.
        std: Likewise.
        size: Side of the result in pixels.
        flip: Mirror half of the images.
        cutout: Side in pixels of the blanked square; see `Augmentation`.
        color_jitter: Brightness, contrast and saturation vary by this factor, hue by half of it
            (as a part of the colour circle); the paper's retraining has 0.4, its search 0.
        scale: Area of the crop, as a part of the image's.
        ratio: Width of the crop divided by its height.
    """

    mean: Channels
    std: Channels
    size: int
    flip: bool
    cutout: int = 0
    color_jitter: float = 0.0
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def __call__(self, images: Tensor, generator: torch.Generator, share: Share = WHOLE) -> Tensor:
        height, width = images.shape[2:]
        batch = share.whole(len(images))
        boxes = random_boxes(batch, height, width, self.scale, self.ratio, generator)
        whole = (2, self.size, self.size)
        draws = torch.stack([torch.randint(n, (batch,), generator=generator) for n in whole])
        changes = torch.rand(4, batch, generator=generator) * 2 - 1
        order = torch.randperm(4, generator=generator).tolist()
        device = images.device
        mirrored, row, column = share.of(draws, 1).to(device, non_blocking=True)
        boxes = share.of(boxes, 1).to(device, non_blocking=True)
        result = resized_crop(images, boxes, mirrored.bool() & self.flip, self.size)
        if self.color_jitter:
            strength = self.color_jitter * torch.tensor([1.0, 1.0, 1.0, 0.5])[:, None]
            factors = (share.of(changes, 1) * strength).to(device, non_blocking=True)
            result = jitter(result / 255, factors, order) * 255
        result = normalise(result, self.mean, self.std)
        return cut_out(result, row, column, self.cutout) if self.cutout else result


def random_boxes(
    batch: int,
    height: int,
    width: int,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    generator: torch.Generator,
) -> Tensor:
    """Crops [4, B] (top, left, height, width in pixels) of random area, shape and place.

    Each image has ten attempts at a crop that fits inside; after that it is taken whole.
    """
    area, shape = torch.rand(2, ATTEMPTS, batch, generator=generator, dtype=torch.float64)
    place = torch.rand(2, batch, generator=generator, dtype=torch.float64)
    area = height * width * (scale[0] + area * (scale[1] - scale[0]))
    low, high = math.log(ratio[0]), math.log(ratio[1])
    shape = torch.exp(low + shape * (high - low))
    heights, widths = (area / shape).sqrt().round(), (area * shape).sqrt().round()
    fits = (heights > 0) & (heights <= height) & (widths > 0) & (widths <= width)
    first = fits.int().argmax(0, keepdim=True)
    fit = fits.any(0)
    h = torch.where(fit, heights.gather(0, first)[0], height)
    w = torch.where(fit, widths.gather(0, first)[0], width)
    room = torch.stack([height - h, width - w]) + 1
    return torch.cat([(place * room).floor(), torch.stack([h, w])]).long()


def resized_crop(images: Tensor, boxes: Tensor, flip: Tensor, size: int) -> Tensor:
    """The crops `boxes` [4, B] of images [B, 3, H, W], mirrored where `flip` [B], at `size` pixels.

    Bilinear between pixel centres, with nothing from outside a crop; floats in 0..255.
    """
    top, left, height, width = boxes[:, :, None].float()
    steps = (torch.arange(size, device=images.device) + 0.5) / size  # centres, in 0..1
    rows = _inside(steps * height, height) + top
    columns = _inside(torch.where(flip[:, None], 1 - steps, steps) * width, width) + left
    # grid_sample counts from -1 to 1, from the outer edge of the first pixel to that of the last.
    vertical = 2 * rows / images.shape[2] - 1
    horizontal = 2 * columns / images.shape[3] - 1
    grid = torch.stack(
        torch.broadcast_tensors(horizontal[:, None, :], vertical[:, :, None]), dim=-1
    )
    return F.grid_sample(images.float(), grid, padding_mode="border", align_corners=False)


def _inside(position: Tensor, length: Tensor) -> Tensor:
    """Keep positions at least half a pixel from the edges, so that no neighbour is mixed in."""
    return position.clamp(min=0.5).minimum(length - 0.5)
