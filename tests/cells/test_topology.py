"""Nodes and edges of a cell, and their order."""

from __future__ import annotations

import pytest

from cells.topology import Topology


def test_the_edges_of_the_papers_cell() -> None:
    topology = Topology(4)
    assert len(topology.edges) == 14
    assert [topology.incoming(node)[0].index for node in topology.inner] == [0, 2, 5, 9]
    assert [edge.source for edge in topology.incoming(5)] == [0, 1, 2, 3, 4]
    assert [(edge.index, edge.target) for edge in topology.outgoing(1)] == [
        (1, 2), (3, 3), (6, 4), (10, 5),
    ]  # fmt: skip
    assert topology.outgoing(5) == ()
    assert list(topology.inner) == [2, 3, 4, 5]


@pytest.mark.parametrize("nodes", [1, 2, 3, 4, 5, 6])
def test_incoming_and_outgoing_each_hold_every_edge_once(nodes: int) -> None:
    topology = Topology(nodes)
    incoming = [edge for node in topology.inner for edge in topology.incoming(node)]
    outgoing = [edge for state in topology.states for edge in topology.outgoing(state)]
    assert incoming == list(topology.edges)
    assert sorted(outgoing, key=lambda edge: edge.index) == incoming
    assert len(incoming) == nodes * (nodes + 3) // 2


def test_only_the_inputs_of_a_reduction_cell_are_strided() -> None:
    topology = Topology(4)
    assert [topology.stride(state, True) for state in topology.states] == [2, 2, 1, 1, 1, 1]
    assert [topology.stride(state, False) for state in topology.states] == [1] * 6


def test_a_cell_needs_a_node() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Topology(0)
