"""Costs of candidates, and limits on these costs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from darts.joint.space import Bools
from darts.joint.variables import Floats


@dataclass(frozen=True)
class Costs:
    """Costs of N candidates for one image; infinite if the network does not exist.

    >>> costs = Costs(np.array([2e8, 6e8]), np.array([3e6, 5e6]))
    >>> Limits(max_macs=4e8).admit(costs)
    array([ True, False])

    Attributes:
        macs: Multiply-adds of convolutions and linear layers `[N]`.
        params: Numbers of parameters `[N]`.
    """

    macs: Floats
    params: Floats

    def __len__(self) -> int:
        return len(self.macs)

    def __getitem__(self, chosen: np.ndarray | slice) -> Costs:
        return Costs(self.macs[chosen], self.params[chosen])

    def where(self, exists: Bools) -> Costs:
        """Return the same costs, but infinite where `exists` `[N]` is False."""
        return Costs(
            np.where(exists, self.macs, np.inf).astype(np.float64),
            np.where(exists, self.params, np.inf).astype(np.float64),
        )


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits on the costs of a candidate, inclusive.

    Attributes:
        min_macs: Fewest multiply-adds.
        max_macs: Most multiply-adds.
        max_params: Most parameters.
    """

    min_macs: float = 0
    max_macs: float = math.inf
    max_params: float = math.inf

    def admit(self, costs: Costs) -> Bools:
        """Return for each of N candidates whether it exists and is within the limits, `[N]`."""
        within = np.isfinite(costs.macs) & (costs.macs >= self.min_macs)
        return within & (costs.macs <= self.max_macs) & (costs.params <= self.max_params)


def by_resolution(resolutions: np.ndarray, costs_at: Callable[[np.ndarray, int], Costs]) -> Costs:
    """Compute the costs of N candidates in groups of equal image size.

    Args:
        resolutions: Image sizes of the candidates `[N]`.
        costs_at: Takes indices of candidates and one image size, returns their costs.
    """
    macs, params = np.full(len(resolutions), np.inf), np.full(len(resolutions), np.inf)
    for resolution in np.unique(resolutions):
        chosen = np.flatnonzero(resolutions == resolution)
        costs = costs_at(chosen, int(resolution))
        macs[chosen], params[chosen] = costs.macs, costs.params
    return Costs(macs, params)
