"""How other programs name the layers of the networks that this toolkit has.

A naming is a table: for each layer of theirs, the name of the same layer here. Blocks are numbered
through from the stem to the head as `blocks.0`, `blocks.1` …, because programs group them into
stages in different ways.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

NamedKind = Literal["anynet", "mbconv", "cells"]


@dataclass(frozen=True)
class BlockNames:
    """The layers inside a block.

    Attributes:
        marker: A layer that such blocks have and the others of the naming have not; "" for all.
        layers: Our name of each layer; a leading "/" marks one outside the block.
    """

    marker: str
    layers: Mapping[str, str]


@dataclass(frozen=True)
class Naming:
    """The names of layers in one program.

    Attributes:
        title: Name of program and networks, for messages.
        kind: The kind of network here.
        signs: Layers that tell the naming; a file has all of them.
        block: Matches the name of a layer in a block up to the layer, with the numbers of the stage
            and of the block as groups.
        blocks: The forms of blocks; the first one whose marker is there applies.
        layers: Layers outside the blocks.
        target: Our name of a block, with the groups of `block` as {0} and {1}; "" numbers the
            blocks through.
        missing: What a file is that has the signs but lacks a layer, for messages.
        absent: A layer that such a file has not.
    """

    title: str
    kind: NamedKind
    signs: tuple[str, ...]
    block: re.Pattern[str]
    blocks: tuple[BlockNames, ...]
    layers: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    missing: str = ""
    absent: str = ""


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, flags=re.ASCII)


def _conv_norm(pairs: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Ours to (their convolution, their batch norm), as a table from theirs to ours."""
    return {
        theirs: f"{ours}.{part}"
        for ours, both in pairs.items()
        for theirs, part in zip(both, ("conv", "norm"), strict=True)
    }


_REGNET_MISSING = "a RegNet of another kind (RegNetZ, pre-activation, GroupNorm)"

_TORCHVISION_REGNET = Naming(
    title="torchvision's RegNet",
    kind="anynet",
    signs=("trunk_output.block1.block1-0.f.a.0",),
    block=_pattern(r"trunk_output\.block(\d+)\.block\d+-(\d+)\."),
    blocks=(
        BlockNames(
            "",
            {
                **_conv_norm(
                    {
                        "shortcut": ("proj.0", "proj.1"),
                        "reduce": ("f.a.0", "f.a.1"),
                        "spatial": ("f.b.0", "f.b.1"),
                        "expand": ("f.c.0", "f.c.1"),
                    }
                ),
                "f.se.fc1": "excite.reduce",
                "f.se.fc2": "excite.expand",
            },
        ),
    ),
    layers={**_conv_norm({"stem": ("stem.0", "stem.1")}), "fc": "classifier"},
    missing=_REGNET_MISSING,
)

_TIMM_REGNET = Naming(
    title="timm's RegNet",
    kind="anynet",
    signs=("s1.b1.conv1.conv",),
    block=_pattern(r"s(\d+)\.b(\d+)\."),
    blocks=(
        BlockNames(
            "",
            {
                **_conv_norm(
                    {
                        "shortcut": ("downsample.conv", "downsample.bn"),
                        "reduce": ("conv1.conv", "conv1.bn"),
                        "spatial": ("conv2.conv", "conv2.bn"),
                        "expand": ("conv3.conv", "conv3.bn"),
                    }
                ),
                "se.fc1": "excite.reduce",
                "se.fc2": "excite.expand",
            },
        ),
    ),
    layers={**_conv_norm({"stem": ("stem.conv", "stem.bn")}), "head.fc": "classifier"},
    missing=_REGNET_MISSING,
)

_RESNET = Naming(
    title="ResNet of torchvision and timm",
    kind="anynet",
    signs=("conv1", "layer1.0.conv1"),
    block=_pattern(r"layer(\d+)\.(\d+)\."),
    blocks=(
        BlockNames(
            "conv3",
            _conv_norm(
                {
                    "shortcut": ("downsample.0", "downsample.1"),
                    "reduce": ("conv1", "bn1"),
                    "spatial": ("conv2", "bn2"),
                    "expand": ("conv3", "bn3"),
                }
            ),
        ),
        BlockNames(
            "",
            _conv_norm(
                {
                    "shortcut": ("downsample.0", "downsample.1"),
                    "spatial1": ("conv1", "bn1"),
                    "spatial2": ("conv2", "bn2"),
                }
            ),
        ),
    ),
    layers={**_conv_norm({"stem.0": ("conv1", "bn1")}), "fc": "classifier"},
    missing="a ResNet of another kind (ResNet-D has another stem)",
)

