"""Derivation within ceilings, compared with trying all cells."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from cells.topology import Topology
from darts.costs.constrained import strongest_cells
from darts.costs.tables import CostTable
from darts.methods.selection import derive_cell
from genotypes import KINDS, SearchSpace

OPERATIONS = ("none", "skip_connect", "sep_conv_3x3")
SPACE = SearchSpace(name="three", operations=OPERATIONS)


def tables(topology: Topology, generator: torch.Generator, highest: int = 20) -> CostTable:
    shape = (len(topology.edges), len(OPERATIONS))
    costs = {kind: torch.randint(highest, shape, generator=generator).double() for kind in KINDS}
    return CostTable("macs", 5.0, costs)


def all_cells(topology: Topology) -> list[list[tuple[int, int]]]:
    """All cells of one kind, as lists of (edge, column) pairs."""
    per_node = []
    for node in topology.inner:
        pairs = itertools.combinations(topology.incoming(node), 2)
        columns = list(itertools.product((1, 2), repeat=2))
        per_node.append([((a.index, i), (b.index, j)) for a, b in pairs for i, j in columns])
    return [list(itertools.chain(*choice)) for choice in itertools.product(*per_node)]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("count", [1, 2])
def test_it_equals_the_best_of_all_cells(seed: int, count: int) -> None:
    topology, generator = Topology(2), torch.Generator().manual_seed(seed)
    scores = {
        kind: torch.randn(len(topology.edges), 3, generator=generator).double() for kind in KINDS
    }
    costs = [tables(topology, generator) for _ in range(count)]
    cells = all_cells(topology)

    def total(table: dict[str, torch.Tensor], kind: str) -> np.ndarray:
        return np.array([sum(table[kind][pair].item() for pair in cell) for cell in cells])

    value = total(scores, "normal")[:, None] + total(scores, "reduce")
    spent = [
        5 + total(t.operations, "normal")[:, None] + total(t.operations, "reduce") for t in costs
    ]
    for share in (0.0, 0.2, 0.5, 0.9):
        ceilings = [float(np.quantile(s, share, method="lower")) for s in spent]
        fits = np.all([s <= ceiling for s, ceiling in zip(spent, ceilings, strict=True)], axis=0)
        found = strongest_cells(scores, topology, SPACE, list(zip(costs, ceilings, strict=True)))
        if not fits.any():
            assert found is None
            continue
        best = np.where(fits, value, -np.inf).max()
        assert found is not None
        reached, paid = 0.0, np.full(count, 5.0)
        rows = {(edge.source, edge.target): edge.index for edge in topology.edges}
        for kind in KINDS:
            for node, inputs in zip(topology.inner, found[kind], strict=True):
                strengths = []
                for name, source in inputs:
                    at = rows[source, node], OPERATIONS.index(name)
                    strengths.append(scores[kind][at].item())
                    paid += [t.operations[kind][at].item() for t in costs]
                assert strengths == sorted(strengths, reverse=True)
                assert len({source for _, source in inputs}) == 2
                reached += sum(strengths)
        assert reached == pytest.approx(best, abs=1e-6)
        assert (paid <= ceilings).all()


def test_without_need_it_is_the_papers_derivation() -> None:
    topology, generator = Topology(4), torch.Generator().manual_seed(7)
    strengths = {kind: torch.rand(14, 3, generator=generator).double() for kind in KINDS}
    logs = {kind: table.log() for kind, table in strengths.items()}
    found = strongest_cells(logs, topology, SPACE, [(tables(topology, generator), 1e9)])
    assert found is not None
    for kind in KINDS:
        assert found[kind] == derive_cell(strengths[kind], topology, SPACE, kind)


def test_a_ceiling_is_kept_to_the_unit_where_the_solver_is_tolerant() -> None:
    """The costs of two cells differ by 1 at 1e9: a relative tolerance of 1e-6 would fail."""
    topology = Topology(2)
    costs = {kind: torch.full((5, 3), 1e8, dtype=torch.float64) for kind in KINDS}
    costs["normal"][0, 2] += 1
    scores = {kind: torch.zeros(5, 3, dtype=torch.float64) for kind in KINDS}
    scores["normal"][0, 2] = 1.0
    table = CostTable("macs", 0.0, costs)
    for ceiling, name in ((8e8 + 1, "sep_conv_3x3"), (8e8, "skip_connect")):
        found = strongest_cells(scores, topology, SPACE, [(table, ceiling)])
        assert found is not None
        assert (name, 0) in found["normal"][0]
    assert strongest_cells(scores, topology, SPACE, [(table, 8e8 - 1)]) is None
