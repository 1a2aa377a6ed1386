"""SSD: extra layers behind the backbone, and torchvision's SSD or SSDLite head on all maps.

Sources: SSD (arXiv 1512.02325) and SSDLite (MobileNetV2, arXiv 1801.04381, §6.2). Departures from
SSD: backbones use batch norm, so the extra layers use it too and the first map is not rescaled; the
extra layers halve the map until its spatial size is 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from darts.detection.default_boxes import create_default_boxes
from darts.detection.detections import Detections, suppressed
from darts.detection.detector import DetectionHead, Detector
from darts.detection.matching import Targets, decode_boxes, detection_loss
from darts.models.features import FeatureMaps
from darts.system.device import precision_context
from darts.system.torchvision_compat import torchvision

# Channels of the extra maps as in torchvision's SSDLite, but at most those of the last map.
EXTRA_WIDTHS = (512, 256, 256, 128)


class SSDDetector(Detector):
    """Maps images `[B, 3, S, S]` to offsets `[B, A, 4]` and logits `[B, A, 1 + classes]`.

    For each of the A default boxes the head predicts the offset of the object (see
    `darts.detection.matching.decode_boxes`) and a logit for each class, the background first.

    >>> from darts import create_network
    >>> backbone = create_network("regnetx_200mf", features_only=True, stem="cifar")
    >>> detector = SSDDetector(backbone, num_classes=3, image_size=32)
    >>> [tuple(output.shape) for output in detector.eval()(torch.zeros(1, 3, 32, 32))]
    [(1, 84, 4), (1, 84, 4)]

    Args:
        backbone, num_classes, image_size, head, finest_stride: See `Detector`.
        generator: Random stream of the initial weights behind the backbone.

    Attributes:
        default_boxes: Corners in pixels `[A, 4]`, a buffer.
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
        super().__init__(
            backbone,
            num_classes=num_classes,
            image_size=image_size,
            head=head,
            finest_stride=finest_stride,
        )
        channels, sides = list(self.channels), list(self.map_sides)
        extras = nn.ModuleList()
        while sides[-1] > 1:
            width = min(EXTRA_WIDTHS[min(len(extras), len(EXTRA_WIDTHS) - 1)], channels[-1])
            extras.append(_extra(channels[-1], width, separable=head == "ssdlite"))
            channels.append(width)
            sides.append((sides[-1] + 1) // 2)
        self.extras, self.sides = extras, tuple(sides)
        boxes = create_default_boxes(sides, image_size)
        self.boxes = len(boxes.corners)
        self.head = _create_head(head, channels, boxes.shapes, 1 + num_classes)
        _initialise(self.extras, generator)
        _initialise(self.head, generator)
        # Not saved in checkpoints, because the description determines it.
        self.register_buffer("default_boxes", boxes.corners, persistent=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return offsets `[B, A, 4]` and logits `[B, A, 1 + classes]`."""
        maps = self.feature_maps(images)
        for extra in self.extras:
            maps.append(extra(maps[-1]))
        outputs = self.head(maps)
        return outputs["bbox_regression"], outputs["cls_logits"]

    def losses(
        self, images: Tensor, targets: Targets, *, precision: str = "fp32", seed: int = 0
    ) -> Mapping[str, Tensor]:
        with precision_context(precision, images.device):
            offsets, logits = self(images)
        box_loss, class_loss = detection_loss(
            offsets.to(self.dtype), logits.to(self.dtype), targets, self.default_boxes
        )
        return {"box_loss": box_loss, "class_loss": class_loss}

    @torch.no_grad()
    def detect(
        self,
        images: Tensor,
        *,
        score_threshold: float = 0.01,
        nms_threshold: float = 0.45,
        precision: str = "fp32",
    ) -> list[Detections]:
        with precision_context(precision, images.device):
            offsets, logits = self(images)
        boxes = decode_boxes(offsets.float(), self.default_boxes).clamp(0, self.image_size)
        scores = logits.float().softmax(-1)[..., 1:]
        return [
            suppressed(*pair, score_threshold=score_threshold, nms_threshold=nms_threshold)
            for pair in zip(boxes, scores, strict=True)
        ]


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
