"""Parameters of supernets: published numbers, and the modules themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from cells.topology import Topology
from darts.costs.supernet import SupernetSize, supernet_parameters, usual_size
from darts.searching.supernet import Supernet
from genotypes import SPACES


@pytest.mark.parametrize("name", ["s1", "s2", "s3", "s4"])
def test_published_sizes(name: str, shared: Path) -> None:
    facts = json.loads((shared / "facts" / "nasbench201.json").read_text())["restricted"]
    known = facts["supernet_params_C16_8cells_10classes"]
    assert supernet_parameters(SPACES[name], usual_size(SPACES[name])) == known[name]


def test_pc_darts() -> None:
    size = SupernetSize(nodes=4, k=4)
    assert supernet_parameters(SPACES["darts"], size) == 299_578


@pytest.mark.parametrize("nodes", range(2, 8))
def test_darts_with_two_to_seven_nodes(nodes: int) -> None:
    space = SPACES["darts"]
    with torch.device("meta"):
        built = Supernet(
            Topology(nodes), space.operations, channels=8, layers=3, k=2, backend="torch"
        )
    size = SupernetSize(nodes=nodes, channels=8, layers=3, k=2)
    assert supernet_parameters(space, size) == sum(p.numel() for p in built.parameters())


@pytest.mark.parametrize("name", ["s1", "s4", "darts-no-pools"])
def test_restricted_spaces_are_built_as_counted(name: str) -> None:
    space = SPACES[name]
    with torch.device("meta"):
        built = Supernet(
            Topology(4),
            space.operations,
            candidates=space.candidates,
            channels=8,
            layers=3,
            k=1,
            backend="torch",
        )
    size = SupernetSize(nodes=4, channels=8, layers=3)
    assert supernet_parameters(space, size) == sum(p.numel() for p in built.parameters())
