"""Networks of a genotype's cells: how wide and how deep, as the architecture of a joint search.

A candidate operation on C channels costs a·C² + b·C, in parameters and in multiply-adds a pixel;
the two numbers come from `darts.cost`, which counts the module itself. All else is 1x1
convolutions.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from cells.topology import Topology, reduction_layers
from darts.cost import operation_cost
from darts.errors import UserError
from darts.joint.networks.costs import Costs
from darts.joint.networks.setting import Setting
from darts.joint.space import Columns
from darts.network import SETTINGS
from darts.stems import create_network_stem
from genotypes import Genotype, load_genotype

_PROBES = (8, 16)  # Channels that every candidate operation can have.


class Cells:
    """Networks of `channels` and `layers`; the genotype itself may be a variable, too."""

    needs: tuple[str, ...] = ()
    accepts = ("channels", "layers", "auxiliary_weight", "genotype")

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        defaults = SETTINGS[setting.stem]
        self.channels = setting.channels or defaults.channels
        self.layers = setting.layers or defaults.layers

    def costs(self, columns: Columns, resolutions: np.ndarray) -> Costs:
        total = len(resolutions)
        channels = columns.get("channels", np.full(total, self.channels))
        layers = columns.get("layers", np.full(total, self.layers))
        names = columns.get("genotype", np.full(total, ""))
        macs, params = np.full(total, np.inf), np.full(total, np.inf)
        for name in np.unique(names):
            genotype = self._genotype(str(name))
            for depth in np.unique(layers):
                for resolution in np.unique(resolutions):
                    same = (names == name) & (layers == depth) & (resolutions == resolution)
                    here = np.flatnonzero(same & (channels % 2 == 0))
                    if len(here):
                        macs[here], params[here] = self._counted(
                            genotype, channels[here], int(depth), int(resolution)
                        )
        return Costs(macs, params)

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

    def _counted(
        self, genotype: Genotype, channels: np.ndarray, layers: int, resolution: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Multiply-adds and parameters of networks that differ in their channels alone."""
        setting = self.setting
        stem = create_network_stem(setting.stem, 4)
        reductions = reduction_layers(layers)
        if resolution % (stem.multiple * 2 ** len(reductions)):
            return np.full(len(channels), np.inf), np.full(len(channels), np.inf)
        c = channels.astype(np.float64)
        macs, params = _stem_cost(setting.stem, c, resolution)
        size = resolution // stem.multiple
        before = previous = c * (stem.out_channels1 / 4)
        stride_of = Topology(genotype.nodes).stride
        for layer in range(layers):
            reduction = layer in reductions
            c = c * 2 if reduction else c
            nodes, concat = genotype.cell("reduce" if reduction else "normal")
            after = size // 2 if reduction else size
            # Two inputs brought to c channels: 1x1 convolutions with norms.
            weights = (before + previous) * c
            params = params + weights + 4 * c
            macs = macs + weights * size**2
            for node in nodes:
                for name, source in node:
                    of_macs, of_params = _coefficients(name, stride_of(source, reduction))
                    macs = macs + np.polyval(of_macs, c) * after**2
                    params = params + np.polyval(of_params, c)
            size = after
            before, previous = previous, len(concat) * c
        classifier = previous * setting.num_classes
        return macs + classifier, params + classifier + setting.num_classes


def _stem_cost(stem: str, c: np.ndarray, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    if stem == "cifar":
        weights = 27 * 3 * c  # The stem has 3·C channels.
        return weights * resolution**2, weights + 6 * c
    half = c // 2
    layers = ((27 * half, 2), (9 * half * c, 4), (9 * c * c, 8))
    macs = sum((weights * (resolution // stride) ** 2 for weights, stride in layers), 0 * c)
    return macs, sum((weights for weights, _ in layers), 0 * c) + 2 * (half + 2 * c)


@cache
def _coefficients(name: str, stride: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Polynomials in C, highest power first: multiply-adds an output pixel, and parameters."""
    size = 8
    pixels = (size // stride) ** 2
    costs = [operation_cost(name, channels, stride, size) for channels in _PROBES]
    return (
        _quadratic([cost.macs / pixels for cost in costs]),
        _quadratic([float(cost.params) for cost in costs]),
    )


def _quadratic(values: list[float]) -> tuple[float, float, float]:
    """a, b, 0 of a·C² + b·C through the values at the probed channels."""
    (c1, c2), (v1, v2) = _PROBES, values
    a = (v2 / c2 - v1 / c1) / (c2 - c1)
    return a, v1 / c1 - a * c1, 0.0
