"""Faster R-CNN (arXiv 1506.01497) on a feature pyramid, by torchvision's proposals and box heads.

Both heads learn from a random sample of boxes. torchvision samples by the global stream; here the
sample of an image depends on a seed and on its place in the whole batch, so runs can be resumed and
the number of processes does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from darts.system import distributed
from darts.system.randomness import stream_seed
from darts.system.torchvision_compat import torchvision

PROPOSALS = 1000
"""Most proposals of an image in tests, as in torchvision; its cost is counted by them."""
_POOLED = 7
_WIDER = 4  # Features of the box head for each channel: 1,024 with 256 channels.


class SeededSampler:
    """torchvision's sampler of positive and negative boxes, with a seed for each image.

    >>> sampler = SeededSampler(4, 0.5, "boxes")
    >>> (positive,), (negative,) = sampler([torch.tensor([1, 1, 1, 0, 0, 0, -1])])
    >>> int(positive.sum()), int(negative.sum()), sampler.drawn
    (2, 2, 4)

    Args:
        count: Boxes of each image.
        share: Largest share of positive ones.
        name: Makes its samples differ from those of another sampler.

    Attributes:
        seed: Seed of the batch.
        first: Place of the first image in the whole batch.
        drawn: Boxes that the last call has sampled.
    """

    def __init__(self, count: int, share: float, name: str) -> None:
        self.count, self.share, self.name = count, share, name
        self.seed = self.first = self.drawn = 0

    def __call__(self, labels: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Masks of the sampled positive (label >= 1) and negative (label 0) boxes per image."""
        chosen: tuple[list[Tensor], list[Tensor]] = ([], [])
        self.drawn = 0
        for number, one in enumerate(labels, self.first):
            generator = torch.Generator().manual_seed(
                stream_seed(self.seed, f"{self.name} {number}")
            )
            positive, negative = torch.where(one >= 1)[0], torch.where(one == 0)[0]
            positives = min(len(positive), int(self.count * self.share))
            negatives = min(len(negative), self.count - positives)
            for masks, places, count in zip(
                chosen, (positive, negative), (positives, negatives), strict=True
            ):
                order = torch.randperm(len(places), generator=generator)[:count]
                mask = torch.zeros_like(one, dtype=torch.uint8)
                mask[places[order.to(places.device)]] = 1
                masks.append(mask)
            self.drawn += positives + negatives
        return chosen


class FasterRCNNDetector(PyramidDetector):
    """A pyramid with a subsampled last map, a proposal network, and a head on each proposal.

    The anchors of a map of stride s have the side 8s: those of torchvision for strides 4 to 64.

    >>> from darts import create_network
    >>> backbone = create_network("regnetx_200mf", features_only=True, stem="cifar")
    >>> detector = FasterRCNNDetector(backbone, num_classes=3, image_size=32, channels=8)
    >>> detector.sides, detector.boxes
    ((8, 4, 2), 252)

    Args:
        backbone, num_classes, image_size, finest_stride: See `Detector`.
        channels: Channels of the pyramid.
        generator: Random stream of the initial weights behind the backbone.
    """

    def __init__(
        self,
        backbone: FeatureMaps,
        *,
        num_classes: int,
        image_size: int,
        finest_stride: int = 4,
        channels: int = 256,
        generator: torch.Generator | None = None,
    ) -> None:
        models = torchvision.models.detection
        with seeded(generator):
            super().__init__(
                backbone,
                num_classes=num_classes,
                image_size=image_size,
                head="faster-rcnn",
                finest_stride=finest_stride,
                extra=torchvision.ops.feature_pyramid_network.LastLevelMaxPool(),
                levels=1,
                channels=channels,
            )
            features = _WIDER * channels
            net: Any = models.FasterRCNN(
                Stub(channels),
                rpn_anchor_generator=anchors_of([[8 * stride] for stride in self.all_strides]),
                box_roi_pool=torchvision.ops.MultiScaleRoIAlign(
                    list(map(str, self.strides)), output_size=_POOLED, sampling_ratio=2
                ),
                box_head=models.faster_rcnn.TwoMLPHead(channels * _POOLED**2, features),
                box_predictor=models.faster_rcnn.FastRCNNPredictor(features, 1 + num_classes),
                box_detections_per_img=MOST_DETECTIONS,
            )
        self.rpn, self.roi_heads = net.rpn, net.roi_heads
        self._samplers = (SeededSampler(256, 0.5, "anchors"), SeededSampler(512, 0.25, "proposals"))
        self.rpn.fg_bg_sampler, self.roi_heads.fg_bg_sampler = self._samplers
        self.boxes = 3 * sum(side**2 for side in self.sides)

    def forward(self, images: Tensor) -> tuple[Any, ...]:
        """The outputs for all anchors, and those of the box head for `PROPOSALS` empty proposals.

        Which proposals there are depends on the image, but not how much they cost.
        """
        maps = list(self.maps(images).values())
        objects, offsets = self.rpn.head(maps)
        pooled = maps[0].new_zeros(PROPOSALS, maps[0].shape[1], _POOLED, _POOLED)
        logits, boxes = self.roi_heads.box_predictor(self.roi_heads.box_head(pooled))
        return objects, offsets, logits, boxes

    def losses(
        self, images: Tensor, targets: Targets, *, precision: str = "fp32", seed: int = 0
    ) -> Mapping[str, Tensor]:
        for sampler in self._samplers:
            sampler.seed, sampler.first = seed, distributed.rank() * len(images)
        maps, listed, objects = (
            self.maps(images, precision),
            self.listed(images),
            target_list(targets),
        )
        proposals, proposal_losses = self.rpn(listed, maps, objects)
        _, box_losses = self.roi_heads(maps, proposals, listed.image_sizes, objects)
        anchors, boxes = (_share_of(sampler.drawn) for sampler in self._samplers)
        return {
            "object_loss": anchors * proposal_losses["loss_objectness"],
            "proposal_loss": anchors * proposal_losses["loss_rpn_box_reg"],
            "class_loss": boxes * box_losses["loss_classifier"],
            "box_loss": boxes * box_losses["loss_box_reg"],
        }

    @torch.no_grad()
    def detect(
        self,
        images: Tensor,
        *,
        score_threshold: float = 0.05,
        nms_threshold: float = 0.5,
        precision: str = "fp32",
    ) -> list[Detections]:
        maps, listed = self.maps(images, precision), self.listed(images)
        proposals, _ = self.rpn(listed, maps)
        self.roi_heads.score_thresh = score_threshold
        self.roi_heads.nms_thresh = nms_threshold
        found, _ = self.roi_heads(maps, proposals, listed.image_sizes)
        return as_detections(found)


def _share_of(drawn: int) -> float:
    """Boxes that this process has sampled, over the mean of all processes.

    Losses are means over sampled boxes; so weighted, their mean over the processes is that over all
    boxes of the batch.
    """
    if distributed.world() == 1:
        return 1.0
    return drawn * distributed.world() / distributed.total([float(drawn)])[0]
