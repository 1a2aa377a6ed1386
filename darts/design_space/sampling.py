"""Random networks of a space that keep within a budget, by their costs in closed form.

Rejection as in the RegNet paper (§3.2): draw until enough networks lie in the window. Costs are
computed for thousands of draws at once, without building a network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from darts.design_space.budget import Budget, budget_of
from darts.design_space.distributions import Generator
from darts.design_space.options import SpaceOptions
from darts.design_space.spaces import DesignSpace, create_space
from darts.errors import UserError
from darts.models.anynet.config import AnyNetConfig, Stem
from darts.models.anynet.cost import AnyNetCost, cost_at, table_cost
from darts.models.anynet.regnet import RegNet
from darts.models.image_spec import ImageSpec
from darts.system.randomness import RandomStreams

# Draws at a time. It is the same for every number of networks that is asked for, so that the first
# ones of a seed stay the first ones when more are asked for.
BATCH = 4096


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


def sample_population(
    options: SpaceOptions,
    images: ImageSpec,
    seed: int,
    *,
    channels: int | None = None,
    layers: int | None = None,
) -> tuple[Sample, ...]:
    """The networks of a population; the first ones of a seed are the same for any number of them.

    Args:
        channels, layers: Of the network of `options.like`.

    Raises:
        UserError: There is no such space, no amount or window can be read from an option, or the
            space has too few networks within it.
        GenotypeError: There is no genotype `options.like`.
    """
    stem: Stem = "cifar" if images.stem == "cifar" else "simple"
    space = create_space(
        options.space, stages=options.stages, stem=stem, stem_width=options.stem_width
    )
    return sample(
        space,
        options.n,
        RandomStreams(seed, ["networks"])["networks"],
        budget=budget_of(options, images, channels=channels, layers=layers),
        resolution=images.resolution,
        num_classes=images.num_classes,
    )
