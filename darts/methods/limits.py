"""The selection of P-DARTS, which limits the skip connections of the normal cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import Tensor

from cells.topology import Edge, Topology
from darts.methods.selection import allowed_strengths, best_operations, named_nodes
from genotypes import Node, SearchSpace
from genotypes.search_space import SKIP_CONNECT


@dataclass(frozen=True)
class SkipLimit:
    """The strongest edges of each node, with a limit on the skip connections of the normal cell.

    While the normal cell has too many skip connections, the weakest one chosen loses its strength,
    and all edges are chosen again. Of equally strong edges the later one is kept, and the edges of
    a node are in the order of their sources, as in the authors' code. A skip connection that has no
    alternative on an edge which its node has to keep, stays.

    Source: P-DARTS (Chen et al. 2019, arXiv 1904.12760, §3.4). The paper uses 2; the code prints
    the cells of all limits from 8 to 0.

    >>> import torch
    >>> from genotypes.search_space import SearchSpace
    >>> space = SearchSpace(name="s", operations=("skip_connect", "noise"), zero=None)
    >>> strengths = torch.tensor([[0.9, 0.1], [0.6, 0.4]])
    >>> tables = {"normal": strengths, "reduce": strengths}
    >>> SkipLimit(most=1)(tables, Topology(1), space)["normal"]
    ((('skip_connect', 0), ('noise', 1)),)

    Attributes:
        most: Most skip connections in the normal cell.
    """

    most: int = 2
    evaluates: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.most < 0:
            raise ValueError(f"most must not be negative, not {self.most}")

    def __call__(
        self, strengths: Mapping[str, Tensor], topology: Topology, space: SearchSpace
    ) -> dict[str, tuple[Node, ...]]:
        tables = {
            kind: allowed_strengths(strengths[kind], topology, space, kind) for kind in space.kinds
        }
        if SKIP_CONNECT in space.operations:
            limit_skips(tables["normal"], topology, space, self.most)
        cells = {}
        for kind, table in tables.items():
            best, strongest = best_operations(table)
            chosen = _chosen(topology, space, strongest)
            cells[kind] = named_nodes(topology, space, best, partial(_of, chosen))
        return cells


def _of(chosen: Sequence[Edge], incoming: Sequence[Edge]) -> list[Edge]:
    return [edge for edge in incoming if edge in chosen]


def limit_skips(table: Tensor, topology: Topology, space: SearchSpace, most: int) -> None:
    """Weaken skip connections until no more than `most` are chosen.

    Args:
        table: `[E, O]`, the strengths of the normal cell; changed in place.
        topology: Nodes and edges of the cell.
        space: Names the columns, and says how many edges a node keeps.
        most: Most skip connections.
    """
    skip, weakened = space.operations.index(SKIP_CONNECT), set[int]()
    while True:
        best, strongest = best_operations(table)
        chosen = _chosen(topology, space, strongest)
        skips = [edge.index for edge in chosen if best[edge.index] == skip]
        removable = [index for index in skips if index not in weakened]
        if len(skips) <= most or not removable:
            return
        weakest = min(removable, key=lambda index: strongest[index])
        # Below every other operation of the edge, also where those have the strength 0.
        table[weakest, skip] = -1.0
        weakened.add(weakest)


def _chosen(topology: Topology, space: SearchSpace, strongest: Sequence[float]) -> list[Edge]:
    """The strongest edges of all nodes; of equal ones the later one."""
    chosen: list[Edge] = []
    for node in topology.inner:
        incoming = topology.incoming(node)
        order = sorted(incoming, key=lambda edge: (strongest[edge.index], edge.index))
        chosen += order[len(order) - space.kept_edges(len(order)) :]
    return chosen
