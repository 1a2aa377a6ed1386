"""RegNets (arXiv 2003.13678) as the architecture of a space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from darts.joint.costs import Costs, by_resolution
from darts.joint.networks.setting import NetworkSetting
from darts.joint.space import ValueColumns
from darts.models.anynet.config import AnyNetStem, compatible_widths, stage_strides
from darts.models.anynet.cost import anynet_costs
from darts.models.anynet.regnet import RegNet, stages_of
from darts.models.anynet.table import AnyNetTable

STAGES = 4  # The space of the paper; parameters that give another number are excluded.
_DEFAULTS: Mapping[str, float] = {"bottleneck": 1.0, "se_ratio": 0.0}


class RegNetNetworks:
    """RegNets of four stages.

    The variables are those of the paper, §3.3: block j has width u_j = w_0 + w_a·j for
    0 <= j < depth, quantised to w_0·w_m^⌊s_j⌉ with s_j = log_{w_m}(u_j / w_0). `bottleneck` and
    `se_ratio` are 1 and 0 unless they are variables.

    >>> values = {"depth": 13, "w0": 24, "wa": 36.44, "wm": 2.49, "group_width": 8}  # X-200MF
    >>> columns = {name: np.array([value]) for name, value in values.items()}
    >>> RegNetNetworks(NetworkSetting()).costs(columns, np.array([224])).params
    array([2684792.])
    """

    needs = ("depth", "w0", "wa", "wm", "group_width")
    accepts = (*needs, *_DEFAULTS)

    def __init__(self, setting: NetworkSetting) -> None:
        self.setting = setting
        self.stem: AnyNetStem = "cifar" if setting.stem == "cifar" else "simple"

    def costs(self, columns: ValueColumns, resolutions: np.ndarray) -> Costs:
        total = len(columns["depth"])
        of = {name: np.full(total, value) for name, value in _DEFAULTS.items()} | dict(columns)
        w0, wa, wm = (of[name].astype(np.float64) for name in ("w0", "wa", "wm"))
        chosen, depths, widths = stages_of(of["depth"].astype(np.int64), w0, wa, wm, STAGES)
        bottlenecks, groups, ratios = (
            np.repeat(of[name][chosen, None], STAGES, axis=1)
            for name in ("bottleneck", "group_width", "se_ratio")
        )
        widths, groups = compatible_widths(widths, bottlenecks, groups)
        strides = np.tile(np.array(stage_strides(self.stem, STAGES)), (len(chosen), 1))

        def costs_at(members: np.ndarray, resolution: int) -> Costs:
            table = AnyNetTable(
                depths=depths[members],
                widths=widths[members],
                strides=strides[members],
                bottlenecks=bottlenecks[members].astype(np.float64),
                group_widths=groups[members],
                se_ratios=ratios[members].astype(np.float64),
                stem=self.stem,
            )
            classes = self.setting.num_classes
            cost = anynet_costs(table, resolution=resolution, num_classes=classes)
            return Costs(cost.macs.astype(np.float64), cost.params.astype(np.float64))

        found = by_resolution(resolutions[chosen], costs_at)
        macs, params = np.full(total, np.inf), np.full(total, np.inf)
        macs[chosen], params[chosen] = found.macs, found.params
        return Costs(macs, params)

    def settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        config = RegNet(**values).config()
        return {"model": config.for_small_images() if self.stem == "cifar" else config}
