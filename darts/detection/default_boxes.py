"""The default boxes of SSD: boxes of a few shapes at every position of every feature map.

Source: SSD (arXiv 1512.02325, §2.2) with its authors' settings for COCO at 300 pixels (SSD300 in
github.com/weiliu89/caffe). The aspect ratios are 1, 2 and 1/2; maps other than the first and the
last two add 3 and 1/3. The side of the boxes, relative to the image, is 0.07 on the first map and
grows in equal steps from 0.15 to 0.87 on the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from darts.system.torchvision_compat import torchvision

FIRST, SMALLEST, LARGEST, BEYOND = 0.07, 0.15, 0.87, 1.05


def scales(maps: int) -> list[float]:
    """Side of the square boxes of each map, relative to the image, and one further value.

        s₁ = 0.07,    s_k = 0.15 + (0.87 - 0.15)·(k - 2) / (maps - 2) for k >= 2

    Each map also has a square box of side sqrt(s_k·s_{k+1}), so the last map needs a further value.

    >>> [round(300 * scale) for scale in scales(6)]  # The 21, 45, … 261 pixels of SSD300.
    [21, 45, 99, 153, 207, 261, 315]
    """
    steps = max(maps - 2, 1)
    others = [SMALLEST + (LARGEST - SMALLEST) * number / steps for number in range(maps - 1)]
    return [FIRST, *others, BEYOND]


@dataclass(frozen=True)
class DefaultBoxes:
    """The default boxes of all maps.

    Attributes:
        shapes: For each map, the number of boxes at each position.
        corners: Corners (x1, y1, x2, y2) in pixels `[A, 4]`; some lie partly outside the image.
            They are ordered by map, row, column and shape, as in torchvision's heads.
    """

    shapes: tuple[int, ...]
    corners: Tensor


def create_default_boxes(sides: Sequence[int], image_size: int) -> DefaultBoxes:
    """Create default boxes with torchvision, on the CPU.

    >>> boxes = create_default_boxes((2, 1), image_size=100)
    >>> boxes.shapes, tuple(boxes.corners.shape)
    ((4, 4), (20, 4))

    Args:
        sides: Side of each map, the finest map first.
        image_size: Side of the images in pixels.
    """
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
