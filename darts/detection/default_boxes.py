"""The default boxes of SSD: at every place of every map, boxes of a few shapes.

Source: SSD (arXiv 1512.02325, §2.2) and its authors' settings for COCO at 300 pixels: shapes 1, 2
and 1/2 on the first map and on the last two, 3 and 1/3 besides on the others; the first map's boxes
measure 0.07 of the image, those of the others 0.15 to 0.87 in equal steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from darts.system.torchvision_compat import torchvision

FIRST, SMALLEST, LARGEST, BEYOND = 0.07, 0.15, 0.87, 1.05


def scales(maps: int) -> list[float]:
    """Side of the square boxes of each map over that of the image, and of one map beyond."""
    steps = max(maps - 2, 1)
    others = [SMALLEST + (LARGEST - SMALLEST) * number / steps for number in range(maps - 1)]
    return [FIRST, *others, BEYOND]


@dataclass(frozen=True)
class DefaultBoxes:
    """The boxes of a detector's maps.

    Attributes:
        shapes: Number of boxes at each place of each map.
        corners: In pixels [A, 4]; some stick out of the image. Their order is that of torchvision's
            heads: maps, rows, columns, shapes.
    """

    shapes: tuple[int, ...]
    corners: Tensor


def create_default_boxes(sides: Sequence[int], image_size: int) -> DefaultBoxes:
    """torchvision's default boxes for maps of these sides, finest first; always on the CPU."""
    detection = torchvision.models.detection
    few = (0, len(sides) - 2, len(sides) - 1)
    ratios = [[2] if number in few else [2, 3] for number in range(len(sides))]
    with torch.device("cpu"):
        images = torch.empty(1, 3, image_size, image_size)
        maps = [torch.empty(1, 1, side, side) for side in sides]
        generator = detection.anchor_utils.DefaultBoxGenerator(ratios, scales=scales(len(sides)))
        whole = detection.image_list.ImageList(images, [(image_size, image_size)])
        corners = generator(whole, maps)[0]
    return DefaultBoxes(tuple(generator.num_anchors_per_location()), corners)
