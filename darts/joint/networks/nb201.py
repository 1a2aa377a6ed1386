"""NAS-Bench-201 cells (arXiv 2001.00326): four states joined by six edges, one operation per edge.

The network is `darts.models.stages.StagesNetwork`; its costs have a closed form
(`genotypes.nasbench201_cost`), which depends on the numbers of convolutions only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cells.skeleton import STAGE_COUNT
from darts.joint.costs import Costs, by_resolution
from darts.joint.networks.setting import NetworkSetting
from darts.joint.space import ValueColumns
from darts.models.stages import STAGES_SETTING, cell_stages
from genotypes import Genotype
from genotypes.nasbench201 import EDGES, genotype_of
from genotypes.nasbench201_cost import KERNELS, StagesSize

NB201_EDGES = tuple(f"{source}>{target}" for source, target in EDGES)
"""The variables of the space, one for each edge."""


class NB201Networks:
    """Cells of the benchmark in its network, or in one of another size.

    >>> cell = {edge: np.array(["nor_conv_3x3"]) for edge in NB201_EDGES}
    >>> costs = NB201Networks(NetworkSetting(num_classes=10)).costs(cell, np.array([32]))
    >>> costs.macs.item(), costs.params.item()
    (220119680.0, 1531546.0)

    Raises:
        UserError: The setting has a number of cells that three stages cannot share.
    """

    needs = NB201_EDGES
    accepts = NB201_EDGES

    def __init__(self, setting: NetworkSetting) -> None:
        self.num_classes = setting.num_classes
        self.channels = setting.channels or STAGES_SETTING.channels
        self.layers = setting.layers or STAGES_SETTING.layers
        cell_stages(self.layers, self.channels)

    def costs(self, columns: ValueColumns, resolutions: np.ndarray) -> Costs:
        """Costs of N candidates: linear in the numbers of convolutions of either size."""
        operations = np.stack([columns[edge] for edge in NB201_EDGES])
        numbers = {name: (operations == name).sum(axis=0) for name in KERNELS}

        def costs_at(members: np.ndarray, resolution: int) -> Costs:
            size = StagesSize(
                channels=self.channels,
                cells=self.layers // STAGE_COUNT,
                num_classes=self.num_classes,
                resolution=resolution,
            )
            macs = np.full(len(members), float(size.macs([])))
            params = np.full(len(members), float(size.parameters([])))
            for name, number in numbers.items():
                macs += number[members] * (size.macs([name]) - size.macs([]))
                params += number[members] * (size.parameters([name]) - size.parameters([]))
            return Costs(macs, params)

        return by_resolution(resolutions, costs_at)

    def settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        sizes = {"channels": self.channels, "layers": self.layers}
        return {"model": nb201_genotype(values), "auxiliary": False, **sizes}


def nb201_genotype(values: Mapping[str, str]) -> Genotype:
    """The genotype of a candidate.

    >>> nb201_genotype(dict.fromkeys(NB201_EDGES, "skip_connect")).name
    'nb201-1835'
    """
    return genotype_of([values[edge] for edge in NB201_EDGES])
