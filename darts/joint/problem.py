"""A search problem: a space, and the networks that its architecture describes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from darts.errors import UserError
from darts.joint.costs import Costs, Limits
from darts.joint.networks.cells import CellNetworks
from darts.joint.networks.fbnetv3 import FBNetV3Networks
from darts.joint.networks.fixed import FixedNetwork
from darts.joint.networks.nb201 import NB201Networks
from darts.joint.networks.regnet import RegNetNetworks
from darts.joint.networks.setting import NetworkKind, NetworkSetting
from darts.joint.sampling import POINTS_PER_BLOCK, quasi_random
from darts.joint.space import Space
from darts.joint.variables import Floats
from darts.models.registry import Model

NETWORKS: Mapping[str | None, Callable[[NetworkSetting], NetworkKind]] = MappingProxyType(
    {
        None: FixedNetwork,
        "cells": CellNetworks,
        "fbnetv3": FBNetV3Networks,
        "nb201": NB201Networks,
        "regnet": RegNetNetworks,
    }
)
RESOLUTION = "image_size"  # The only setting of a recipe that changes the costs.
_MOST_DRAWS = 2_000_000


@dataclass(frozen=True)
class JointCandidate:
    """One candidate, ready to be trained.

    Attributes:
        model: The network.
        options: Training options after the rules of the space.
    """

    model: Model
    options: Mapping[str, Any]


class NoCandidate(UserError):
    """No sampled candidate is within the limits.

    Attributes:
        cheapest: Fewest multiply-adds of all sampled candidates.
    """

    def __init__(self, message: str, cheapest: float) -> None:
        super().__init__(message)
        self.cheapest = cheapest


class Problem:
    """A space with the settings that all candidates share.

    >>> from darts.joint.space_file import find_joint_space
    >>> problem = Problem(find_joint_space("nb201"), NetworkSetting(num_classes=10, resolution=32))
    >>> genes, costs = problem.pool(100, Limits(max_macs=60e6), seed=0)
    >>> genes.shape, bool(costs.macs.max() <= 60e6)
    ((100, 6), True)

    Args:
        space: The space.
        setting: Settings that all candidates share.

    Raises:
        UserError: The kind of network is unknown, or the space lacks a variable that it needs.
    """

    def __init__(self, space: Space, setting: NetworkSetting) -> None:
        self.space, self.setting = space, setting
        if space.network not in NETWORKS:
            names = ", ".join(str(name) for name in NETWORKS if name)
            raise UserError(
                f"{space.name}: there are no networks {space.network!r}. The kinds are {names}."
            )
        self.network = NETWORKS[space.network](setting)
        given = space.targets("architecture")
        if missing := [name for name in self.network.needs if name not in given]:
            raise UserError(
                f"{space.name}: the networks {space.network!r} need {', '.join(missing)}."
            )
        if unknown := [name for name in given if name not in self.network.accepts]:
            raise UserError(
                f"{space.name}: the networks {space.network!r} have no setting "
                f"{', '.join(unknown)}; they have {', '.join(self.network.accepts) or 'none'}."
            )

    def costs(self, genes: Floats) -> Costs:
        """Costs of N candidates; infinite if constraints forbid one or it cannot be built."""
        columns = self.space.columns(genes)
        resolutions = columns.get(RESOLUTION, np.full(len(genes), self.setting.resolution))
        return self.network.costs(columns, resolutions).where(self.space.valid(genes))

    def architecture_costs(self, genes: Floats) -> Costs:
        """Costs at the resolution of the setting, which depend on the architecture only."""
        resolutions = np.full(len(genes), self.setting.resolution)
        columns = self.space.columns(genes)
        return self.network.costs(columns, resolutions).where(self.space.valid(genes))

    def candidate(self, genes: Floats) -> JointCandidate:
        """Convert the genes `[variables]` of one candidate to its network and recipe."""
        columns = self.space.columns(genes[None])
        values = {name: column[0].item() for name, column in columns.items()}
        parts = {
            part: {name: values[name] for name in self.space.targets(part)}
            for part in ("architecture", "recipe")
        }
        settings = self.network.settings(parts["architecture"])
        return JointCandidate(settings.pop("model"), {**settings, **parts["recipe"]})

    def quasi_random(self, limits: Limits, seed: int) -> Iterator[tuple[Floats, Costs]]:
        """Yield blocks of quasi-random genes within `limits`, and their costs.

        Raises:
            NoCandidate: No candidate among two million consecutive points is within the limits.
        """
        fruitless, cheapest = 0, np.inf
        for genes in quasi_random(self.space, seed):
            costs = self.costs(genes)
            within = limits.admit(costs)
            cheapest = min(cheapest, costs.macs.min(initial=np.inf))
            fruitless = 0 if within.any() else fruitless + POINTS_PER_BLOCK
            if fruitless > _MOST_DRAWS:
                raise NoCandidate(
                    f"{self.space.name}: none of {_MOST_DRAWS:,} sampled candidates has "
                    f"{_words(limits)}; the cheapest has {cheapest:,.0f} multiply-adds. Widen the "
                    f"limits; python -m darts joint show {self.space.name} describes the space.",
                    float(cheapest),
                )
            yield genes[within], costs[within]

    def pool(self, count: int, limits: Limits, seed: int) -> tuple[Floats, Costs]:
        """Return the first `count` quasi-random candidates within `limits`.

        A larger pool of the same seed begins with the same candidates.

        Returns:
            Genes `[count, variables]` and their costs.

        Raises:
            NoCandidate: No candidate is within the limits.
        """
        blocks: list[Floats] = []
        costs: list[Costs] = []
        found = 0
        for genes, cost in self.quasi_random(limits, seed):
            blocks.append(genes)
            costs.append(cost)
            found += len(genes)
            if found >= count:
                break
        macs = np.concatenate([cost.macs for cost in costs])[:count]
        params = np.concatenate([cost.params for cost in costs])[:count]
        return np.concatenate(blocks)[:count], Costs(macs, params)


def _words(limits: Limits) -> str:
    """The limits in words, without those that are not set."""
    words = [f"at least {limits.min_macs:,.0f} multiply-adds"] if limits.min_macs else []
    if np.isfinite(limits.max_macs):
        words.append(f"at most {limits.max_macs:,.0f} multiply-adds")
    if np.isfinite(limits.max_params):
        words.append(f"at most {limits.max_params:,.0f} parameters")
    return " and ".join(words) or "a finite number of multiply-adds"
