"""Sample networks of a space within a budget.

Rejection sampling as in the RegNet paper (arXiv 2003.13678, §3.2): sample until enough networks are
within the budget. Costs are computed in closed form for thousands of samples at once, without
building a network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from darts.design_space.budget import Budget, budget_of
from darts.design_space.distributions import Generator
from darts.design_space.options import SpaceOptions
from darts.design_space.ranges import space_with_ranges
from darts.design_space.spaces import DesignSpace
from darts.errors import UserError
from darts.models.anynet.config import AnyNetConfig, AnyNetStem
from darts.models.anynet.cost import AnyNetCost, anynet_costs
from darts.models.anynet.regnet import RegNet
from darts.models.image_spec import ImageSpec
from darts.system.randomness import RandomStreams

# Networks sampled at a time. It does not depend on the number of networks requested, so that with
# the same seed, more networks begin with the same ones.
BATCH = 4096
# Batches without any network after which there is none.
_HOPELESS = 20


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A sampled network.

    Attributes:
        config: The network.
        cost: Its cost.
        regnet: Its parameters if it is a RegNet, else None.
    """

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
    """Sample `count` networks of `space` within `budget`; a network may occur twice.

    Args:
        space: The design space.
        count: Number of networks.
        generator: A NumPy or torch generator; it advances by batches of 4096 networks.
        budget: By default, any cost.
        resolution: Side of the images for which costs are computed.
        num_classes: Number of classes.
        max_draws: Number of sampled networks after which the search gives up.

    Raises:
        UserError: Too few of `max_draws` networks are within the budget, or the networks do not
            accept such images.

    >>> from darts.design_space.spaces import create_space
    >>> (network,) = sample(create_space("regnetx"), 1, np.random.default_rng(0),
    ...                     budget=Budget.around(400e6))
    >>> 380e6 <= network.cost.macs <= 420e6
    True
    """
    budget = budget or Budget()
    samples: list[Sample] = []
    seen = 0
    for attempt in range(math.ceil(max_draws / BATCH)):
        draws = space.draw(generator, BATCH)
        seen += len(draws.table)
        if not seen and attempt == _HOPELESS:
            break
        costs = anynet_costs(draws.table, resolution=resolution, num_classes=num_classes)
        for index in np.flatnonzero(budget.admits(costs))[: count - len(samples)]:
            config = draws.table.config(index)
            config.check_image_size(resolution, resolution)
            cost = costs.at(index)
            samples.append(Sample(config=config, cost=cost, regnet=draws.regnet(index)))
        if len(samples) == count:
            return tuple(samples)
    if not seen:
        raise UserError(
            f"No network with these parameters has {space.macro.stages} stages. Widen the ranges; "
            "with w_m = 2 and w_a = w_0, four stages have at most 11 blocks."
        )
    raise UserError(
        f"Of {max_draws:,} sampled networks, {len(samples)} are within the budget, not {count}: "
        f"{budget.min_macs:,.0f} to {budget.max_macs:,.0f} multiply-adds, at most "
        f"{budget.max_params:,.0f} parameters and {budget.max_activations:,.0f} activations, at "
        f"{resolution} pixels. Widen the budget, or choose another space or resolution."
    )


def sample_population(
    options: SpaceOptions,
    images: ImageSpec,
    seed: int,
    *,
    channels: int | None = None,
    layers: int | None = None,
) -> tuple[Sample, ...]:
    """Sample the networks of a population.

    With the same seed, a larger population begins with the networks of a smaller one.

    Args:
        options: The space, the budget and the number of networks.
        images: What the networks classify.
        seed: Seed of the sampling.
        channels: Channels of the genotype of `options.like`.
        layers: Number of cells of that genotype.

    Raises:
        UserError: There is no such space, an amount or a window cannot be read, or the space has
            too few networks within the budget.
        GenotypeError: There is no genotype `options.like`.
    """
    stem: AnyNetStem = "cifar" if images.stem == "cifar" else "simple"
    return sample(
        space_with_ranges(options, stem),
        options.n,
        RandomStreams(seed, ["networks"])["networks"],
        budget=budget_of(options, images, channels=channels, layers=layers),
        resolution=images.resolution,
        num_classes=images.num_classes,
    )
