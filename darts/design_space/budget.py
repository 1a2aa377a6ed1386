"""What a network of a population may cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from darts.costs.count import count
from darts.design_space.options import Amount, SpaceOptions
from darts.errors import UserError
from darts.models.anynet.cost import AnyNetCost
from darts.models.image_spec import ImageSpec
from darts.models.registry import create_network
from darts.settings.quantities import parse_count

MACS_TOLERANCE = 0.05
"""Relative tolerance around a number of multiply-adds that is given without a window."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a network may cost; the bounds are inclusive.

    Attributes:
        min_macs: Fewest multiply-adds.
        max_macs: Most multiply-adds.
        max_params: Most parameters.
        max_activations: Most output elements of convolutions.

    >>> budget = Budget.around(400e6, 0.05)
    >>> budget.min_macs, budget.max_macs
    (380000000.0, 420000000.0)
    """

    min_macs: float = 0
    max_macs: float = math.inf
    max_params: float = math.inf
    max_activations: float = math.inf

    @classmethod
    def around(cls, macs: float, tolerance: float = 0.05) -> Budget:
        """Budget of `macs` ± `tolerance`, a share of `macs`."""
        return cls(min_macs=macs * (1 - tolerance), max_macs=macs * (1 + tolerance))

    def admits(self, cost: AnyNetCost) -> np.ndarray:
        """Whether costs are within the budget: a bool, or `[N]` for the costs of N networks."""
        within = (self.min_macs <= cost.macs) & (cost.macs <= self.max_macs)
        within &= cost.params <= self.max_params
        return np.asarray(within & (cost.activations <= self.max_activations))


def suggested_caps(macs: float) -> tuple[float, float]:
    """Upper limits of parameters and activations for networks of up to `macs` multiply-adds.

    With F = macs / 1e9: 3 + 5.5·F million parameters and 6.5·sqrt(F) million activations, as
    suggested in sweep/config.py of the RegNet authors' code (facebookresearch/pycls). The paper
    (§4) limits both by trends, but does not give their values.

    >>> suggested_caps(4e9)
    (25000000.0, 13000000.0)
    """
    return 1e6 * (3 + 5.5 * macs / 1e9), 1e6 * 6.5 * math.sqrt(macs / 1e9)


def budget_of(
    options: SpaceOptions,
    images: ImageSpec,
    *,
    channels: int | None = None,
    layers: int | None = None,
) -> Budget:
    """The budget of the networks of a population.

    Args:
        options: The population; `options.like` or `options.macs` says what a network costs.
        images: What the networks classify.
        channels: Channels of the genotype of `options.like`.
        layers: Number of cells of that genotype.

    Raises:
        UserError: An amount or a window cannot be read.
        GenotypeError: There is no genotype `options.like`.
    """
    if options.macs is not None and options.like is not None:
        raise UserError("Give --macs or --like, not both: each says what a network may cost.")
    low, high = 0.0, float("inf")
    if options.macs is not None:
        low, high = parse_window(options.macs)
    elif options.like is not None:
        macs = genotype_macs(options.like, images, channels=channels, layers=layers)
        low, high = _around(macs)
    return Budget(
        min_macs=low,
        max_macs=high,
        max_params=_most(options.max_params, "--max-params"),
        max_activations=_most(options.max_activations, "--max-activations"),
    )


def parse_window(text: str | float) -> tuple[float, float]:
    """A window of multiply-adds such as "360M-400M"; one number means ± 5 %.

    Raises:
        UserError: The text is not a window, or the window is empty.

    >>> parse_window("360M-400M"), parse_window("1.2G")
    ((360000000, 400000000), (1140000000.0, 1260000000.0))
    """
    low, dash, high = str(text).partition("-")
    if not dash:
        return _around(parse_count(text, "--macs"))
    window = parse_count(low, "--macs"), parse_count(high, "--macs")
    if window[0] > window[1]:
        raise UserError(f"--macs {text}: the upper end is below the lower end.")
    return window


def genotype_macs(
    genotype: str, images: ImageSpec, *, channels: int | None = None, layers: int | None = None
) -> int:
    """Multiply-adds of a genotype's network for one image.

    Args:
        genotype: Name or file.
        images: What the network classifies.
        channels: Channels of the first cell; by default those of the stem's usual network.
        layers: Number of cells of that network.

    Raises:
        GenotypeError: There is no such genotype.
        UserError: Its network does not accept such images.
    """
    with torch.device("meta"):
        network = create_network(
            genotype,
            num_classes=images.num_classes,
            channels=channels,
            layers=layers,
            stem=images.stem,
        )
    return count(network, images.resolution).macs


def _around(macs: float) -> tuple[float, float]:
    budget = Budget.around(macs, MACS_TOLERANCE)
    return budget.min_macs, budget.max_macs


def _most(amount: Amount, what: str) -> float:
    return float("inf") if amount is None else parse_count(amount, what)
