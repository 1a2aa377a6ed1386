"""The end of a search whose selection evaluates the supernet, with its further epochs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch

from cells.topology import Topology
from darts.methods.architecture import Architecture
from darts.methods.method import Method
from darts.methods.selection import EvaluatedSelection, Selection, Selector, TableScore
from darts.methods.stages import SearchStage
from darts.searching.norm_statistics import Batches, NormStatistics, OfEachBatch, Reestimated
from genotypes import SearchSpace


def started(selection: Selection, topology: Topology, space: SearchSpace) -> Selection:
    """The selection of a new search: one that evaluates the supernet has a state from now on."""
    if not selection.evaluates:
        return selection
    return cast(EvaluatedSelection, selection).start(topology, space)


def further_stage(
    method: Method, first: int, topology: Topology, space: SearchSpace
) -> SearchStage:
    """The stage in which the selection of a method decides, and the supernet trains on.

    Args:
        method: The method.
        first: Number of epochs of the search before it.
        topology: Nodes and edges of the cells.
        space: What a genotype may contain.
    """
    if not method.selection.evaluates:
        return SearchStage(first, 0, selects=True)
    selection = cast(EvaluatedSelection, method.selection)
    return SearchStage(first, selection.further_epochs(topology, space), selects=True)


def judged_with(selection: Selection, batches: Batches) -> NormStatistics:
    """The statistics of batch norms with which a selection judges cells.

    Args:
        selection: The selection, which evaluates the supernet.
        batches: Training images, for statistics that are re-estimated.
    """
    named = cast(EvaluatedSelection, selection).statistics
    return Reestimated(batches) if named == "reestimated" else OfEachBatch()


class Selecting:
    """The selection in progress of a search, which decides weights of its architecture.

    Args:
        rule: The selection.
        architecture: Its selection is the `Selector` that `rule` has started.
        score: Measures the supernet.
        generator: The source of all random choices.

    Attributes:
        rate_factor: The learning rate of further epochs, as a fraction of that of the search.
    """

    def __init__(
        self,
        rule: Selection,
        architecture: Architecture,
        score: TableScore,
        generator: torch.Generator,
    ) -> None:
        self.rate_factor = cast(EvaluatedSelection, rule).rate_factor
        self.architecture, self.score, self.generator = architecture, score, generator
        self.selector = cast(Selector, architecture.selection)

    def begin_epoch(self, epoch: int) -> None:
        """Decide what is due before an epoch of the selection, from 0."""
        tables = self.architecture.mean_tables()
        self.selector.begin_epoch(epoch, tables, self.score, self.generator)
        self._apply()

    def finish(self) -> None:
        """Decide what is left after the last epoch."""
        self.selector.finish(self.architecture.mean_tables(), self.score, self.generator)
        self._apply()

    def _apply(self) -> None:
        for kind in self.architecture.kinds:
            decided = self.selector.fixed(kind)
            if decided is not None:
                self.architecture.fix(kind, *decided)

    def state_dict(self) -> dict[str, Any]:
        return self.selector.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.selector.load_state_dict(state)
        self._apply()
