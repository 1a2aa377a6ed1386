"""The selection of GDAS: the best pairs of an operation and an input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from cells.topology import Topology
from darts.methods.selection import allowed_strengths, derive_cell
from genotypes import Node, SearchSpace


@dataclass(frozen=True)
class BestPairs:
    """Keeps the strongest pairs (operation, input) of each node, of all its edges together.

    Two pairs may belong to the same edge: the node then applies two operations to one state. Spaces
    that demand different sources (`darts`) rule this out; there, and where a node keeps all edges,
    each edge has only its strongest operation, as in `StrongestEdges`.

    Source: the code of GDAS (Dong and Yang 2019, arXiv 1910.04465) for its DARTS-like space,
    search_cells.py. Of equal pairs the one with the lower source, then the lower column is kept.

    >>> import torch
    >>> from genotypes.search_space import NASNET
    >>> strengths = torch.zeros(2, 10)
    >>> strengths[1, 3:5] = torch.tensor([0.4, 0.5])
    >>> BestPairs()({"normal": strengths, "reduce": strengths}, Topology(1), NASNET)["normal"]
    ((('sep_conv_3x3', 1), ('skip_connect', 1)),)
    """

    evaluates: ClassVar[bool] = False

    def __call__(
        self, strengths: Mapping[str, Tensor], topology: Topology, space: SearchSpace
    ) -> dict[str, tuple[Node, ...]]:
        form = derive_cell if space.distinct_sources or space.kept is None else _best_pairs
        return {kind: form(strengths[kind], topology, space, kind) for kind in space.kinds}


def _best_pairs(
    strengths: Tensor, topology: Topology, space: SearchSpace, kind: str
) -> tuple[Node, ...]:
    table = allowed_strengths(strengths, topology, space, kind).tolist()
    nodes = []
    for node in topology.inner:
        pairs = [
            (table[edge.index][column], name, edge.source)
            for edge in topology.incoming(node)
            for column, name in enumerate(space.operations)
            if name in space.choices(kind, edge.source, edge.target)
        ]
        pairs.sort(key=lambda pair: -pair[0])
        kept = pairs[: space.kept_edges(len(topology.incoming(node)))]
        nodes.append(tuple((name, source) for _, name, source in kept))
    return tuple(nodes)
