"""Describe a detector in a few lines, without data."""

from __future__ import annotations

from dataclasses import replace

import torch

from darts.costs.count import count
from darts.detection.backbone import create_backbone
from darts.detection.detector import Detector
from darts.detection.heads import create_detector
from darts.detection.options import DetectionOptions

COCO_CLASSES = 80
SHAPES_CLASSES = 3


def summarise_detector(options: DetectionOptions, num_classes: int | None = None) -> str:
    """Describe the detector that the options create: its maps and its cost for one image.

    >>> options = DetectionOptions(genotype="pcdarts_imagenet", image_size=320)
    >>> print(summarise_detector(options).splitlines()[0])
    detector        ssd on maps of 40x40, 20x20, 10x10, 5x5, 3x3, 2x2, 1x1

    Args:
        options: Options of the detector.
        num_classes: Number of classes; by default that of the data set (80 for COCO).

    Raises:
        UserError: No backbone is given, or it does not accept the image size.
    """
    if num_classes is None:
        num_classes = SHAPES_CLASSES if options.dataset == "shapes" else COCO_CLASSES
    with torch.device("meta"):
        # The cost does not depend on pretrained weights.
        backbone = create_backbone(replace(options, pretrained=None))
        detector = create_detector(
            backbone.maps,
            num_classes=num_classes,
            image_size=options.image_size,
            head=options.head,
            finest_stride=options.finest_stride,
            pyramid_channels=options.pyramid_channels,
        )
    return describe_detector(detector)


def describe_detector(detector: Detector) -> str:
    """Describe the maps and the cost of a detector."""
    size = detector.image_size
    whole, own = count(detector, size), count(detector.backbone, size)
    sides = ", ".join(f"{side}x{side}" for side in detector.sides)
    rows = (
        ("detector", f"{detector.description['head']} on maps of {sides}"),
        ("default boxes", f"{detector.boxes:,}"),
        ("parameters", f"{whole.params:,} ({own.params:,} of the backbone)"),
        ("multiply-adds", f"{whole.macs:,} ({own.macs:,} of the backbone)"),
        ("for", f"images of {size}x{size} pixels, {detector.num_classes:,} classes"),
    )
    return "\n".join(f"{name:15} {value}" for name, value in rows)
