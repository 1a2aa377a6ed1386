"""The detector: a backbone, extra maps behind it, and torchvision's SSD head on all of them.

Sources: SSD (arXiv 1512.02325), SSDLite (MobileNetV2, arXiv 1801.04381, §6.2). Departures from SSD:
backbones with batch normalisation, and therefore the same in the extra layers and no rescaling of
the first map; extra layers halve the map down to a single pixel.
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
# Widths of the extra maps as in torchvision's SSDLite; none is wider than the backbone's last.
EXTRA_WIDTHS = (512, 256, 256, 128)
MOST_CANDIDATES, MOST_DETECTIONS = 400, 100  # of a class before, of an image after suppression


@dataclass(frozen=True)
class Detections:
    """What was found in one image, by falling score.

    Attributes:
        boxes: Corners in pixels of the network's image [N, 4].
        scores: [N], in 0..1.
        labels: Classes from 1 [N].
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor


class Detector(nn.Module):
    """Maps images `[B, 3, S, S]` to offsets `[B, A, 4]` and logits `[B, A, 1 + classes]`.

    Args:
        backbone: From `darts.create_network(…, features_only=True)`.
        num_classes: Without the background.
        image_size: S.
        head: "ssd" or "ssdlite".
        finest_stride: Maps of the backbone with a smaller stride are not used; where all have
            (networks for small images), its last one is.
        generator: Random stream of the initial weights behind the backbone.

    Attributes:
        default_boxes: Corners in pixels [A, 4], a buffer.
        sides: Side of each map.

    Raises:
        UserError: The backbone cannot take such images.
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
        # A function of the description; a checkpoint need not hold it.
        self.register_buffer("default_boxes", boxes.corners, persistent=False)

    def place(self, device: torch.device, dtype: torch.dtype) -> Detector:
        """Move to a device and number format, laid out for its convolutions."""
        module: Any = self.to(device, dtype)
        return module.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
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
        """What a detector in evaluation mode finds in images `[B, 3, S, S]`."""
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
    """The detections of one image: boxes [A, 4] with scores [A, classes], duplicates removed.

    Of each class the best `MOST_CANDIDATES` are looked at, of all at most `MOST_DETECTIONS` kept,
    which is as many as COCO's AP counts.
    """
    best, place = scores.topk(min(MOST_CANDIDATES, len(scores)), dim=0)
    labels = torch.arange(1, scores.shape[1] + 1, device=scores.device).expand_as(best)
    passed = best > score_threshold
    best, place, labels = best[passed], place[passed], labels[passed]
    chosen = boxes[place]
    kept = torchvision.ops.batched_nms(chosen, best, labels, nms_threshold)[:MOST_DETECTIONS]
    return Detections(chosen[kept], best[kept], labels[kept])


def detector_from_description(description: Mapping[str, Any]) -> Detector:
    """The detector of a `description`, with fresh weights; for checkpoints.

    Raises:
        UserError, GenotypeError: The description is wrong.
    """
    settings = dict(description)
    try:
        backbone = FeatureMaps(network_from_description(settings.pop("backbone")))
        return Detector(backbone, **settings)
    except (KeyError, TypeError):
        raise UserError("This checkpoint is not one of a detector.") from None


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
    """Half the resolution: 1x1 to half the width, 3x3 of stride 2 (separable or not)."""
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
    with torch.random.fork_rng(devices=[]):  # It draws from the global stream; see _initialise.
        if head == "ssd":
            return detection.ssd.SSDHead(channels, list(shapes), outputs)
        norm = partial(nn.BatchNorm2d, eps=1e-3, momentum=0.03)
        return detection.ssdlite.SSDLiteHead(channels, list(shapes), outputs, norm)


@torch.no_grad()
def _initialise(module: nn.Module, generator: torch.Generator | None) -> None:
    """Xavier-uniform convolutions and biases of 0, as torchvision's SSD has them."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            drawn = torch.empty(layer.weight.shape)
            layer.weight.copy_(nn.init.xavier_uniform_(drawn, generator=generator))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
