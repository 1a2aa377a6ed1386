"""Create a detector with any head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from darts.detection.detector import DetectionHead, Detector
from darts.detection.faster_rcnn import FasterRCNNDetector
from darts.detection.retinanet import RetinaNetDetector
from darts.detection.ssd import SSDDetector
from darts.errors import UserError
from darts.models.features import FeatureMaps
from darts.models.registry import network_from_description


def create_detector(
    backbone: FeatureMaps,
    *,
    num_classes: int,
    image_size: int,
    head: DetectionHead = "ssd",
    finest_stride: int = 8,
    pyramid_channels: int = 256,
    generator: torch.Generator | None = None,
) -> Detector:
    """A detector with random weights behind its backbone.

    Args:
        backbone: A network from `darts.create_network(…, features_only=True)`.
        num_classes: Number of classes without the background.
        image_size: Side of the images.
        head: Kind of head.
        finest_stride: Only maps with this stride or a larger one are used.
        pyramid_channels: Channels of the feature pyramid; SSDs have none.
        generator: Random stream of the initial weights behind the backbone.

    Raises:
        UserError: The backbone does not accept the image size.
    """
    shared: dict[str, Any] = {
        "num_classes": num_classes,
        "image_size": image_size,
        "finest_stride": finest_stride,
        "generator": generator,
    }
    if head == "retinanet":
        return RetinaNetDetector(backbone, channels=pyramid_channels, **shared)
    if head == "faster-rcnn":
        return FasterRCNNDetector(backbone, channels=pyramid_channels, **shared)
    return SSDDetector(backbone, head=head, **shared)


def detector_from_description(description: Mapping[str, Any]) -> Detector:
    """Rebuild a detector from its `description`, with random weights; used for checkpoints.

    Raises:
        UserError: The description is not that of a detector.
        GenotypeError: The genotype of the backbone is wrong.
    """
    settings = dict(description)
    try:
        backbone = FeatureMaps(network_from_description(settings.pop("backbone")))
        return create_detector(backbone, **settings)
    except (KeyError, TypeError):
        raise UserError("This checkpoint is not that of a detector.") from None
