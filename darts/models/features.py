"""Networks as backbones: feature maps instead of logits, for detection or segmentation.

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
    """A network without its classifiers that returns feature maps.

    Parameters keep their names with the prefix `network.`. `darts.load_pretrained` loads them from
    a run.

    >>> from darts.models.registry import create_network
    >>> import torch
    >>> maps = FeatureMaps(create_network("regnetx_200mf"))(torch.zeros(1, 3, 64, 64))
    >>> {stride: tuple(one.shape[1:]) for stride, one in maps.items()}
    {'4': (24, 16, 16), '8': (56, 8, 8), '16': (152, 4, 4), '32': (368, 2, 2)}

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
        """The maps `[B, C, H / stride, W / stride]` of images `[B, 3, H, W]`, by stride.

        The finest map is first. torchvision's feature pyramids and detectors accept this
        dictionary.
        """
        names = map(str, self.feature_strides)
        return dict(zip(names, self.network.features(images), strict=True))


@dataclass(frozen=True)
class Scales:
    """The stages whose outputs are the feature maps.

    Attributes:
        stages: Numbers of the stages.
        channels: Channels of their outputs.
        strides: Strides of their outputs.
    """

    stages: tuple[int, ...]
    channels: tuple[int, ...]
    strides: tuple[int, ...]


def scales_of(stages: Sequence[Any], stride: int) -> Scales:
    """The last stage of each scale.

    Scales finer than a quarter of the image are left out, unless the last scale is finer than 1/16,
    as in networks for small images.

    Args:
        stages: Objects with a `width` and a `stride`.
        stride: Stride of the stem.
    """
    strides = list(accumulate((stage.stride for stage in stages), mul, initial=stride))[1:]
    ends = [i for i in range(len(stages)) if strides[i : i + 2] != [strides[i]] * 2]
    kept = tuple(i for i in ends if strides[i] >= FINEST or strides[-1] < 4 * FINEST)
    return Scales(kept, tuple(stages[i].width for i in kept), tuple(strides[i] for i in kept))


def stage_maps(x: Tensor, stages: nn.ModuleList, scales: Scales) -> tuple[Tensor, ...]:
    """Outputs of the stages in `scales` for a stem's output `x`; a stage is a list of blocks."""
    maps = []
    for number, stage in enumerate(stages):
        assert isinstance(stage, nn.ModuleList)
        for block in stage:
            x = block(x)
        if number in scales.stages:
            maps.append(x)
    return tuple(maps)
