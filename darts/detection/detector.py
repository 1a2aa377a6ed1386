"""The detector: a backbone, extra layers behind it, and torchvision's SSD head on all maps.

Sources: SSD (arXiv 1512.02325) and SSDLite (MobileNetV2, arXiv 1801.04381, §6.2). Departures from
SSD: backbones use batch norm, so the extra layers use it too and the first map is not rescaled; the
extra layers halve the map until its spatial size is 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from darts.detection.default_boxes import create_default_boxes
from darts.detection.matching import decode_boxes
from darts.errors import UserError
from darts.models.features import FeatureMaps
from darts.models.registry import network_from_description
from darts.system.torchvision_compat import torchvision

DetectionHead = Literal["ssd", "ssdlite"]
# Channels of the extra maps as in torchvision's SSDLite, but at most those of the last map.
EXTRA_WIDTHS = (512, 256, 256, 128)
MOST_CANDIDATES = 400  # Boxes of each class before non-maximum suppression.
MOST_DETECTIONS = 100  # Detections of each image after it.


@dataclass(frozen=True)
class Detections:
    """Detections in one image, ordered by decreasing score.

    Attributes:
        boxes: Corners (x1, y1, x2, y2) in pixels of the input image `[N, 4]`.
        scores: Scores in 0..1 `[N]`.
        labels: Classes `[N]`, numbered from 1.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor


