"""One fixed network, for spaces that contain only a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from darts.costs.count import count
from darts.errors import UserError
from darts.joint.costs import Costs, by_resolution
from darts.joint.networks.setting import NetworkSetting
from darts.joint.space import ValueColumns
from darts.models.registry import create_network
from genotypes import Genotype


class FixedNetwork:
    """The network or genotype of the setting."""

    needs: tuple[str, ...] = ()
    accepts: tuple[str, ...] = ()

    def __init__(self, setting: NetworkSetting) -> None:
        if setting.model is None:
            raise UserError(
                "A space of recipes needs a network: give --model or --genotype, or join the space "
                "with a space of networks, as in darts-cell+recipe."
            )
        self.setting = setting

    def costs(self, columns: ValueColumns, resolutions: np.ndarray) -> Costs:
        def costs_at(members: np.ndarray, resolution: int) -> Costs:
            macs, params = self._cost(resolution)
            return Costs(np.full(len(members), macs), np.full(len(members), params))

        return by_resolution(resolutions, costs_at)

    def _cost(self, resolution: int) -> tuple[float, float]:
        setting = self.setting
        model: Any = setting.model
        sizes: dict[str, Any] = {}
        if isinstance(model, Genotype):
            sizes = {"channels": setting.channels, "layers": setting.layers}
        with torch.device("meta"):
            network = create_network(
                model, num_classes=setting.num_classes, stem=setting.stem, **sizes
            )
        try:
            counted = count(network, resolution)
        except UserError:  # The network does not accept this image size.
            return np.inf, np.inf
        return float(counted.macs), float(counted.params)

    def settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {"model": self.setting.model}
