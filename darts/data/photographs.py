"""ImageNet augmentation of whole batches: random resized crop, horizontal flip, colour jitter.

Photographs in files arrive cropped (`darts.data.crops`). Square images in memory are cropped here:
from the stored square (256 pixels for an image size of 224), without antialiasing, because it
shrinks by at most 256/224.

Departures from torchvision's transforms: the order of the four steps of the jitter is drawn once
per batch; and values are not rounded between the steps (only crops on a CPU are).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from darts.data.augmentation import cut_out, normalise
from darts.data.channels import Rgb
from darts.data.color import jitter
from darts.system.share import WHOLE, Share

_ATTEMPTS = 10
_PART = 8  # images processed at a time on a CPU, few enough for its caches


@dataclass(frozen=True, kw_only=True)
class PhotographAugmentation:
    """Random resized crop, horizontal flip, colour jitter and normalisation (PC-DARTS, §4.3).

    >>> augment = PhotographAugmentation(mean=(0.5,) * 3, std=(0.5,) * 3, size=28, flip=True)
    >>> augment(torch.zeros(2, 3, 32, 32, dtype=torch.uint8), torch.Generator()).shape
    torch.Size([2, 3, 28, 28])

    Attributes:
        mean: Mean of each channel, for values in 0..1.
        std: Standard deviation of each channel, for values in 0..1.
        size: Side of the result in pixels.
        flip: Whether each image is mirrored with probability 1/2.
        cutout: Side in pixels of the square that is set to 0; see `Augmentation`.
        color_jitter: Strength s: brightness, contrast and saturation are multiplied by a factor in
            [1 - s, 1 + s], and hue is rotated by up to s/2 of the colour circle. The paper uses
            0.4 for retraining and 0 for the search.
        scale: Range of the area of the crop, as a share of the area of the image.
        ratio: Range of the width of the crop divided by its height.
        crop: Whether to crop; otherwise images arrive as crops of `size` pixels.
    """

    mean: Rgb
    std: Rgb
    size: int
    flip: bool
    cutout: int = 0
    color_jitter: float = 0.0
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    crop: bool = True

    def __call__(self, images: Tensor, generator: torch.Generator, share: Share = WHOLE) -> Tensor:
        height, width = images.shape[2:]
        batch = share.whole(len(images))
        boxes = None
        if self.crop:
            boxes = random_boxes(batch, height, width, self.scale, self.ratio, generator)
        whole = (2, self.size, self.size)
        draws = torch.stack([torch.randint(n, (batch,), generator=generator) for n in whole])
        changes = torch.rand(4, batch, generator=generator) * 2 - 1
        order = torch.randperm(4, generator=generator).tolist()
        device = images.device
        strength = self.color_jitter * torch.tensor([1.0, 1.0, 1.0, 0.5])[:, None]
        mirrored, row, column = share.of(draws, 1).to(device, non_blocking=True)
        factors = (share.of(changes, 1) * strength).to(device, non_blocking=True)
        flip = mirrored.bool() & self.flip
        if boxes is None:
            turned = torch.where(flip[:, None, None, None], images.flip(3), images)
            result = self._coloured(turned.float(), factors, order)
            return cut_out(result, row, column, self.cutout) if self.cutout else result
        boxes = share.of(boxes, 1).to(device, non_blocking=True)
        if device.type == "cpu" and images.dtype == torch.uint8:
            result = torch.empty((len(images), 3, self.size, self.size))
            result = result.contiguous(memory_format=torch.channels_last)
            for start in range(0, len(images), _PART):
                part = slice(start, start + _PART)
                crops = cropped_one_by_one(images[part], boxes[:, part], flip[part], self.size)
                result[part] = self._coloured(crops.float(), factors[:, part], order)
        else:
            result = self._coloured(resized_crop(images, boxes, flip, self.size), factors, order)
        return cut_out(result, row, column, self.cutout) if self.cutout else result

    def _coloured(self, images: Tensor, factors: Tensor, order: list[int]) -> Tensor:
        if self.color_jitter:
            # The jitter works on contiguous colour planes.
            images = jitter(images.contiguous().div_(255), factors, order).mul_(255)
        return normalise(images, self.mean, self.std)


def random_boxes(
    batch: int,
    height: int,
    width: int,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    generator: torch.Generator,
) -> Tensor:
    """Sample crops `[4, B]` (top, left, height, width in pixels) of random area, shape and place.

    The area is uniform in `scale`, the aspect ratio log-uniform in `ratio`. The first
    of ten samples that fits into the image is used; if none fits, the crop is the whole image.

    >>> generator = torch.Generator()
    >>> random_boxes(1, 8, 8, (1.0, 1.0), (1.0, 1.0), generator).flatten().tolist()
    [0, 0, 8, 8]

    Args:
        batch: Number of crops B.
        height: Height of the images.
        width: Width of the images.
        scale: Range of the area, as a share of the area of the image.
        ratio: Range of the width divided by the height.
        generator: Source of the random numbers.
    """
    area, shape = torch.rand(2, _ATTEMPTS, batch, generator=generator, dtype=torch.float64)
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
    """Crop images and resize the crops to `size x size`, by bilinear interpolation.

    Pixels outside a crop have no influence. Returns floats in 0..255.

    Args:
        images: The images `[B, 3, H, W]`.
        boxes: The crops `[4, B]` of `random_boxes`.
        flip: Which crops are mirrored `[B]`, bool.
        size: Side of the result in pixels.
    """
    top, left, height, width = boxes[:, :, None].float()
    steps = (torch.arange(size, device=images.device) + 0.5) / size  # centres, in 0..1
    rows = _inside(steps * height, height) + top
    columns = _inside(torch.where(flip[:, None], 1 - steps, steps) * width, width) + left
    # In grid_sample, -1 and 1 are the outer edges of the first and the last pixel.
    vertical = 2 * rows / images.shape[2] - 1
    horizontal = 2 * columns / images.shape[3] - 1
    grid = torch.stack(
        torch.broadcast_tensors(horizontal[:, None, :], vertical[:, :, None]), dim=-1
    )
    return F.grid_sample(images.float(), grid, padding_mode="border", align_corners=False)


def cropped_one_by_one(images: Tensor, boxes: Tensor, flip: Tensor, size: int) -> Tensor:
    """Like `resized_crop`, but in uint8, which is much faster on a CPU."""
    # Interpolation is fast if the three channels of a pixel are adjacent in memory.
    images = images.contiguous(memory_format=torch.channels_last)
    result = torch.empty((len(images), 3, size, size), dtype=torch.uint8)
    result = result.contiguous(memory_format=torch.channels_last)
    for number, (top, left, height, width) in enumerate(boxes.T.tolist()):
        crop = images[number : number + 1, :, top : top + height, left : left + width]
        crop = F.interpolate(crop, (size, size), mode="bilinear", align_corners=False)
        result[number] = crop[0].flip(2) if flip[number] else crop[0]
    return result


def _inside(position: Tensor, length: Tensor) -> Tensor:
    """Clamp positions to half a pixel from the edges, so that no pixel outside has influence."""
    return position.clamp(min=0.5).minimum(length - 0.5)
