"""Selections: which edges and operations the genotype keeps at the end of a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from cells.topology import Topology
from genotypes import Node, SearchSpace


class Selection(Protocol):
    """Chooses the cells of the genotype.

    Attributes:
        evaluates: Whether it evaluates the supernet with weights of its own choice.
    """

    @property
    def evaluates(self) -> bool: ...

    def __call__(
        self, strengths: Mapping[str, Tensor], topology: Topology, space: SearchSpace
    ) -> dict[str, tuple[Node, ...]]:
        """The inner nodes of each kind of cell that the space searches.

        Args:
            strengths: By kind of cell `[E, O]`, one number per edge and operation.
            topology: Nodes and edges of the cells.
            space: What the genotype may contain.
        """


@dataclass(frozen=True)
class StrongestEdges:
    """Keeps the strongest edges of each node, each with its strongest operation.

        strength of edge e = max over o ≠ none of s[e, o],   s = w · v

    Source: DARTS, §2.4; with edge normalisation PC-DARTS, §3.3.

    >>> import torch
    >>> from genotypes.search_space import DARTS
    >>> strengths = torch.tensor([[0.9, 0.1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1.0, 0, 0, 0, 0]])
    >>> cells = StrongestEdges()({"normal": strengths, "reduce": strengths}, Topology(1), DARTS)
    >>> cells["normal"]
    ((('skip_connect', 1), ('max_pool_3x3', 0)),)
    """

    evaluates: ClassVar[bool] = False

    def __call__(
        self, strengths: Mapping[str, Tensor], topology: Topology, space: SearchSpace
    ) -> dict[str, tuple[Node, ...]]:
        return {kind: derive_cell(strengths[kind], topology, space, kind) for kind in space.kinds}


def derive_cell(
    strengths: Tensor, topology: Topology, space: SearchSpace, kind: str = "normal"
) -> tuple[Node, ...]:
    """The inner nodes of one cell: the strongest edges of each, the stronger one first.

    Equal edges and equal operations are decided in favour of the lower index, as in the authors'
    code. Where a node keeps all edges, they are in the order of their sources.

    Args:
        strengths: `[E, O]`.
        topology: Nodes and edges of the cell.
        space: Names the operations of the columns, and says how many edges a node keeps.
        kind: "normal" or "reduce".
    """
    columns = [column for column, name in enumerate(space.operations) if name != space.zero]
    table = strengths.detach().double().cpu()[:, columns]
    allowed = [
        [space.operations[column] in space.choices(kind, edge.source, edge.target)]
        for edge in topology.edges
        for column in columns
    ]
    table = table.masked_fill(~torch.tensor(allowed).view_as(table), -torch.inf)
    # argmax and topk do not define the order of ties; a stable sort does.
    best = table.argsort(dim=1, descending=True, stable=True)[:, 0]
    strongest = table.gather(1, best.unsqueeze(1)).squeeze(1).tolist()
    nodes = []
    for node in topology.inner:
        kept = topology.incoming(node)
        if space.kept is not None:
            ranked = sorted(kept, key=lambda edge: -strongest[edge.index])
            kept = tuple(ranked[: space.kept])
        names = [space.operations[columns[int(best[edge.index])]] for edge in kept]
        nodes.append(tuple(zip(names, (edge.source for edge in kept), strict=True)))
    return tuple(nodes)
