"""The stages of a search as its task sees them: which one an epoch is in, and the next one's parts.

Every search has stages; a search that is not progressive has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from cells.topology import Topology
from darts.errors import UserError
from darts.methods.architecture import Architecture
from darts.methods.method import Method
from darts.methods.relaxation import Progress
from darts.methods.skips import SkipDropout
from darts.methods.stages import SearchStage, shrink, skip_dropout_rate
from darts.searching.options import SearchOptions
from darts.searching.search_network import SearchNetwork
from darts.searching.selecting import further_stage
from genotypes import SearchSpace
from genotypes.search_space import DARTS

SEARCH_STREAMS = (
    "weights",
    "architecture",
    "split",
    "training order",
    "training noise",
    "validation order",
    "validation noise",
    "channels",
)
"""Names of the random streams that every search has; a method may need more."""

NETWORK_NOISE = "network noise"
"""The random stream of what the supernet draws in a forward pass."""

NOISE = "noise"
"""The operation of the space S4 that returns random numbers."""


def plan_stages(
    method: Method, options: SearchOptions, space: SearchSpace = DARTS
) -> tuple[SearchStage, ...]:
    """The stages of a search; the last one may be that of its selection.

    Raises:
        UserError: There are fewer epochs than stages.
    """
    topology = Topology(options.nodes, space.inputs)
    selects = further_stage(method, options.epochs, topology, space)
    last = (selects,) if selects.epochs else ()
    if method.stages is None:
        return (SearchStage(0, options.epochs), *last)
    try:
        return (*method.stages.plan(options.epochs), *last)
    except ValueError as error:
        raise UserError(f"--epochs {options.epochs}: {error}. Give more epochs.") from None


def extra_streams(method: Method, options: SearchOptions, space: SearchSpace) -> tuple[str, ...]:
    """Names of the random streams that a search needs beyond the usual ones."""
    needs = {
        "relaxation": method.relaxation.stochastic,
        "perturbation": method.perturbation is not None,
        NETWORK_NOISE: bool(options.drop_path or method.skips or method.stages)
        or NOISE in space.operations,
        "stages": method.stages is not None,
        "selection": method.selection.evaluates,
    }
    return tuple(name for name, needed in needs.items() if needed)


def set_dropout(
    network: SearchNetwork, method: Method, options: SearchOptions, stage: SearchStage, epoch: int
) -> None:
    """Set what a supernet drops in an epoch of a stage.

    Drop path rises linearly from 0 to `options.drop_path` in the last epoch of the stage
    (RobustDARTS). For the dropout after skip connections see `skip_dropout_rate`; the method's part
    `dropout`, if it has one, replaces the initial rate of the stage.
    """
    progress = Progress(epoch - stage.first, stage.epochs)
    network.drop_path = progress.between(0.0, options.drop_path)
    rates = [skip.rate for skip in method.skips if isinstance(skip, SkipDropout)]
    stage = replace(stage, skip_dropout=rates[0]) if rates else stage
    network.drop_skips(skip_dropout_rate(stage, epoch, options.arch_warmup_epochs))


class Cycle(NamedTuple):
    """The epochs over which the learning rate falls once: stages that carry their weights over.

    Attributes:
        first: The first epoch.
        epochs: Number of epochs.
    """

    first: int
    epochs: int


def cycle_of(stages: tuple[SearchStage, ...], index: int) -> Cycle:
    """The cycle of the learning rate that a stage belongs to.

    >>> stages = (SearchStage(0, 5), SearchStage(5, 5, carries=True), SearchStage(10, 5))
    >>> cycle_of(stages, 1), cycle_of(stages, 2)
    (Cycle(first=0, epochs=10), Cycle(first=10, epochs=5))
    """
    start, end = index, index
    while start and stages[start].carries:
        start -= 1
    while end + 1 < len(stages) and stages[end + 1].carries:
        end += 1
    last = stages[end]
    return Cycle(stages[start].first, last.first + last.epochs - stages[start].first)


@torch.no_grad()
def next_space(architecture: Architecture, stage: SearchStage) -> SearchSpace:
    """The space of a stage: each edge keeps the candidates with the largest weights so far."""
    if not stage.kept:
        return architecture.space
    strengths = {kind: architecture.weights(kind).operations for kind in architecture.kinds}
    return shrink(architecture.space, architecture.topology, strengths, stage.kept)


def restrictions_of(space: SearchSpace) -> list[list[Any]]:
    """The candidates of restricted edges as plain values, for a checkpoint."""
    return [[*place, list(names)] for place, names in space.restricted.items()]


def restricted_by(values: list[list[Any]]) -> Mapping[tuple[str, int, int], tuple[str, ...]]:
    """The inverse of `restrictions_of`."""
    return {(kind, source, target): tuple(names) for kind, source, target, names in values}
