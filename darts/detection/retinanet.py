"""RetinaNet (arXiv 1708.02002): torchvision's head with focal loss on a feature pyramid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from darts.detection.detections import MOST_DETECTIONS, Detections
from darts.detection.matching import Targets
from darts.detection.pyramid import (
    PyramidDetector,
    Stub,
    anchors_of,
    as_detections,
    seeded,
    target_list,
)
from darts.models.features import FeatureMaps
from darts.system.torchvision_compat import torchvision


class RetinaNetDetector(PyramidDetector):
    """A pyramid with the two maps P6 and P7, and 9 anchors at each place of each map.

    The anchors of a map of stride s have the sides 4s, 4s · 2^(1/3) and 4s · 2^(2/3): those of
    torchvision for the strides 8 to 128.

    >>> from darts import create_network
    >>> backbone = create_network("regnetx_200mf", features_only=True, stem="cifar")
    >>> detector = RetinaNetDetector(backbone, num_classes=3, image_size=32, channels=8)
    >>> detector.sides, detector.boxes
    ((4, 2, 1), 189)

    Args:
        backbone, num_classes, image_size, finest_stride: See `Detector`.
        channels: Channels of the pyramid and of the head.
        generator: Random stream of the initial weights behind the backbone.
    """

    def __init__(
        self,
        backbone: FeatureMaps,
        *,
        num_classes: int,
        image_size: int,
        finest_stride: int = 8,
        channels: int = 256,
        generator: torch.Generator | None = None,
    ) -> None:
        with seeded(generator):
            super().__init__(
                backbone,
                num_classes=num_classes,
                image_size=image_size,
                head="retinanet",
                finest_stride=finest_stride,
                extra=torchvision.ops.feature_pyramid_network.LastLevelP6P7(channels, channels),
                levels=2,
                channels=channels,
            )
            sizes = [
                [int(4 * stride * 2 ** (third / 3)) for third in range(3)]
                for stride in self.all_strides
            ]
            self.net: Any = torchvision.models.detection.RetinaNet(
                Stub(channels),
                1 + num_classes,  # torchvision counts the background, which no box has.
                anchor_generator=anchors_of(sizes),
                detections_per_img=MOST_DETECTIONS,
            )
        self.boxes = 9 * sum(side**2 for side in self.sides)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Logits `[B, A, 1 + classes]` and offsets `[B, A, 4]` by torchvision's names."""
        outputs: dict[str, Tensor] = self.net.head(list(self.maps(images).values()))
        return outputs

    def losses(
        self, images: Tensor, targets: Targets, *, precision: str = "fp32", seed: int = 0
    ) -> Mapping[str, Tensor]:
        maps = list(self.maps(images, precision).values())
        anchors = self.net.anchor_generator(self.listed(images), maps)
        found = self.net.compute_loss(target_list(targets), self.net.head(maps), anchors)
        return {"box_loss": found["bbox_regression"], "class_loss": found["classification"]}

    @torch.no_grad()
    def detect(
        self,
        images: Tensor,
        *,
        score_threshold: float = 0.05,
        nms_threshold: float = 0.5,
        precision: str = "fp32",
    ) -> list[Detections]:
        maps = list(self.maps(images, precision).values())
        outputs, listed = self.net.head(maps), self.listed(images)
        counts = [9 * one.shape[-2] * one.shape[-1] for one in maps]
        levels = {name: list(one.split(counts, dim=1)) for name, one in outputs.items()}
        anchors = [list(one.split(counts)) for one in self.net.anchor_generator(listed, maps)]
        self.net.score_thresh, self.net.nms_thresh = score_threshold, nms_threshold
        return as_detections(self.net.postprocess_detections(levels, anchors, listed.image_sizes))
