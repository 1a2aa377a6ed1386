"""Networks of cells: the width and depth around a genotype as the architecture of a space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from darts.costs.cells import network_cost
from darts.errors import UserError
from darts.joint.costs import Costs
from darts.joint.networks.setting import NetworkSetting
from darts.joint.space import ValueColumns
from darts.models.genotype_network import setting_of
from genotypes import Genotype, load_genotype
from genotypes.search_space import DARTS


class CellNetworks:
    """Networks of cells with variable `channels` and `layers`, and possibly variable genotypes.

    >>> from genotypes import load_genotype
    >>> model = load_genotype("pcdarts_cifar10")
    >>> setting = NetworkSetting(resolution=32, num_classes=10, stem="cifar", model=model)
    >>> columns = {"channels": np.array([16, 36]), "layers": np.array([8, 20])}
    >>> CellNetworks(setting).costs(columns, np.array([32, 32])).params
    array([ 335738., 3634678.])
    """

    needs: tuple[str, ...] = ()
    accepts = ("channels", "layers", "auxiliary_weight", "genotype")

    def __init__(self, setting: NetworkSetting) -> None:
        self.setting = setting
        self._known: dict[tuple[str, int, int, int], tuple[float, float]] = {}

    def costs(self, columns: ValueColumns, resolutions: np.ndarray) -> Costs:
        """Costs of N candidates; each distinct network is counted only once."""
        setting, total = self.setting, len(resolutions)
        model = setting.model
        space = model.rules if isinstance(model, Genotype) else DARTS
        defaults = setting_of(space, setting.stem)
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
                "A space of cells needs a genotype: give --genotype, or add a variable 'genotype' "
                "with a choice of names to the space."
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
        if channels % 2:  # A factorised reduction has an even number of outputs.
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
        except UserError:  # The image size is not divisible by the total stride.
            return np.inf, np.inf
        return float(cost.macs), float(cost.params)
