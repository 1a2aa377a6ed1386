"""Networks of a genotype's cells: how wide and how deep, as the architecture of a joint search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from darts.costs.cells import network_cost
from darts.errors import UserError
from darts.joint.costs import Costs
from darts.joint.networks.setting import NetworkSetting
from darts.joint.space import ValueColumns
from darts.models.derived import SETTINGS
from genotypes import Genotype, load_genotype


class CellNetworks:
    """Networks of `channels` and `layers`; the genotype itself may be a variable, too."""

    needs: tuple[str, ...] = ()
    accepts = ("channels", "layers", "auxiliary_weight", "genotype")

    def __init__(self, setting: NetworkSetting) -> None:
        self.setting = setting
        self._known: dict[tuple[str, int, int, int], tuple[float, float]] = {}

    def costs(self, columns: ValueColumns, resolutions: np.ndarray) -> Costs:
        """A space has far fewer different sizes than candidates; each is counted once."""
        setting, total = self.setting, len(resolutions)
        defaults = SETTINGS[setting.stem]
        names = columns.get("genotype", np.full(total, "")).tolist()
        channels = columns.get("channels", np.full(total, setting.channels or defaults.channels))
        layers = columns.get("layers", np.full(total, setting.layers or defaults.layers))
        keys = zip(names, channels.tolist(), layers.tolist(), resolutions.tolist(), strict=True)
        counted = np.array([self._cost(*key) for key in keys]).reshape(total, 2)
        return Costs(counted[:, 0], counted[:, 1])

    def settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        genotype = self._genotype(str(values.get("genotype", "")))
        return {"model": genotype, **{n: v for n, v in values.items() if n != "genotype"}}

    def _genotype(self, name: str) -> Genotype:
        if name:
            return load_genotype(name)
        if not isinstance(self.setting.model, Genotype):
            raise UserError(
                "A space of cells needs a cell: give --genotype, or a variable genotype with a "
                "choice of names."
            )
        return self.setting.model

    def _cost(self, name: str, channels: int, layers: int, resolution: int) -> tuple[float, float]:
        key = (name, channels, layers, resolution)
        if key not in self._known:
            self._known[key] = self._counted(*key)
        return self._known[key]

    def _counted(
        self, name: str, channels: int, layers: int, resolution: int
    ) -> tuple[float, float]:
        genotype = self._genotype(name)
        if channels % 2:  # A factorised reduction gives even numbers only.
            return np.inf, np.inf
        try:
            cost = network_cost(
                genotype,
                channels=channels,
                layers=layers,
                stem=self.setting.stem,
                resolution=resolution,
                num_classes=self.setting.num_classes,
            )
        except UserError:  # The image does not come out even.
            return np.inf, np.inf
        return float(cost.macs), float(cost.params)
