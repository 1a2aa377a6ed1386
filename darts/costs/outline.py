"""A network of stages in outline: depths, widths, strides and resolutions, for a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from darts.costs.count import count
from darts.costs.shapes import ShapesOnly
from darts.models.registry import family_of
from darts.models.staged_config import StagedConfig
from darts.models.staged_network import StagedNetwork

# Further settings of a stage in a few letters.
_DETAILS = {
    "kernel": "{0}×{0} kernel",
    "expansion": "expansion {0:g}",
    "bottleneck": "bottleneck {0:g}",
    "group_width": "groups of {0}",
    "se_ratio": "SE {0:g}",
}


@dataclass(frozen=True, kw_only=True)
class OutlinedStage:
    """A stage, or the stem.

    Attributes:
        name: "stem", "stage 1" …
        depth: Number of blocks.
        width: Channels of its output.
        stride: Stride of its first block.
        size: Side of its output in pixels.
        details: Kernel, expansion and the like, in words.
    """

    name: str
    depth: int
    width: int
    stride: int
    size: int
    details: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NetworkOutline:
    """A network of stages.

    Attributes:
        name: Its name.
        resolution: Side of the image in pixels.
        stages: The stem and the stages.
        features: Channels of the classifier's input.
        classes: Number of classes.
        params: Parameters.
        macs: Multiply-adds for one image.
        activations: Output elements of convolutions.
    """

    name: str
    resolution: int
    stages: tuple[OutlinedStage, ...]
    features: int
    classes: int
    params: int
    macs: int
    activations: int


def outline_of(
    name: str, config: StagedConfig, resolution: int | None = None, classes: int | None = None
) -> NetworkOutline:
    """The outline of a network; shapes are traced without memory or arithmetic.

    >>> from darts.models.registry import find_model
    >>> found = outline_of("resnet50", find_model("resnet50"))
    >>> [(stage.depth, stage.width, stage.size) for stage in found.stages[1:3]]
    [(3, 256, 56), (4, 512, 28)]

    Args:
        name: Its name.
        config: Its config.
        resolution: Side of the image; by default the network's own.
        classes: Number of classes; by default 10 for small images and 1,000 for others.

    Raises:
        UserError: The network cannot take such images.
    """
    size = resolution or config.resolution
    classes = classes or (10 if config.setting == "cifar" else 1000)
    config.check_image_size(size, size)
    with torch.device("meta"):
        network = family_of(config).create(config, num_classes=classes)
    shapes = _shapes(network, size)
    stages = [
        OutlinedStage(
            name="stem",
            depth=1,
            width=shapes[0][0],
            stride=config.stem_stride,
            size=shapes[0][1],
        )
    ]
    for number, (stage, (width, side)) in enumerate(zip(config.stages, shapes[1:], strict=True), 1):
        stages.append(
            OutlinedStage(
                name=f"stage {number}",
                depth=stage.depth,
                width=width,
                stride=stage.stride,
                size=side,
                details=_details(asdict(stage)),
            )
        )
    cost = count(network, size)
    linear = [one for one in network.classifier.modules() if isinstance(one, nn.Linear)]
    return NetworkOutline(
        name=name,
        resolution=size,
        stages=tuple(stages),
        features=linear[0].in_features,
        classes=classes,
        params=cost.params,
        macs=cost.macs,
        activations=cost.activations,
    )


def _shapes(network: StagedNetwork, size: int) -> list[tuple[int, int]]:
    """(channels, side) after the stem and after each stage."""
    network.eval()
    with ShapesOnly(), torch.no_grad():
        x = network.stem(torch.empty(1, 3, size, size, device="meta"))
        found = [(x.shape[1], x.shape[-1])]
        for stage in network.stages:
            assert isinstance(stage, nn.ModuleList)
            for block in stage:
                x = block(x, 0.0, None)
            found.append((x.shape[1], x.shape[-1]))
    return found


def _details(stage: Mapping[str, Any]) -> tuple[str, ...]:
    """Settings of a stage in words; those that do nothing are left out."""
    idle: Mapping[str, Sequence[Any]] = {
        "se_ratio": (0, 0.0),
        "bottleneck": (1, 1.0),
        "group_width": (1,),
    }
    return tuple(
        text.format(stage[name])
        for name, text in _DETAILS.items()
        if name in stage and stage[name] not in idle.get(name, ())
    )
