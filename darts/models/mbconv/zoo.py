"""The published models by name: EfficientNet B0 to B8 and L2, FBNetV3 A0 and A to G, MobileNetV2.

EfficientNet: arXiv 1905.11946, §4, Table 1, and the authors' code (tensorflow/tpu,
models/official/efficientnet), whose coefficients were rounded by hand and follow no single phi.
MobileNetV2: arXiv 1801.04381, Table 2.
FBNetV3: mobile-vision, mobile_cv/arch/fbnet_v2/fbnet_modeldef_cls_fbnetv3.py; see fbnetv3.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

import yaml

from darts.models.mbconv.config import MBConvConfig, MBConvStage
from darts.models.mbconv.scaling import scaled_mbconv

B0 = MBConvConfig(
    stages=tuple(
        MBConvStage(depth=d, width=w, kernel=k, stride=s, expansion=e, se_ratio=0.25)
        for d, w, k, s, e in (
            (1, 16, 3, 1, 1),
            (2, 24, 3, 2, 6),
            (2, 40, 5, 2, 6),
            (3, 80, 3, 2, 6),
            (3, 112, 5, 1, 6),
            (4, 192, 5, 2, 6),
            (1, 320, 3, 1, 6),
        )
    ),
    dropout=0.2,
)


MOBILENET_V2 = MBConvConfig(
    stages=tuple(
        MBConvStage(depth=d, width=w, kernel=3, stride=s, expansion=e)
        for e, w, d, s in (
            (1, 16, 1, 1),
            (6, 24, 2, 2),
            (6, 32, 3, 2),
            (6, 64, 4, 2),
            (6, 96, 3, 1),
            (6, 160, 3, 2),
            (6, 320, 1, 1),
        )
    ),
    activation="relu6",
    dropout=0.2,
    norm_momentum=0.1,
    norm_eps=1e-5,
)
"""MobileNetV2 with the width multiplier 1."""


def efficientnet(
    width: float, depth: float, resolution: int = 224, dropout: float = 0.2
) -> MBConvConfig:
    """B0 with its filters multiplied by `width` and its repeats by `depth`; see `scaled_mbconv`."""
    larger = scaled_mbconv(B0, width=width, depth=depth, resolution=resolution)
    return replace(larger, dropout=dropout)


# Width, depth, resolution, dropout.
EFFICIENTNETS: Mapping[str, tuple[float, float, int, float]] = MappingProxyType(
    {
        "efficientnet_b0": (1.0, 1.0, 224, 0.2),
        "efficientnet_b1": (1.0, 1.1, 240, 0.2),
        "efficientnet_b2": (1.1, 1.2, 260, 0.3),
        "efficientnet_b3": (1.2, 1.4, 300, 0.3),
        "efficientnet_b4": (1.4, 1.8, 380, 0.4),
        "efficientnet_b5": (1.6, 2.2, 456, 0.4),
        "efficientnet_b6": (1.8, 2.6, 528, 0.5),
        "efficientnet_b7": (2.0, 3.1, 600, 0.5),
        "efficientnet_b8": (2.2, 3.6, 672, 0.5),
        "efficientnet_l2": (4.3, 5.3, 800, 0.5),
    }
)


@cache
def _fbnets() -> Mapping[str, MBConvConfig]:
    text = Path(__file__).with_name("fbnetv3.yaml").read_text(encoding="utf-8")
    tables = yaml.safe_load(text)
    return MappingProxyType(
        {
            name: MBConvConfig.from_dict(
                {
                    **tables["shared"],
                    **{key: value for key, value in model.items() if key != "stages"},
                    "stages": [
                        dict(zip(tables["columns"], row, strict=False)) for row in model["stages"]
                    ],
                }
            )
            for name, model in tables["models"].items()
        }
    )


def list_mbconv_nets() -> tuple[str, ...]:
    """Names that `find_mbconv_net` knows."""
    return (*EFFICIENTNETS, *_fbnets(), "mobilenet_v2")


def find_mbconv_net(name: str) -> MBConvConfig | None:
    """The published model of this name, or None.

    The papers' spelling works too: "EfficientNet-B0", "FBNetV3-A".

    >>> find_mbconv_net("EfficientNet-B0") == B0
    True
    """
    plain = name.lower().replace("-", "_")
    if plain.replace("_", "") == "mobilenetv2":
        return MOBILENET_V2
    if plain in EFFICIENTNETS:
        return efficientnet(*EFFICIENTNETS[plain])
    return _fbnets().get(plain)
