"""What of an image a detector gets to see: a rectangle, mirrored or not, and the boxes in it.

A view is drawn from the annotations alone, not from pixels. Zooming out, cropping and resizing are
one resampling of the original image.

Source: SSD (arXiv 1512.02325, §2.2 and §3.6), with torchvision's numbers: with probability 1/2 the
image is laid onto a canvas of 1 to 4 times its sides; then a crop is taken of 0.3 to 1 times the
sides, whose shape is between 1/2 and 2, that holds some box's centre and overlaps such a box by one
of several least shares, drawn at random, or the whole is left; mirrored with probability 1/2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from darts.detection.matching import pair_iou

Augment = Literal["ssd", "flip", "none"]
LEAST_OVERLAPS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)  # The last leaves the image whole.
TRIALS, ATTEMPTS = 40, 50
LARGEST_CANVAS = 4.0
SMALLEST_CROP = 0.3
FILL = (124, 116, 104)  # About the mean of ImageNet, as on SSD's canvas.


@dataclass(frozen=True)
class View:
    """A rectangle in an image's pixels, which may reach beyond the image.

    Attributes:
        left, top, right, bottom: Its edges.
        mirrored: Whether left and right are exchanged.
    """

    left: float
    top: float
    right: float
    bottom: float
    mirrored: bool = False

    @classmethod
    def whole(cls, width: float, height: float) -> View:
        return cls(0.0, 0.0, width, height)


def draw_view(
    width: int, height: int, boxes: Tensor, augment: Augment, generator: torch.Generator
) -> View:
    """A random view of an image of this size, in which the centre of a box of `boxes` [N, 4] is."""
    if augment == "none":
        return View.whole(width, height)
    zooms, mirrored, scale, x, y = torch.rand(5, generator=generator).tolist()
    view = View.whole(width, height)
    if augment == "ssd":
        if zooms < 0.5:
            view = _zoomed_out(width, height, 1 + (LARGEST_CANVAS - 1) * scale, x, y)
        if len(boxes):
            view = _cropped(view, boxes, generator)
    return View(view.left, view.top, view.right, view.bottom, mirrored < 0.5)


def _zoomed_out(width: int, height: int, ratio: float, x: float, y: float) -> View:
    canvas_width, canvas_height = ratio * width, ratio * height
    left, top = -x * (canvas_width - width), -y * (canvas_height - height)
    return View(left, top, left + canvas_width, top + canvas_height)


def _cropped(view: View, boxes: Tensor, generator: torch.Generator) -> View:
    """A part of `view` that keeps the rules above; the whole where none turns up."""
    size = torch.tensor([view.right - view.left, view.bottom - view.top], dtype=boxes.dtype)
    corner = torch.tensor([view.left, view.top], dtype=boxes.dtype)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    for _ in range(ATTEMPTS):
        number = int(torch.randint(len(LEAST_OVERLAPS), (), generator=generator))
        if LEAST_OVERLAPS[number] == 1.0:
            return view
        drawn = torch.rand(TRIALS, 4, generator=generator, dtype=boxes.dtype)
        sides = (SMALLEST_CROP + (1 - SMALLEST_CROP) * drawn[:, :2]) * size
        first = corner + (size - sides) * drawn[:, 2:]
        crops = torch.cat([first, first + sides], dim=1)
        shape = sides[:, 0] / sides[:, 1]
        within = _contains(crops, centres)
        overlap = pair_iou(crops, boxes).masked_fill(~within, -1.0).amax(1)
        fits = (shape >= 0.5) & (shape <= 2) & within.any(1)
        fits &= overlap >= LEAST_OVERLAPS[number]
        if fits.any():
            return View(*crops[int(fits.int().argmax())].tolist())
    return view


def _contains(crops: Tensor, points: Tensor) -> Tensor:
    """Whether each of `crops` [M, 4] holds each of `points` [N, 2]: [M, N]."""
    low, high = crops[:, None, :2], crops[:, None, 2:]
    return ((points > low) & (points < high)).all(-1)


def boxes_in(view: View, boxes: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Boxes [N, 4] as they are seen in a view of size x size pixels.

    Returns:
        The boxes whose centres lie in the view, cut off at its edges [M, 4], and their numbers [M].
    """
    edges = torch.tensor([view.left, view.top, view.right, view.bottom], dtype=boxes.dtype)
    kept = _contains(edges[None], (boxes[:, :2] + boxes[:, 2:]) / 2)[0].nonzero().flatten()
    scale = size / (edges[2:] - edges[:2])
    seen = ((boxes[kept] - edges[:2].repeat(2)) * scale.repeat(2)).clamp(0, size)
    if view.mirrored:
        seen = torch.stack([size - seen[:, 2], seen[:, 1], size - seen[:, 0], seen[:, 3]], dim=1)
    return seen, kept


def render_view(image: Image.Image, view: View, size: int) -> np.ndarray:
    """The view of an RGB image as [size, size, 3] uint8; what lies beyond the image is `FILL`."""
    across, down = size / (view.right - view.left), size / (view.bottom - view.top)
    box = (
        max(view.left, 0.0),
        max(view.top, 0.0),
        min(view.right, float(image.width)),
        min(view.bottom, float(image.height)),
    )
    left, right = (round((x - view.left) * across) for x in (box[0], box[2]))
    top, bottom = (round((y - view.top) * down) for y in (box[1], box[3]))
    canvas = np.empty((size, size, 3), np.uint8)
    canvas[:] = FILL
    if right > left and bottom > top:
        part = image.resize((right - left, bottom - top), Image.Resampling.BILINEAR, box=box)
        canvas[top:bottom, left:right] = np.asarray(part)
    return np.ascontiguousarray(canvas[:, ::-1]) if view.mirrored else canvas
