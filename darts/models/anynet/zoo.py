"""The published models by name: 24 RegNets, eight ResNets and ResNeXts.

Parameters are those of pycls (configs/dds_baselines, from arXiv 2003.13678, Figs 15 and 16).
torchvision's regnet_x_400mf, regnet_y_800mf and regnet_y_8gf differ from these, because it rounds
widths to groups in a different way.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from darts.models.anynet.config import AnyNetConfig, Stage, stage_strides
from darts.models.anynet.regnet import RegNet


def _regnetx(depth: int, w0: int, wa: float, wm: float, group_width: int) -> RegNet:
    return RegNet(depth=depth, w0=w0, wa=wa, wm=wm, group_width=group_width)


def _regnety(depth: int, w0: int, wa: float, wm: float, group_width: int) -> RegNet:
    return RegNet(depth=depth, w0=w0, wa=wa, wm=wm, group_width=group_width, se_ratio=0.25)


REGNETS: Mapping[str, RegNet] = MappingProxyType(
    {
        "regnetx_200mf": _regnetx(13, 24, 36.44, 2.49, 8),
        "regnetx_400mf": _regnetx(22, 24, 24.48, 2.54, 16),
        "regnetx_600mf": _regnetx(16, 48, 36.97, 2.24, 24),
        "regnetx_800mf": _regnetx(16, 56, 35.73, 2.28, 16),
        "regnetx_1.6gf": _regnetx(18, 80, 34.01, 2.25, 24),
        "regnetx_3.2gf": _regnetx(25, 88, 26.31, 2.25, 48),
        "regnetx_4.0gf": _regnetx(23, 96, 38.65, 2.43, 40),
        "regnetx_6.4gf": _regnetx(17, 184, 60.83, 2.07, 56),
        "regnetx_8.0gf": _regnetx(23, 80, 49.56, 2.88, 120),
        "regnetx_12gf": _regnetx(19, 168, 73.36, 2.37, 112),
        "regnetx_16gf": _regnetx(22, 216, 55.59, 2.1, 128),
        "regnetx_32gf": _regnetx(23, 320, 69.86, 2.0, 168),
        "regnety_200mf": _regnety(13, 24, 36.44, 2.49, 8),
        "regnety_400mf": _regnety(16, 48, 27.89, 2.09, 8),
        "regnety_600mf": _regnety(15, 48, 32.54, 2.32, 16),
        "regnety_800mf": _regnety(14, 56, 38.84, 2.4, 16),
        "regnety_1.6gf": _regnety(27, 48, 20.71, 2.65, 24),
        "regnety_3.2gf": _regnety(21, 80, 42.63, 2.66, 24),
        "regnety_4.0gf": _regnety(22, 96, 31.41, 2.24, 64),
        "regnety_6.4gf": _regnety(25, 112, 33.22, 2.27, 72),
        "regnety_8.0gf": _regnety(17, 192, 76.82, 2.19, 56),
        "regnety_12gf": _regnety(19, 168, 73.36, 2.37, 112),
        "regnety_16gf": _regnety(18, 200, 106.23, 2.48, 112),
        "regnety_32gf": _regnety(20, 232, 115.89, 2.53, 232),
    }
)


def _resnet(depths: tuple[int, ...], b: int, group_widths: tuple[int, ...]) -> AnyNetConfig:
    stages = tuple(
        Stage(depth=depth, width=width, stride=stride, bottleneck=b, group_width=group)
        for depth, width, stride, group in zip(
            depths, (256, 512, 1024, 2048), stage_strides("resnet", 4), group_widths, strict=True
        )
    )
    return AnyNetConfig(stages=stages, stem="resnet", stem_width=64)


def _basic_resnet(depths: tuple[int, ...]) -> AnyNetConfig:
    stages = tuple(
        Stage(depth=depth, width=width, stride=stride)
        for depth, width, stride in zip(
            depths, (64, 128, 256, 512), stage_strides("resnet", 4), strict=True
        )
    )
    return AnyNetConfig(stages=stages, block="b", stem="resnet", stem_width=64)


_DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}

# A ResNet has one group, as wide as the bottleneck. The ResNeXts are 32x4d.
RESNETS: Mapping[str, AnyNetConfig] = MappingProxyType(
    {"resnet18": _basic_resnet((2, 2, 2, 2)), "resnet34": _basic_resnet((3, 4, 6, 3))}
    | {f"resnet{layers}": _resnet(d, 4, (64, 128, 256, 512)) for layers, d in _DEPTHS.items()}
    | {f"resnext{layers}": _resnet(d, 2, (4, 8, 16, 32)) for layers, d in _DEPTHS.items()}
)


def list_anynets() -> tuple[str, ...]:
    """Names that `find_anynet` knows."""
    return (*REGNETS, *RESNETS)


def find_anynet(name: str) -> AnyNetConfig | None:
    """The published model of this name, or None.

    The papers' spelling works too ("RegNetX-4.0GF", "ResNet-50"), as do "4gf" and
    "resnext50_32x4d".

    >>> find_anynet("ResNet-50") == RESNETS["resnet50"]
    True
    """
    plain = name.lower().replace("-", "_")
    if plain.startswith(("resnet", "resnext")):
        return RESNETS.get(plain.removesuffix("_32x4d").replace("_", ""))
    for candidate in (plain, plain.replace("gf", ".0gf")):
        if candidate in REGNETS:
            return REGNETS[candidate].config()
    return None
