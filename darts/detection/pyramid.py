"""Detectors on a feature pyramid (FPN, arXiv 1612.03144), by torchvision's own modules.

The pyramid, its anchors and the heads on it are torchvision's, with its defaults for COCO; the
backbone is any network here. Tests compare losses and detections with torchvision's whole models.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from darts.detection.detections import Detections
from darts.detection.detector import DetectionHead, Detector
from darts.detection.matching import Targets
from darts.models.features import FeatureMaps
from darts.system.device import precision_context
from darts.system.torchvision_compat import torchvision


class PyramidDetector(Detector):
    """A detector whose head sees a feature pyramid.

    Args:
        backbone, num_classes, image_size, head, finest_stride: See `Detector`.
        extra: torchvision's block behind the pyramid, which adds coarser maps.
        levels: Number of maps that the extra block adds.
        channels: Channels of all maps of the pyramid.
    """

    def __init__(
        self,
        backbone: FeatureMaps,
        *,
        num_classes: int,
        image_size: int,
        head: DetectionHead,
        finest_stride: int,
        extra: nn.Module,
        levels: int,
        channels: int,
    ) -> None:
        super().__init__(
            backbone,
            num_classes=num_classes,
            image_size=image_size,
            head=head,
            finest_stride=finest_stride,
        )
        self.description["pyramid_channels"] = channels
        self.pyramid = torchvision.ops.FeaturePyramidNetwork(list(self.channels), channels, extra)
        sides = list(self.map_sides)
        for _ in range(levels):
            sides.append((sides[-1] + 1) // 2)
        self.sides = tuple(sides)
        last = self.strides[-1]
        self.all_strides = (*self.strides, *(last * 2 ** (one + 1) for one in range(levels)))

    def maps(self, images: Tensor, precision: str = "fp32") -> OrderedDict[str, Tensor]:
        """The maps of the pyramid, the finest first, in the number format of the weights.

        Heads compute boxes, which need it.
        """
        with precision_context(precision, images.device):
            found = self.feature_maps(images)
            names = map(str, self.strides)
            maps = self.pyramid(OrderedDict(zip(names, found, strict=True)))
        return OrderedDict((name, one.to(self.dtype)) for name, one in maps.items())

    def listed(self, images: Tensor) -> Any:
        """The images as torchvision's modules take them."""
        size = (self.image_size, self.image_size)
        return torchvision.models.detection.image_list.ImageList(images, [size] * len(images))


class Stub(nn.Module):
    """Stands for the backbone where torchvision's models want one that they do not use."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.out_channels = channels


@contextmanager
def seeded(generator: torch.Generator | None) -> Iterator[None]:
    """Within it, initial weights depend on `generator` alone: torchvision draws global numbers."""
    with torch.random.fork_rng(devices=[]):
        if generator is not None:
            drawn = torch.randint(2**62, (), generator=generator, device="cpu")
            torch.manual_seed(int(drawn))
        yield


def anchors_of(sizes: Sequence[Sequence[int]]) -> nn.Module:
    """torchvision's anchors of these sizes for each map, in the ratios 1/2, 1 and 2."""
    generator: nn.Module = torchvision.models.detection.anchor_utils.AnchorGenerator(
        tuple(map(tuple, sizes)), ((0.5, 1.0, 2.0),) * len(sizes)
    )
    return generator


def target_list(targets: Targets) -> list[dict[str, Tensor]]:
    """The objects of each image as torchvision's modules take them, without padding."""
    return [
        {"boxes": boxes[labels > 0], "labels": labels[labels > 0]}
        for boxes, labels in zip(targets.boxes, targets.labels, strict=True)
    ]


def as_detections(found: Sequence[Mapping[str, Tensor]]) -> list[Detections]:
    """The results of torchvision's modules."""
    return [Detections(one["boxes"].float(), one["scores"].float(), one["labels"]) for one in found]
