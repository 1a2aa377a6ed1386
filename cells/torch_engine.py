"""What an engine is, and the engine that evaluates search cells in PyTorch on any device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d, relu

from cells.search_cell import SearchCell
from cells.topology import EdgeWeights
from ops.backends import BackendName
from ops.fused.node_sum import node_sum


class Engine:
    """Evaluates search cells, one at a time or as a stack.

    Attributes:
        name: The name of the back end; see `ops.backends.BACKENDS`.
    """

    name: BackendName

    def can_run(
        self,
        cell: SearchCell,
        before_previous: Tensor | None,
        previous: Tensor,
        weights: EdgeWeights,
    ) -> bool:
        """Whether `evaluate` can use the kernels of this engine for these tensors now."""
        raise NotImplementedError

    def evaluate(
        self,
        cell: SearchCell,
        before_previous: Tensor | None,
        previous: Tensor,
        weights: EdgeWeights,
    ) -> Tensor:
        """Compute the output of a cell, `[B, nodes·C, H', W']`; see `SearchCell`."""
        raise NotImplementedError

    def hand_on(self, state: Tensor) -> Tensor:
        """Transform a state once before the cells read it."""
        return state

    def can_run_stack(
        self, cells: Sequence[SearchCell], previous: Tensor, weights: Sequence[EdgeWeights]
    ) -> bool:
        """Whether `evaluate_stack` can use the kernels for all of `cells` and `previous` now."""
        return False

    def evaluate_stack(
        self,
        cells: Sequence[SearchCell],
        before_previous: Tensor,
        previous: Tensor,
        weights: Sequence[EdgeWeights],
    ) -> Sequence[Tensor]:
        """Compute the nodes of the last cell, each `[B, C, H, W]`.

        Args:
            cells: The cells in order.
            before_previous: First input of the first cell.
            previous: Second input of the first cell; may be the same tensor as the first.
            weights: The weights of each cell.
        """
        raise NotImplementedError


class TorchEngine(Engine):
    """The PyTorch engine, which computes a cell node by node (ops/fused).

    Args:
        after_relu: Whether the inputs of `evaluate` are already after the ReLU, as `hand_on`
            returns them. Two cells read each state; a stack computes its ReLU once for both.
    """

    name = "torch"

    def __init__(self, *, after_relu: bool = False) -> None:
        self.after_relu = after_relu

    def can_run(
        self,
        cell: SearchCell,
        before_previous: Tensor | None,
        previous: Tensor,
        weights: EdgeWeights,
    ) -> bool:
        return True

    def hand_on(self, state: Tensor) -> Tensor:
        return relu(state) if self.after_relu else state

    def evaluate(
        self,
        cell: SearchCell,
        before_previous: Tensor | None,
        previous: Tensor,
        weights: EdgeWeights,
    ) -> Tensor:
        states = self._inputs(cell, before_previous, previous)
        inputs = len(states)
        # The states as the bypassed channels read them: max-pooled on edges with stride 2.
        bypasses: list[Tensor] = []
        mixed: dict[int, list[Tensor]] = {node: [] for node in cell.topology.inner}
        mixtures = cell.by_source(weights)[0].split([len(one.rows) for one in cell.sources])
        active = cell.active_by_source(weights)
        for source, fan_out in enumerate(cell.fan_outs):
            if source >= inputs:
                states.append(_node(cell, source, bypasses, mixed.pop(source), weights))
            state = states[source]
            edges = cell.topology.outgoing(source)
            parts = fan_out(cell.processed(source, state), mixtures[source], active[source])
            for edge, part in zip(edges, parts, strict=True):
                mixed[edge.target].append(part)
            pooled = fan_out.stride == 2 and cell.bypasses
            bypasses.append(max_pool2d(state, 2, 2) if pooled else state)
        last = cell.topology.inner[-1]
        states.append(_node(cell, last, bypasses, mixed.pop(last), weights))
        return states[-1] if cell.output == "last" else torch.cat(states[inputs:], dim=1)

    def _inputs(
        self, cell: SearchCell, before_previous: Tensor | None, previous: Tensor
    ) -> list[Tensor]:
        """The input states of a cell."""
        if cell.preprocess0 is None or cell.preprocess1 is None:
            return [previous]
        assert before_previous is not None
        pairs = ((cell.preprocess0, before_previous), (cell.preprocess1, previous))
        return [adapt.after_relu(x) if self.after_relu else adapt(x) for adapt, x in pairs]


def _node(
    cell: SearchCell,
    node: int,
    bypasses: Sequence[Tensor],
    mixed: Sequence[Tensor],
    weights: EdgeWeights,
) -> Tensor:
    """Sum the edges that end in a node.

    Args:
        cell: The cell.
        node: The node.
        bypasses: The states before the node, as bypassed channels read them.
        mixed: The mixtures of its edges, already weighted.
        weights: The weights of the edges for the bypassed channels, and the factors of samples.
    """
    edges = cell.topology.incoming(node)
    states = [bypasses[edge.source] for edge in edges] if cell.bypasses else []
    if weights.keep is not None:  # What follows is linear, so both parts are scaled first.
        kept = [weights.keep[edge.index].view(-1, 1, 1, 1).to(mixed[0].dtype) for edge in edges]
        mixed = [part * factor for part, factor in zip(mixed, kept, strict=True)]
        states = [state * factor for state, factor in zip(states, kept, strict=bool(states))]
    if not cell.bypasses:
        if cell.standard and cell.complete and weights.active is None:
            return torch.stack(list(mixed)).sum(dim=0)
        # Twice as fast: `stack` copies the parts and loses the layout channels_last.
        return sum(mixed[1:], mixed[0])
    passing = weights.edges
    if passing is not None:
        passing = passing[edges[0].index : edges[-1].index + 1]
    return node_sum(
        states,
        mixed,
        passing,
        cell.selection[: len(edges)] if cell.sampled else None,
        None if cell.sampled else cell.shuffle,
    )