class Detector(nn.Module):
    """Maps images `[B, 3, S, S]` to offsets `[B, A, 4]` and logits `[B, A, 1 + classes]`.

    For each of the A default boxes the head predicts the offset of the object (see
    `darts.detection.matching.decode_boxes`) and a logit for each class, the background first.

    >>> from darts import create_network
    >>> backbone = create_network("regnetx_200mf", features_only=True, stem="cifar")
    >>> detector = Detector(backbone, num_classes=3, image_size=32)
    >>> [tuple(output.shape) for output in detector.eval()(torch.zeros(1, 3, 32, 32))]
    [(1, 84, 4), (1, 84, 4)]

    Args:
        backbone: A network from `darts.create_network(…, features_only=True)`.
        num_classes: Number of classes without the background.
        image_size: Side S of the images.
        head: "ssd" or "ssdlite".
        finest_stride: Only maps with this stride or a larger one are used, or the last map if all
            strides are smaller, as in networks for small images.
        generator: Random stream of the initial weights behind the backbone.

    Attributes:
        default_boxes: Corners in pixels `[A, 4]`, a buffer.
        sides: Side of each map.
        description: Arguments from which `detector_from_description` rebuilds the detector.

    Raises:
        UserError: The backbone does not accept the image size.
    """

    default_boxes: Tensor

    def __init__(
        self,
        backbone: FeatureMaps,
        *,
        num_classes: int,
        image_size: int,
        head: DetectionHead = "ssd",
        finest_stride: int = 8,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        network: Any = backbone.network
        network.check_image_size(image_size, image_size)
        self.num_classes, self.image_size = num_classes, image_size
        self.description = {
            "backbone": network.description,
            "num_classes": num_classes,
            "image_size": image_size,
            "head": head,
            "finest_stride": finest_stride,
        }
        self.backbone = backbone
        strides = backbone.feature_strides
        coarse = [stride for stride in strides if stride >= finest_stride] or [strides[-1]]
        self.used = tuple(map(str, coarse))
        channels = list(backbone.feature_channels[-len(coarse) :])
        sides = _sides(backbone, image_size)[-len(coarse) :]
        extras = nn.ModuleList()
        while sides[-1] > 1:
            width = min(EXTRA_WIDTHS[min(len(extras), len(EXTRA_WIDTHS) - 1)], channels[-1])
            extras.append(_extra(channels[-1], width, separable=head == "ssdlite"))
            channels.append(width)
            sides.append((sides[-1] + 1) // 2)
        self.extras, self.sides = extras, tuple(sides)
        boxes = create_default_boxes(sides, image_size)
        self.head = _create_head(head, channels, boxes.shapes, 1 + num_classes)
        _initialise(self.extras, generator)
        _initialise(self.head, generator)
        # Not saved in checkpoints, because the description determines it.
        self.register_buffer("default_boxes", boxes.corners, persistent=False)

    def place(self, device: torch.device, dtype: torch.dtype) -> Detector:
        """Move to a device and dtype, in channels-last layout."""
        module: Any = self.to(device, dtype)
        return module.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return offsets `[B, A, 4]` and logits `[B, A, 1 + classes]`."""
        found = self.backbone(images)
        maps = [found[name] for name in self.used]
        for extra in self.extras:
            maps.append(extra(maps[-1]))
        outputs = self.head(maps)
        return outputs["bbox_regression"], outputs["cls_logits"]

    @torch.no_grad()
    def detect(
        self, images: Tensor, *, score_threshold: float = 0.01, nms_threshold: float = 0.45
    ) -> list[Detections]:
        """Detect objects in normalised images `[B, 3, S, S]`; use it in evaluation mode.

        Args:
            images: The images.
            score_threshold: Detections with a lower score are dropped.
            nms_threshold: IoU above which the weaker of two detections of a class is dropped.

        Returns:
            The detections of each image.
        """
        offsets, logits = self(images)
        boxes = decode_boxes(offsets.float(), self.default_boxes).clamp(0, self.image_size)
        scores = logits.float().softmax(-1)[..., 1:]
        return [
            suppressed(*pair, score_threshold=score_threshold, nms_threshold=nms_threshold)
            for pair in zip(boxes, scores, strict=True)
        ]


def suppressed(
    boxes: Tensor, scores: Tensor, *, score_threshold: float, nms_threshold: float
) -> Detections:
    """Remove duplicate detections of one image by non-maximum suppression.

    Only the best `MOST_CANDIDATES` boxes of each class are considered, and at most
    `MOST_DETECTIONS` detections are kept, the number that COCO's AP counts.

    >>> boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]])
    >>> scores = torch.tensor([[0.8], [0.9], [0.6]])
    >>> suppressed(boxes, scores, score_threshold=0.01, nms_threshold=0.45).scores
    tensor([0.9000, 0.6000])

    Args:
        boxes: Corners `[A, 4]`.
        scores: Scores `[A, classes]`.
        score_threshold: Detections with a lower score are dropped.
        nms_threshold: IoU above which the weaker of two detections of a class is dropped.
    """
    best, place = scores.topk(min(MOST_CANDIDATES, len(scores)), dim=0)
    labels = torch.arange(1, scores.shape[1] + 1, device=scores.device).expand_as(best)
    passed = best > score_threshold
    best, place, labels = best[passed], place[passed], labels[passed]
    chosen = boxes[place]
    kept = torchvision.ops.batched_nms(chosen, best, labels, nms_threshold)[:MOST_DETECTIONS]
    return Detections(chosen[kept], best[kept], labels[kept])


def detector_from_description(description: Mapping[str, Any]) -> Detector:
    """Rebuild a detector from its `description`, with random weights; used for checkpoints.

    Raises:
        UserError: The description is not that of a detector.
        GenotypeError: The genotype of the backbone is wrong.
    """
    settings = dict(description)
    try:
        backbone = FeatureMaps(network_from_description(settings.pop("backbone")))
        return Detector(backbone, **settings)
    except (KeyError, TypeError):
        raise UserError("This checkpoint is not that of a detector.") from None


def _sides(backbone: FeatureMaps, image_size: int) -> list[int]:
    """Side of each map of the backbone."""
    training = backbone.training
    weight = next(backbone.parameters())
    with torch.no_grad():
        images = torch.zeros(1, 3, image_size, image_size, dtype=weight.dtype, device=weight.device)
        maps = backbone.eval()(images)
    backbone.train(training)
    return [found.shape[-1] for found in maps.values()]


def _extra(width_in: int, width: int, *, separable: bool) -> nn.Sequential:
    """Halve the spatial size: 1x1 to half the channels, then 3x3 (or separable) with stride 2."""
    inner = max(width // 2, 1)

    def layer(c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1) -> list[Any]:
        convolution = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
        return [convolution, nn.BatchNorm2d(c_out), nn.ReLU()]

    first = layer(width_in, inner, 1)
    if separable:
        return nn.Sequential(*first, *layer(inner, inner, 3, 2, inner), *layer(inner, width, 1))
    return nn.Sequential(*first, *layer(inner, width, 3, 2))


def _create_head(
    head: DetectionHead, channels: Sequence[int], shapes: Sequence[int], outputs: int
) -> nn.Module:
    detection = torchvision.models.detection
    with torch.random.fork_rng(devices=[]):  # The head uses the global stream; see `_initialise`.
        if head == "ssd":
            return detection.ssd.SSDHead(channels, list(shapes), outputs)
        norm = partial(nn.BatchNorm2d, eps=1e-3, momentum=0.03)
        return detection.ssdlite.SSDLiteHead(channels, list(shapes), outputs, norm)


@torch.no_grad()
def _initialise(module: nn.Module, generator: torch.Generator | None) -> None:
    """Initialise convolutions Xavier-uniformly and biases with 0, as torchvision's SSD does."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            drawn = torch.empty(layer.weight.shape)
            layer.weight.copy_(nn.init.xavier_uniform_(drawn, generator=generator))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
