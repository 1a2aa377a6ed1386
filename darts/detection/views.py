"""Random views of an image: a rectangle, possibly mirrored, and the boxes in it.

A view is sampled from the annotations, not from pixels. Zooming out, cropping and resizing are then
a single resampling of the original image.

Source: SSD (arXiv 1512.02325, §2.2 and §3.6), with torchvision's parameters. With probability 1/2
the image is placed on a canvas of 1 to 4 times its sides. Then a crop is taken whose sides are 0.3
to 1 times those of the canvas and whose aspect ratio is between 1/2 and 2. The crop contains the
centre of a box and overlaps such a box with at least a randomly chosen IoU; one of the choices is
not to crop. Finally the view is mirrored with probability 1/2.
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
LEAST_OVERLAPS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)  # Smallest IoU; 1.0 means no crop.
TRIALS, ATTEMPTS = 40, 50  # Crops per choice of the IoU; number of choices.
LARGEST_CANVAS = 4.0
SMALLEST_CROP = 0.3
FILL = (124, 116, 104)  # Colour of the canvas, about the mean of ImageNet.


@dataclass(frozen=True)
class View:
    """A rectangle in the pixels of an image; it may reach beyond the image.

    Attributes:
        left: Left edge.
        top: Top edge.
        right: Right edge.
        bottom: Bottom edge.
        mirrored: Whether left and right are exchanged.
    """

    left: float
    top: float
    right: float
    bottom: float
    mirrored: bool = False

    @classmethod
    def whole(cls, width: float, height: float) -> View:
        """The view that shows the whole image."""
        return cls(0.0, 0.0, width, height)


def draw_view(
    width: int, height: int, boxes: Tensor, augment: Augment, generator: torch.Generator
) -> View:
    """Sample a random view that contains the centre of at least one box.

    >>> generator = torch.Generator().manual_seed(0)
    >>> draw_view(100, 80, torch.tensor([[10.0, 10, 50, 50]]), "none", generator)
    View(left=0.0, top=0.0, right=100, bottom=80, mirrored=False)

    Args:
        width: Width of the image.
        height: Height of the image.
        boxes: Corners of the boxes `[N, 4]`.
        augment: "ssd" zooms out, crops and mirrors; "flip" only mirrors; "none" does nothing.
        generator: Random stream.
    """
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
    """The view of a canvas of `ratio` times the sides, with the image at (x, y) in 0..1."""
    canvas_width, canvas_height = ratio * width, ratio * height
    left, top = -x * (canvas_width - width), -y * (canvas_height - height)
    return View(left, top, left + canvas_width, top + canvas_height)


def _cropped(view: View, boxes: Tensor, generator: torch.Generator) -> View:
    """A crop of `view` by the rules above, or `view` itself if no crop fulfils them."""
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
    """Return whether each of `crops` `[M, 4]` contains each of `points` `[N, 2]`: `[M, N]`."""
    low, high = crops[:, None, :2], crops[:, None, 2:]
    return ((points > low) & (points < high)).all(-1)


def boxes_in(view: View, boxes: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Convert boxes of an image to the coordinates of a view.

    >>> boxes = torch.tensor([[10.0, 10, 30, 30], [80, 10, 90, 20]])
    >>> boxes_in(View(0, 0, 50, 50), boxes, size=100)
    (tensor([[20., 20., 60., 60.]]), tensor([0]))

    Args:
        view: The view.
        boxes: Corners in pixels of the image `[N, 4]`.
        size: Side of the view in pixels.

    Returns:
        The boxes whose centres lie inside the view, clipped at its edges `[M, 4]`, and their
        indices `[M]`.
    """
    edges = torch.tensor([view.left, view.top, view.right, view.bottom], dtype=boxes.dtype)
    kept = _contains(edges[None], (boxes[:, :2] + boxes[:, 2:]) / 2)[0].nonzero().flatten()
    scale = size / (edges[2:] - edges[:2])
    seen = ((boxes[kept] - edges[:2].repeat(2)) * scale.repeat(2)).clamp(0, size)
    if view.mirrored:
        seen = torch.stack([size - seen[:, 2], seen[:, 1], size - seen[:, 0], seen[:, 3]], dim=1)
    return seen, kept


def render_view(image: Image.Image, view: View, size: int) -> np.ndarray:
    """Resample a view of an RGB image as `[size, size, 3]` uint8.

    Pixels beyond the image have the colour `FILL`.
    """
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