_TORCHVISION_EFFICIENTNET = Naming(
    title="torchvision's EfficientNet",
    kind="mbconv",
    signs=("features.0.0", "features.1.0.block.0.0"),
    block=_pattern(r"features\.(\d+)\.(\d+)\."),
    blocks=(
        BlockNames(
            "block.3.0",
            {
                **_conv_norm(
                    {
                        "expand": ("block.0.0", "block.0.1"),
                        "depthwise": ("block.1.0", "block.1.1"),
                        "project": ("block.3.0", "block.3.1"),
                    }
                ),
                "block.2.fc1": "excite.reduce",
                "block.2.fc2": "excite.expand",
            },
        ),
        BlockNames(
            "",
            {
                **_conv_norm(
                    {
                        "depthwise": ("block.0.0", "block.0.1"),
                        "project": ("block.2.0", "block.2.1"),
                    }
                ),
                "block.1.fc1": "excite.reduce",
                "block.1.fc2": "excite.expand",
            },
        ),
    ),
    layers={
        **_conv_norm(
            {
                "stem": ("features.0.0", "features.0.1"),
                "head.conv": ("features.8.0", "features.8.1"),
            }
        ),
        "classifier.1": "classifier",
    },
    missing="an EfficientNet of another kind (EfficientNetV2 has fused blocks)",
)

_TORCHVISION_MOBILENET = Naming(
    title="torchvision's MobileNetV2",
    kind="mbconv",
    signs=("features.0.0", "features.1.conv.0.0"),
    # Its blocks are not grouped into stages: each is one by itself.
    block=_pattern(r"features\.(?=(\d+))(\d+)\.conv\."),
    blocks=(
        BlockNames(
            "3",
            _conv_norm(
                {
                    "expand": ("0.0", "0.1"),
                    "depthwise": ("1.0", "1.1"),
                    "project": ("2", "3"),
                }
            ),
        ),
        BlockNames("", _conv_norm({"depthwise": ("0.0", "0.1"), "project": ("1", "2")})),
    ),
    layers={
        **_conv_norm(
            {
                "stem": ("features.0.0", "features.0.1"),
                "head.conv": ("features.18.0", "features.18.1"),
            }
        ),
        "classifier.1": "classifier",
    },
    missing="a MobileNet of another kind",
)

_TIMM_MBCONV = (
    BlockNames(
        "conv_pwl",
        {
            **_conv_norm(
                {
                    "expand": ("conv_pw", "bn1"),
                    "depthwise": ("conv_dw", "bn2"),
                    "project": ("conv_pwl", "bn3"),
                }
            ),
            "se.conv_reduce": "excite.reduce",
            "se.conv_expand": "excite.expand",
        },
    ),
    BlockNames(
        "conv_pw",
        {
            **_conv_norm({"depthwise": ("conv_dw", "bn1"), "project": ("conv_pw", "bn2")}),
            "se.conv_reduce": "excite.reduce",
            "se.conv_expand": "excite.expand",
        },
    ),
)

_TIMM_EFFICIENTNET = Naming(
    title="timm's EfficientNet or MobileNetV2",
    kind="mbconv",
    signs=("conv_stem", "blocks.0.0.conv_dw", "conv_head", "bn2"),
    block=_pattern(r"blocks\.(\d+)\.(\d+)\."),
    blocks=_TIMM_MBCONV,
    layers={
        **_conv_norm({"stem": ("conv_stem", "bn1"), "head.conv": ("conv_head", "bn2")}),
        "classifier": "classifier",
    },
    missing="an EfficientNet of another kind (EfficientNetV2, lite, GroupNorm)",
)

