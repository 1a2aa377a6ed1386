"""Which rows of a supernet's weights belong to which operation on which edge."""

from __future__ import annotations

import torch

from cells.stacked import stacked_operations
from cells.topology import EdgeWeights, Topology
from darts.searching.supernet import Supernet
from genotypes.search_space import DARTS


def test_rows_belong_to_their_edge() -> None:
    """An edge whose operation has the weight 0 gives its rows, and no others, no gradient."""
    topology = Topology(3)
    net = Supernet(topology, DARTS.operations, channels=4, layers=3, k=1, backend="torch").double()
    operations = stacked_operations(list(net.cells))
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, 8, 8, generator=generator, dtype=torch.float64)
    absent = {4: (4, 6), 6: (0, 7), 7: (5,), 3: (0, 1, 2, 3)}  # Column: edges.
    weights = torch.rand(9, 8, generator=generator, dtype=torch.float64)
    for column, edges in absent.items():
        weights[list(edges), column] = 0.0
    tables = {kind: EdgeWeights(weights, None) for kind in ("normal", "reduce")}
    net(images, tables).square().sum().backward()
    for operation in operations:
        expected = [edge in absent.get(operation.column, ()) for edge in operation.edges]
        for parameter in operation.parameters:
            assert parameter.grad is not None
            rows = operation.by_edge(parameter.grad).flatten(1)
            assert (rows == 0).all(1).tolist() == expected


def test_all_weights_of_operations_are_found() -> None:
    net = Supernet(Topology(4), DARTS.operations, channels=8, layers=3, k=4, backend="torch")
    operations = stacked_operations(list(net.cells))
    found = {parameter for operation in operations for parameter in operation.parameters}
    expected = {p for cell in net.cells for fan in cell.fan_outs for p in fan.parameters()}
    assert found == expected
    names = {operation.name for operation in operations}
    assert names == {"skip_connect", *(name for name in DARTS.operations if "conv" in name)}
    assert sorted(edge for one in operations[:5] for edge in one.edges)
    by_cell = [sum(len(one.edges) for one in operations if one.cell == cell) for cell in range(3)]
    # 14 edges with 4 convolutions; in reduction cells, 8 skip connections have weights as well.
    assert by_cell == [56, 64, 64]


def test_what_a_table_computes() -> None:
    net = Supernet(Topology(2), DARTS.operations, channels=4, layers=3, k=1, backend="torch")
    first = stacked_operations(list(net.cells))[0]
    weights = torch.full((5, 8), 0.125)
    assert first.active(EdgeWeights(weights, None)) == (True,) * len(first.edges)
    active = tuple((first.column,) if row == first.edges[1] else (3,) for row in range(5))
    assert first.active(EdgeWeights(weights, None, active)) == (False, True)
