"""A space and the networks that its architecture describes: costs of candidates, and trainings."""

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
from darts.joint.sampling import BLOCK, quasi_random
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
RESOLUTION = "image_size"  # The one value of a recipe that a cost depends on.
_MOST_DRAWS = 2_000_000


@dataclass(frozen=True)
class JointCandidate:
    """One point of a space as a training wants it.

    Attributes:
        model: The network.
        options: Options of the training, rules applied.
    """

    model: Model
    options: Mapping[str, Any]


class Problem:
    """What a search asks of a space.

    Raises:
        UserError: The space names networks that do not exist, or lacks a value that they need.
    """

    def __init__(self, space: Space, setting: NetworkSetting) -> None:
        self.space, self.setting = space, setting
        if space.network not in NETWORKS:
            names = ", ".join(str(name) for name in NETWORKS if name)
            raise UserError(f"{space.name}: there are no networks {space.network!r}; {names}.")
        self.network = NETWORKS[space.network](setting)
        given = space.targets("architecture")
        if missing := [name for name in self.network.needs if name not in given]:
            raise UserError(
                f"{space.name}: the networks {space.network!r} need {', '.join(missing)}."
            )
        if unknown := [name for name in given if name not in self.network.accepts]:
            raise UserError(
                f"{space.name}: the networks {space.network!r} know no {', '.join(unknown)}; "
                f"they know {', '.join(self.network.accepts) or 'no value at all'}."
            )

    def costs(self, genes: Floats) -> Costs:
        """Costs of N candidates; infinite where constraints forbid one or it is no network."""
        columns = self.space.columns(genes)
        resolutions = columns.get(RESOLUTION, np.full(len(genes), self.setting.resolution))
        return self.network.costs(columns, resolutions).where(self.space.valid(genes))

    def architecture_costs(self, genes: Floats) -> Costs:
        """The same at the setting's resolution: what the architecture alone decides."""
        resolutions = np.full(len(genes), self.setting.resolution)
        columns = self.space.columns(genes)
        return self.network.costs(columns, resolutions).where(self.space.valid(genes))

    def candidate(self, genes: Floats) -> JointCandidate:
        """What one candidate's genes [variables] stand for."""
        columns = self.space.columns(genes[None])
        values = {name: column[0].item() for name, column in columns.items()}
        parts = {
            part: {name: values[name] for name in self.space.targets(part)}
            for part in ("architecture", "recipe")
        }
        settings = self.network.settings(parts["architecture"])
        return JointCandidate(settings.pop("model"), {**settings, **parts["recipe"]})

    def quasi_random(self, limits: Limits, seed: int) -> Iterator[tuple[Floats, Costs]]:
        """Blocks of quasi-random genes within `limits`, and their costs.

        Raises:
            UserError: Two million points in a row hold no candidate within the limits.
        """
        fruitless = 0
        for genes in quasi_random(self.space, seed):
            costs = self.costs(genes)
            within = limits.admit(costs)
            fruitless = 0 if within.any() else fruitless + BLOCK
            if fruitless > _MOST_DRAWS:
                raise UserError(
                    f"{self.space.name}: of {_MOST_DRAWS:,} points none costs "
                    f"{limits.min_macs:,.0f} to {limits.max_macs:,.0f} multiply-adds and at most "
                    f"{limits.max_params:,.0f} parameters. Widen the limits, or see what the "
                    f"space holds: python -m darts joint show {self.space.name}."
                )
            yield genes[within], costs[within]

    def pool(self, count: int, limits: Limits, seed: int) -> tuple[Floats, Costs]:
        """So many quasi-random candidates within `limits`: genes [count, variables], costs.

        The first ones of a seed stay the first ones when more are asked for.
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
