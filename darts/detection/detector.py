"""What all detectors have in common: a backbone, losses for training, and detections."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from darts.detection.detections import Detections
from darts.detection.matching import Targets
from darts.models.features import FeatureMaps

DetectionHead = Literal["ssd", "ssdlite", "retinanet", "faster-rcnn"]


class Detector(nn.Module, ABC):
    """A backbone and a head; `forward` is what the cost of an image is counted by.

    Args:
        backbone: A network from `darts.create_network(…, features_only=True)`.
        num_classes: Number of classes without the background.
        image_size: Side S of the images.
        head: Kind of head.
        finest_stride: Only maps with this stride or a larger one are used, or the last map if all
            strides are smaller, as in networks for small images.

    Attributes:
        sides: Side of each map that the head sees.
        boxes: Number of default boxes or anchors of an image.
        description: Arguments from which `detector_from_description` rebuilds the detector.

    Raises:
        UserError: The backbone does not accept the image size.
    """

    sides: tuple[int, ...]
    boxes: int

    def __init__(
        self,
        backbone: FeatureMaps,
        *,
        num_classes: int,
        image_size: int,
        head: DetectionHead,
        finest_stride: int,
    ) -> None:
        super().__init__()
        network: Any = backbone.network
        network.check_image_size(image_size, image_size)
        self.num_classes, self.image_size = num_classes, image_size
        self.description: dict[str, Any] = {
            "backbone": network.description,
            "num_classes": num_classes,
            "image_size": image_size,
            "head": head,
            "finest_stride": finest_stride,
        }
        self.backbone = backbone
        strides = backbone.feature_strides
        self.strides = tuple(one for one in strides if one >= finest_stride) or strides[-1:]
        self.channels = tuple(backbone.feature_channels[-len(self.strides) :])
        self.map_sides = _sides(backbone, image_size)[-len(self.strides) :]

    @abstractmethod
    def losses(
        self, images: Tensor, targets: Targets, *, precision: str = "fp32", seed: int = 0
    ) -> Mapping[str, Tensor]:
        """The losses of a batch by name; their sum is minimised.

        Their means over all processes are those of the whole batch.

        Args:
            images: Normalised images of this process `[B, 3, S, S]`.
            targets: Their objects.
            precision: Number format of the backbone's activations.
            seed: For heads that sample the boxes that they learn from.
        """

    @abstractmethod
    def detect(
        self,
        images: Tensor,
        *,
        score_threshold: float = 0.01,
        nms_threshold: float = 0.45,
        precision: str = "fp32",
    ) -> list[Detections]:
        """Detect objects in normalised images `[B, 3, S, S]`; use it in evaluation mode.

        Args:
            images: The images.
            score_threshold: Detections with a lower score are dropped.
            nms_threshold: IoU above which the weaker of two detections of a class is dropped.
            precision: Number format of the backbone's activations.

        Returns:
            The detections of each image.
        """

    @property
    def device(self) -> torch.device:
        """Where the detector is."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The number format of its weights."""
        return next(self.parameters()).dtype

    def place(self, device: torch.device, dtype: torch.dtype) -> Detector:
        """Move to a device and dtype, in channels-last layout."""
        module: Any = self.to(device, dtype)
        return module.to(memory_format=torch.channels_last)

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """The maps of the backbone that the head uses, the finest first."""
        found = self.backbone(images)
        return [found[str(stride)] for stride in self.strides]


def _sides(backbone: FeatureMaps, image_size: int) -> list[int]:
    """Side of each map of the backbone."""
    training = backbone.training
    weight = next(backbone.parameters())
    with torch.no_grad():
        images = torch.zeros(1, 3, image_size, image_size, dtype=weight.dtype, device=weight.device)
        maps = backbone.eval()(images)
    backbone.train(training)
    return [found.shape[-1] for found in maps.values()]
