"""What is about to be trained, in a few lines that need no data."""

from __future__ import annotations

from dataclasses import replace

import torch

from darts.costs.count import count
from darts.detection.backbone import create_backbone
from darts.detection.detector import Detector
from darts.detection.options import DetectionOptions

COCO_CLASSES = 80
SHAPES_CLASSES = 3


def summarise_detector(options: DetectionOptions, num_classes: int | None = None) -> str:
    """The detector's maps and its cost for one image.

    Args:
        num_classes: By default those of the data set's name.

    Raises:
        UserError: No backbone is named, or it cannot take such images.
    """
    if num_classes is None:
        num_classes = SHAPES_CLASSES if options.dataset == "shapes" else COCO_CLASSES
    with torch.device("meta"):
        # Only the names in the run count here, not its weights.
        backbone = create_backbone(replace(options, pretrained=None))
        detector = Detector(
            backbone.maps,
            num_classes=num_classes,
            image_size=options.image_size,
            head=options.head,
            finest_stride=options.finest_stride,
        )
    return describe_detector(detector)


def describe_detector(detector: Detector) -> str:
    """The maps and the cost of a detector."""
    size = detector.image_size
    whole, own = count(detector, size), count(detector.backbone, size)
    sides = ", ".join(f"{side}x{side}" for side in detector.sides)
    rows = (
        ("detector", f"{detector.description['head']} on maps of {sides}"),
        ("default boxes", f"{len(detector.default_boxes):,}"),
        ("parameters", f"{whole.params:,} ({own.params:,} of the backbone)"),
        ("multiply-adds", f"{whole.macs:,} ({own.macs:,} of the backbone)"),
        ("for", f"images of {size}x{size} pixels, {detector.num_classes:,} classes"),
    )
    return "\n".join(f"{name:15} {value}" for name, value in rows)
