"""Networks as backbones: feature maps in place of logits, for detection, segmentation and the like.

Any `Classifier` works. Its `features(images)` returns one map for each entry of `feature_channels`,
finest first; the modules behind the last map are called `head`, `classifier` and `auxiliary_head`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import mul
from typing import Any

from torch import Tensor, nn

from darts.models.classifier import Classifier

FINEST = 4


class FeatureMaps(nn.Module):
    """The part of a network that makes feature maps; what only its classifiers need is dropped.

    Parameters keep their names, behind `network.`. `darts.load_pretrained` fills them from a run.

    Attributes:
        feature_channels, feature_strides: See `Classifier`.
    """

    def __init__(self, network: Classifier) -> None:
        super().__init__()
        self.feature_channels = network.feature_channels
        self.feature_strides = network.feature_strides
        for name in ("head", "classifier", "auxiliary_head"):
            if isinstance(getattr(network, name, None), nn.Module):
                setattr(network, name, None)
        self.network = network

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """The maps of images `[B, 3, H, W]`, named by their strides, finest first.

        torchvision's pyramids and detectors take such a dictionary as it is.
        """
        names = map(str, self.feature_strides)
        return dict(zip(names, self.network.features(images), strict=True))


@dataclass(frozen=True)
class Scales:
    """Which of a network's stages give the feature maps, of which channels and strides."""

    stages: tuple[int, ...]
    channels: tuple[int, ...]
    strides: tuple[int, ...]


def scales_of(stages: Sequence[Any], stride: int) -> Scales:
    """The last stage of each scale, of stages with a `width` and a `stride` behind such a stem.

    Scales finer than a quarter of the image are left out, unless the network ends before 1/16, as
    those for small images do.
    """
    strides = list(accumulate((stage.stride for stage in stages), mul, initial=stride))[1:]
    ends = [i for i in range(len(stages)) if strides[i : i + 2] != [strides[i]] * 2]
    kept = tuple(i for i in ends if strides[i] >= FINEST or strides[-1] < 4 * FINEST)
    return Scales(kept, tuple(stages[i].width for i in kept), tuple(strides[i] for i in kept))


def stage_maps(x: Tensor, stages: nn.ModuleList, scales: Scales) -> tuple[Tensor, ...]:
    """What the stages of `scales` put out, for a stem's output `x`; a stage is a list of blocks."""
    maps = []
    for number, stage in enumerate(stages):
        assert isinstance(stage, nn.ModuleList)
        for block in stage:
            x = block(x)
        if number in scales.stages:
            maps.append(x)
    return tuple(maps)
