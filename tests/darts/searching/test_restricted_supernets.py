"""Supernets of the named spaces against the literal form, and of cells with other rules."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cells.topology import EdgeWeights, Topology
from darts.searching.supernet import Supernet
from genotypes import SPACES
from ops.initialise import initialise
from tests.darts.searching.test_supernet import Twins


@pytest.mark.parametrize("backend", ["torch", "native"])
@pytest.mark.parametrize("name", ["s1", "s2", "darts-no-pools", "darts-no-none"])
def test_they_equal_the_literal_form(name: str, backend: str) -> None:
    Twins(k=2, nodes=4, space=SPACES[name], backend=backend).assert_equal()


@pytest.mark.parametrize("backend", ["torch", "native"])
def test_pools_without_batch_norm_and_the_last_node_only(backend: str) -> None:
    """A cell by hand: node 0 = pool(input 0) + input 1, node 1 = pool(node 0)."""
    space = replace(SPACES["darts"], operations=("none", "avg_pool_3x3", "skip_connect"))
    net = Supernet(
        Topology(2),
        space.operations,
        channels=4,
        layers=3,
        k=1,
        normalised=False,
        output="last",
        backend=backend,
    ).double()
    initialise(net, torch.Generator().manual_seed(0))
    hot = torch.zeros(5, 3, dtype=torch.float64)
    hot[0, 1] = hot[1, 2] = hot[4, 1] = 1.0
    cell = net.search_cells[0]
    generator = torch.Generator().manual_seed(1)
    inputs = [
        torch.randn(2, channels, 8, 8, generator=generator, dtype=torch.float64)
        for channels in (cell.place.before_previous, cell.place.previous)
    ]
    found = cell(*map(net.engine.hand_on, inputs), EdgeWeights(hot, None), net.engine)
    pool = torch.nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    first, second = cell.preprocess0(inputs[0]), cell.preprocess1(inputs[1])
    torch.testing.assert_close(found, pool(pool(first) + second), rtol=1e-9, atol=1e-9)
    assert cell.place.channels == found.shape[1]
    tables = {kind: EdgeWeights(hot, None) for kind in ("normal", "reduce")}
    assert net(torch.zeros(2, 3, 8, 8, dtype=torch.float64), tables).shape == (2, 10)
