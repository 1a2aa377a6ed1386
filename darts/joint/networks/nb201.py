"""NAS-Bench-201 cells (arXiv 2001.00326): four nodes joined by six edges, one operation per edge.

The network has 15 cells in three stages of 16, 32 and 64 channels with spatial sizes 32, 16 and 8,
and a residual block before the second and the third stage. Costs have a closed form: a K×K
convolution (ReLU, convolution, batch norm) of C channels has K²·C² weights and 2·C parameters of
the batch norm; pooling and identity have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from darts.errors import UserError
from darts.joint.costs import Costs
from darts.joint.networks.setting import NetworkSetting
from darts.joint.space import ValueColumns

EDGES = ("0>1", "0>2", "1>2", "0>3", "1>3", "2>3")
KERNELS = {"none": 0, "skip_connect": 0, "avg_pool_3x3": 0, "nor_conv_1x1": 1, "nor_conv_3x3": 3}
NB201_OPERATIONS = tuple(KERNELS)
_STAGES = ((16, 32), (32, 16), (64, 8))  # channels, spatial size
_CELLS = 5  # in each stage


class NB201Networks:
    """Cells of the benchmark, for studies with its table; they cannot be trained here.

    >>> cell = {edge: np.array(["nor_conv_3x3"]) for edge in EDGES}
    >>> costs = NB201Networks(NetworkSetting(num_classes=10)).costs(cell, np.array([32]))
    >>> costs.macs.item(), costs.params.item()
    (220119680.0, 1531546.0)
    """

    needs = EDGES
    accepts = EDGES

    def __init__(self, setting: NetworkSetting) -> None:
        self.num_classes = setting.num_classes

    def costs(self, columns: ValueColumns, resolutions: np.ndarray) -> Costs:
        """Costs for images of 32×32 pixels; `resolutions` are ignored."""
        kernels = np.stack(
            [np.array([KERNELS[name] for name in columns[edge].tolist()]) for edge in EDGES]
        )
        weights, convolutions = (kernels**2).sum(axis=0), (kernels > 0).sum(axis=0)
        params, macs = self._skeleton()
        for channels, pixels in _STAGES:
            params = params + _CELLS * (weights * channels**2 + convolutions * 2 * channels)
            macs = macs + _CELLS * weights * channels**2 * pixels**2
        return Costs(macs.astype(np.float64), params.astype(np.float64))

    def _skeleton(self) -> tuple[np.ndarray, np.ndarray]:
        """Parameters and multiply-adds of everything outside the cells."""
        first, size = _STAGES[0]
        params = 3 * 9 * first + 2 * first
        macs = 3 * 9 * first * size**2
        for (c_in, _), (c_out, pixels) in pairwise(_STAGES):
            # Two 3x3 convolutions with batch norms; the shortcut is pooling and a 1x1 convolution
            # without batch norm.
            weights = 9 * c_in * c_out + 9 * c_out**2 + c_in * c_out
            params += weights + 4 * c_out
            macs += weights * pixels**2
        last = _STAGES[-1][0]
        params += 2 * last + (last + 1) * self.num_classes
        return np.array(params), np.array(macs + last * self.num_classes)

    def settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        raise UserError(
            "The cells of nb201 serve studies with the benchmark's table; they cannot be trained "
            "here. Choose another space: python -m darts joint show lists them."
        )


def arch_string(values: Mapping[str, str]) -> str:
    """The benchmark's name of a cell.

    >>> arch_string(dict.fromkeys(EDGES, "skip_connect"))
    '|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|'
    """
    nodes = []
    for target in range(1, 4):
        edges = [f"{values[f'{source}>{target}']}~{source}" for source in range(target)]
        nodes.append("|" + "|".join(edges) + "|")
    return "+".join(nodes)
