"""FBNetV3's networks (arXiv 2006.02049) as the architecture of a space.

A network has seven stages of inverted residuals and an MBPool head. The first block of a stage has
its own kernel size and expansion. Padding is always (kernel - 1) / 2: the irregular paddings of a
few published networks are not variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from darts.joint.costs import Costs
from darts.joint.networks.setting import NetworkSetting
from darts.joint.space import ValueColumns
from darts.models.mbconv.config import MBConvConfig, MBConvStage
from darts.models.mbconv.cost import MBConvTable, mbconv_costs
from darts.models.mbconv.zoo import find_mbconv_net

# Strides of the seven stages, and which of them have squeeze-excite.
STRIDES = (1, 2, 2, 2, 1, 2, 1)
SQUEEZED = (False, False, True, False, True, True, True)
_OF_STAGE = ("width", "depth", "kernel_first", "kernel", "expansion_first", "expansion")


class FBNetV3Networks:
    """Networks of FBNetV3.

    The settings are `stem.width`, `pool.expansion` and, for N from 1 to 7, `stageN.width`,
    `stageN.depth`, `stageN.kernel_first`, `stageN.kernel`, `stageN.expansion_first` and
    `stageN.expansion`.

    >>> from darts.joint.space_file import find_joint_space
    >>> space = find_joint_space("fbnetv3")
    >>> columns = space.columns(np.zeros((1, len(space))))  # Gene 0 is the smallest value.
    >>> FBNetV3Networks(NetworkSetting()).costs(columns, np.array([224])).params
    array([8365512.])
    """

    accepts = (
        "stem.width",
        *(f"stage{n}.{name}" for n in range(1, 8) for name in _OF_STAGE),
        "pool.expansion",
    )
    needs = accepts

    def __init__(self, setting: NetworkSetting) -> None:
        self.num_classes = setting.num_classes
        base = find_mbconv_net("fbnetv3_b")
        assert base is not None
        self.base = base.for_small_images() if setting.stem == "cifar" else base
        # As in `MBConvConfig.for_small_images`, the first strided stage has stride 1.
        self.strides = (1, 1, *STRIDES[2:]) if setting.stem == "cifar" else STRIDES

    def costs(self, columns: ValueColumns, resolutions: np.ndarray) -> Costs:
        stages = [
            {name: columns[f"stage{number}.{name}"] for name in _OF_STAGE} for number in range(1, 8)
        ]
        total = len(resolutions)

        def pairs(first: str, rest: str) -> np.ndarray:
            """Two columns per stage: the first block and the other blocks."""
            return np.stack([stage[name] for stage in stages for name in (first, rest)], axis=1)

        depths = np.stack([d for s in stages for d in (np.ones(total), s["depth"] - 1)], axis=1)
        table = MBConvTable(
            depths=depths.astype(np.int64),
            widths=pairs("width", "width").astype(np.int64),
            kernels=pairs("kernel_first", "kernel").astype(np.int64),
            strides=np.tile([s for stride in self.strides for s in (stride, 1)], (total, 1)),
            expansions=pairs("expansion_first", "expansion").astype(np.float64),
            se_ratios=np.tile(np.repeat(SQUEEZED, 2) * 0.25, (total, 1)),
            paddings=np.full((total, 14), -1),
            stem_widths=columns["stem.width"].astype(np.int64),
            head_widths=np.full(total, self.base.head_width),
            head_expansions=columns["pool.expansion"].astype(np.float64),
            stem=self.base.stem,
            stem_bias=self.base.stem_bias,
            head=self.base.head,
            channel_multiple=self.base.channel_multiple,
        )
        cost = mbconv_costs(table, resolution=resolutions, num_classes=self.num_classes)
        return Costs(cost.macs.astype(np.float64), cost.params.astype(np.float64))

    def settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {"model": self.config(values)}

    def config(self, values: Mapping[str, Any]) -> MBConvConfig:
        """Return the network of one candidate."""
        stages: list[MBConvStage] = []
        for number, (stride, squeezed) in enumerate(zip(self.strides, SQUEEZED, strict=True), 1):
            of = {name: values[f"stage{number}.{name}"] for name in _OF_STAGE}
            shared = {"width": of["width"], "se_ratio": 0.25 * squeezed}
            stages.append(
                MBConvStage(
                    depth=1,
                    kernel=of["kernel_first"],
                    expansion=float(of["expansion_first"]),
                    stride=stride,
                    **shared,
                )
            )
            if of["depth"] > 1:
                stages.append(
                    MBConvStage(
                        depth=of["depth"] - 1,
                        kernel=of["kernel"],
                        expansion=float(of["expansion"]),
                        **shared,
                    )
                )
        return replace(
            self.base,
            stages=tuple(stages),
            stem_width=values["stem.width"],
            head_expansion=float(values["pool.expansion"]),
        )