_TIMM_FBNET = Naming(
    title="timm's FBNetV3",
    kind="mbconv",
    signs=("conv_stem", "blocks.0.0.conv_dw", "conv_head"),
    absent="bn2",
    block=_pattern(r"blocks\.(\d+)\.(\d+)\."),
    blocks=(
        *_TIMM_MBCONV,
        BlockNames("conv", {"conv": "/head.expand.conv", "bn1": "/head.expand.norm"}),
    ),
    layers={
        **_conv_norm({"stem": ("conv_stem", "bn1")}),
        "conv_head": "head.conv",
        "classifier": "classifier",
    },
    missing="a MobileNetV3 or another network of this build",
)

_AUTHORS_CELLS = Naming(
    title="a network of DARTS' and PC-DARTS' code",
    kind="cells",
    signs=("cells.0.preprocess1.op.1",),
    block=_pattern(r"cells\.(\d+)\._ops\.(\d+)\."),
    blocks=(
        BlockNames(  # Separable convolution
            "op.7",
            {
                "op.1": "depthwise1",
                "op.2": "pointwise1",
                "op.3": "norm1",
                "op.5": "depthwise2",
                "op.6": "pointwise2",
                "op.7": "norm2",
            },
        ),
        BlockNames("op.3", {"op.1": "depthwise", "op.2": "pointwise", "op.3": "norm"}),
        BlockNames("conv_1", {"conv_1": "conv1", "conv_2": "conv2", "bn": "norm"}),
        BlockNames("", {"1": "conv1x7", "2": "conv7x1", "3": "norm"}),
    ),
    target="cells.{0}.operations.{1}.",
    layers={
        "stem.0": "stem.conv",
        "stem.1": "stem.norm",
        "stem0.0": "stem.conv1",
        "stem0.1": "stem.norm1",
        "stem0.3": "stem.conv2",
        "stem0.4": "stem.norm2",
        "stem1.1": "stem.conv3",
        "stem1.2": "stem.norm3",
        "classifier": "classifier",
        **{f"auxiliary_head.features.{n}": f"auxiliary_head.features.{n}" for n in (2, 3, 5, 6)},
        "auxiliary_head.classifier": "auxiliary_head.classifier",
    },
    missing="a network of other cells",
)

AUTHORS_INPUTS = (
    _pattern(r"(cells\.\d+\.preprocess[01])\.(op\.1|op\.2|conv_1|conv_2|bn)"),
    {"op.1": "conv", "op.2": "norm", "conv_1": "conv1", "conv_2": "conv2", "bn": "norm"},
)
"""The layers before a cell's operations in the authors' code, which keep the cell's name."""

NAMINGS: tuple[Naming, ...] = (
    _TORCHVISION_REGNET,
    _TIMM_REGNET,
    _RESNET,
    _TORCHVISION_EFFICIENTNET,
    _TORCHVISION_MOBILENET,
    _TIMM_EFFICIENTNET,
    _TIMM_FBNET,
    _AUTHORS_CELLS,
)
"""All layouts that are recognised, in the order in which they are tried."""


@dataclass(frozen=True)
class RefusedLayout:
    """Weights of networks that this toolkit has, by a program whose files do not tell enough.

    Attributes:
        title: Name of program and networks, for messages.
        signs: Layers that tell the layout; a file has all of them.
        reason: What a file does not tell.
        remedy: What to give instead.
    """

    title: str
    signs: tuple[str, ...]
    reason: str
    remedy: str


REFUSED: tuple[RefusedLayout, ...] = (
    RefusedLayout(
        title="a network of pycls, such as its RegNets",
        signs=("stem.conv", "s1.b1.f.a", "head.fc"),
        reason="the file does not tell whether it was trained on RGB or BGR images",
        remedy="torchvision's or timm's weights of the same network (regnet_x_400mf, regnetx_004)",
    ),
    RefusedLayout(
        title="an EfficientNet of the package EfficientNet-PyTorch",
        signs=("_conv_stem", "_bn0", "_blocks.0._depthwise_conv", "_fc"),
        reason="the file does not tell how its images were normalised",
        remedy="timm's weights of the same network (tf_efficientnet_b0)",
    ),
)
"""Layouts that are known and refused."""
