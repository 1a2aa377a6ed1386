"""The weights of candidate operations, edge by edge, as a supernet stores them.

All edges that leave a state have the weights of an operation in common parameters, one edge after
the other (ops/fused). What treats the operation of one edge differently from that of another, such
as a step that only trains what was sampled, finds the rows of each edge here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from cells.search_cell import OutgoingEdges, SearchCell
from cells.topology import EdgeWeights
from ops.fused.unfused import SeparateEdges


@dataclass(frozen=True, eq=False)
class StackedOperation:
    """One operation on some edges of one cell.

    Attributes:
        cell: The number of the cell.
        name: The name of the operation.
        column: Its column in the tables of weights.
        edges: The edges that have it, as rows of the tables.
        parameters: Its weights. The first dimension of each has the same number of rows for every
            edge, in the order of `edges`.
    """

    cell: int
    name: str
    column: int
    edges: tuple[int, ...]
    parameters: tuple[nn.Parameter, ...]

    def active(self, weights: EdgeWeights) -> tuple[bool, ...]:
        """Whether the operation is computed, for each of `edges`."""
        if weights.active is None:
            return (True,) * len(self.edges)
        return tuple(self.column in weights.active[edge] for edge in self.edges)

    def by_edge(self, values: Tensor) -> Tensor:
        """View a tensor of the shape of a parameter, `[N, …]`, as `[edges, N / edges, …]`."""
        return values.unflatten(0, (len(self.edges), -1))


def stacked_operations(cells: Sequence[SearchCell]) -> tuple[StackedOperation, ...]:
    """All operations with weights of all cells.

    Operations whose weights all edges share are not among them: they take part in every step that
    computes one of their edges.

    >>> from cells.skeleton import CellPlace
    >>> from cells.topology import Topology
    >>> place = CellPlace(0, False, False, 12, 12, 8, 1)
    >>> cell = SearchCell(Topology(2), ("none", "dil_conv_3x3"), place, k=1)
    >>> [(one.name, one.edges, len(one.parameters)) for one in stacked_operations([cell])]
    [('dil_conv_3x3', (0, 2), 2), ('dil_conv_3x3', (1, 3), 2), ('dil_conv_3x3', (4,), 2)]
    """
    found: list[StackedOperation] = []
    for index, cell in enumerate(cells):
        for source in cell.sources:
            found += _of_source(index, source)
    return tuple(found)


def _of_source(cell: int, source: OutgoingEdges) -> list[StackedOperation]:
    fan_out, found = source.fan_out, []

    def add(name: str, edges: tuple[int, ...], module: nn.Module) -> None:
        parameters = tuple(module.parameters())
        if parameters:
            column = fan_out.columns[name]
            found.append(StackedOperation(cell, name, column, edges, parameters))

    def rows(name: str) -> tuple[int, ...]:
        return tuple(source.rows[edge] for edge in fan_out.holders[name])

    for name, form in fan_out.rectified.items():
        add(name, rows(name), form)
    for name, separate in fan_out.separate.items():
        for row, module in zip(rows(name), _modules_by_edge(separate), strict=True):
            add(name, (row,), module)
    return found


def _modules_by_edge(separate: nn.Module) -> list[nn.Module]:
    assert isinstance(separate, SeparateEdges)
    return list(separate.edges)
