"""Random networks of a space that keep within a budget, by their costs in closed form.

Rejection as in the RegNet paper (§3.2): draw until enough networks lie in the window. Costs are
computed for thousands of draws at once, without building a network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from darts.design_space.spaces import DesignSpace
from darts.errors import UserError
from darts.models.anynet.config import AnyNetConfig
from darts.models.anynet.cost import AnyNetCost, cost_at, table_cost
from darts.models.anynet.regnet import RegNet

if TYPE_CHECKING:
    from darts.design_space.distributions import Generator

# Draws at a time. It is the same for every number of networks that is asked for, so that the first
# ones of a seed stay the first ones when more are asked for.
BATCH = 4096


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a network may cost; bounds are allowed themselves.

    Attributes:
        min_macs: Fewest multiply-adds.
        max_macs: Most multiply-adds.
        max_params: Most parameters.
        max_activations: Most output elements of convolutions.
    """

    min_macs: float = 0
    max_macs: float = math.inf
    max_params: float = math.inf
    max_activations: float = math.inf

    @classmethod
    def around(cls, macs: float, tolerance: float = 0.05) -> Budget:
        """Within a relative tolerance of so many multiply-adds."""
        return cls(min_macs=macs * (1 - tolerance), max_macs=macs * (1 + tolerance))

    def admits(self, cost: AnyNetCost) -> np.ndarray:
        """Whether the costs keep within it: one answer, or [N] for the costs of N networks."""
        within = (self.min_macs <= cost.macs) & (cost.macs <= self.max_macs)
        within &= cost.params <= self.max_params
        return np.asarray(within & (cost.activations <= self.max_activations))


def suggested_caps(macs: float) -> tuple[float, float]:
    """Caps on parameters and activations for networks of up to so many multiply-adds.

    For F = macs / 1e9: 3 + 5.5·F million parameters and 6.5·sqrt(F) million activations, the hint
    in pycls' sweep/config.py; the paper (§4) caps both by trends whose values it does not give.
    """
    return 1e6 * (3 + 5.5 * macs / 1e9), 1e6 * 6.5 * math.sqrt(macs / 1e9)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A network drawn from a space, its cost, and its parameters if it is a RegNet."""

    config: AnyNetConfig
    cost: AnyNetCost[int]
    regnet: RegNet | None


def sample(
    space: DesignSpace,
    count: int,
    generator: Generator,
    *,
    budget: Budget | None = None,
    resolution: int = 224,
    num_classes: int = 1000,
    max_draws: int = 4_000_000,
) -> tuple[Sample, ...]:
    """So many networks of `space` within `budget`, in the order of drawing; one may come twice.

    Args:
        generator: Of numpy or torch; it moves on by whole batches of draws.
        budget: By default any cost.
        resolution: Side of the images whose cost counts.
        max_draws: When to give up.

    Raises:
        UserError: So many draws do not give enough networks, or these do not take such images.
    """
    budget = budget or Budget()
    samples: list[Sample] = []
    for _ in range(math.ceil(max_draws / BATCH)):
        draws = space.draw(generator, BATCH)
        costs = table_cost(draws.table, resolution=resolution, num_classes=num_classes)
        for index in np.flatnonzero(budget.admits(costs))[: count - len(samples)]:
            config = draws.table.config(index)
            config.check_image_size(resolution, resolution)
            cost = cost_at(costs, index)
            samples.append(Sample(config=config, cost=cost, regnet=draws.regnet(index)))
        if len(samples) == count:
            return tuple(samples)
    raise UserError(
        f"Of {max_draws:,} networks drawn, {len(samples)} keep within the budget, not {count}: "
        f"{budget.min_macs:,.0f} to {budget.max_macs:,.0f} multiply-adds, at most "
        f"{budget.max_params:,.0f} parameters and {budget.max_activations:,.0f} activations, at "
        f"{resolution} pixels. Widen it, or take another space or resolution."
    )
