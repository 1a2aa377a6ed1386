"""What candidates cost, and what they may cost."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from darts.joint.space import Bools
from darts.joint.variables import Floats


@dataclass(frozen=True)
class Costs:
    """Costs of N candidates for one image, [N] each; infinite where there is no such network.

    Attributes:
        macs: Multiply-adds of convolutions and linear layers.
        params: Number of parameters.
    """

    macs: Floats
    params: Floats

    def __len__(self) -> int:
        return len(self.macs)

    def __getitem__(self, chosen: np.ndarray | slice) -> Costs:
        return Costs(self.macs[chosen], self.params[chosen])

    def where(self, exists: Bools) -> Costs:
        """The same, infinite where not `exists`."""
        return Costs(
            np.where(exists, self.macs, np.inf).astype(np.float64),
            np.where(exists, self.params, np.inf).astype(np.float64),
        )


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a candidate may cost; bounds are allowed themselves."""

    min_macs: float = 0
    max_macs: float = math.inf
    max_params: float = math.inf

    def admit(self, costs: Costs) -> Bools:
        """Whether each of N candidates keeps within them; one without a network never does."""
        within = np.isfinite(costs.macs) & (costs.macs >= self.min_macs)
        return within & (costs.macs <= self.max_macs) & (costs.params <= self.max_params)


def by_resolution(resolutions: np.ndarray, costs_at: Callable[[np.ndarray, int], Costs]) -> Costs:
    """The costs of N candidates, group by group of equal image size.

    Args:
        resolutions: Sides of the candidates' images, [N].
        costs_at: The costs of the candidates with these indices, at this size.
    """
    macs, params = np.full(len(resolutions), np.inf), np.full(len(resolutions), np.inf)
    for resolution in np.unique(resolutions):
        chosen = np.flatnonzero(resolutions == resolution)
        costs = costs_at(chosen, int(resolution))
        macs[chosen], params[chosen] = costs.macs, costs.params
    return Costs(macs, params)
