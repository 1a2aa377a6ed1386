"""Selections from strengths: golden vectors of the authors' code, ties, and sound cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cells.topology import Topology
from darts.methods.limits import SkipLimit
from darts.methods.pairs import BestPairs
from darts.methods.selection import Selection, StrongestEdges, StrongestOperations
from darts.methods.threshold import Threshold, ZeroMayWin
from genotypes import SPACES, Genotype, Node, SearchSpace
from genotypes.search_space import DARTS
from tests.darts.methods.vectors import golden

TOPOLOGY = Topology(4)
SPARSE = SPACES["darts-sparse"]
SELECTIONS = [
    StrongestEdges(),
    StrongestOperations(),
    BestPairs(),
    ZeroMayWin(),
    Threshold(),
    SkipLimit(),
    SkipLimit(most=0),
]


def both(table: Tensor) -> dict[str, Tensor]:
    return {"normal": table, "reduce": table}


def flat(nodes: tuple[Node, ...], space: SearchSpace) -> list[list[int]]:
    """[operation, input] of all nodes, as the golden vectors write a genotype."""
    return [[space.operations.index(name), source] for node in nodes for name, source in node]


def test_darts_equals_its_golden_vector(shared: Path) -> None:
    inputs, outputs = golden(shared, "darts_genotype")
    cells = StrongestEdges()(both(inputs["alpha"].softmax(1)), TOPOLOGY, DARTS)
    assert flat(cells["normal"], DARTS) == outputs["genotype"].long().tolist()


def test_pc_darts_equals_its_golden_vector_and_alpha_alone_is_darts(shared: Path) -> None:
    inputs, outputs = golden(shared, "pcdarts_edge_weights_and_genotype")
    strengths = inputs["alpha"].softmax(1) * outputs["edge_weights"][:, None]
    cells = StrongestEdges()(both(strengths), TOPOLOGY, DARTS)
    assert flat(cells["normal"], DARTS) == outputs["genotype"].long().tolist()
    alone = StrongestOperations()(both(strengths), TOPOLOGY, DARTS)
    darts = golden(shared, "darts_genotype")[1]["genotype"].long().tolist()
    assert flat(alone["normal"], DARTS) == darts


def test_alpha_alone_survives_an_edge_whose_weight_is_0() -> None:
    strengths = torch.rand(14, 8).softmax(1)
    strengths[3] = 0
    cells = StrongestOperations()(both(strengths), TOPOLOGY, DARTS)
    assert all(len(node) == 2 for node in cells["normal"])


def test_gdas_equals_its_golden_vector(shared: Path) -> None:
    inputs, outputs = golden(shared, "gdas_nasnet_genotype")
    space = replace(DARTS, name="gdas", distinct_sources=False)
    cells = BestPairs()(both(inputs["alpha"].softmax(1)), TOPOLOGY, space)
    expected = outputs["genotype"].long().tolist()
    assert flat(cells["normal"], space) == [pair for node in expected for pair in node]
    # Two operations of one edge are no cell of the DARTS space.
    strict = BestPairs()(both(inputs["alpha"].softmax(1)), TOPOLOGY, DARTS)
    assert strict == StrongestEdges()(both(inputs["alpha"].softmax(1)), TOPOLOGY, DARTS)


def test_fair_darts_equals_its_golden_vector(shared: Path) -> None:
    inputs, outputs = golden(shared, "fairdarts_genotype")
    cells = Threshold(inputs["threshold"])(both(inputs["alpha"].sigmoid()), TOPOLOGY, SPARSE)
    found = {
        (SPARSE.operations.index(name), node, source)
        for node, pairs in enumerate(cells["normal"], 2)
        for name, source in pairs
    }
    assert found == {tuple(entry) for entry in outputs["genotype"].long().tolist()}
    strict = Threshold(inputs["threshold"])(
        both(inputs["alpha"].sigmoid()), TOPOLOGY, SPACES["darts-no-none"]
    )
    assert all(len(node) == 2 for node in strict["normal"])


def test_a_node_without_operations_above_the_threshold_keeps_its_strongest() -> None:
    cells = Threshold()(both(torch.rand(14, 7) * 0.5), TOPOLOGY, SPARSE)
    assert all(len(node) == 1 for node in cells["normal"])


def p_darts(inputs: Mapping[str, Any]) -> tuple[dict[str, Tensor], SearchSpace]:
    """Strengths and space of the last stage of P-DARTS."""
    table = torch.zeros(14, 8, dtype=torch.float64)
    restricted = {}
    for edge, columns in zip(TOPOLOGY.edges, inputs["keep"].long().tolist(), strict=True):
        table[edge.index, columns] = inputs["prob"][edge.index]
        names = tuple(DARTS.operations[column] for column in columns)
        for kind in ("normal", "reduce"):
            restricted[kind, edge.source, edge.target] = names
    return both(table), replace(DARTS, name="p-darts", restricted=restricted)


@pytest.mark.parametrize("most", [8, 1])
def test_p_darts_equals_its_golden_vectors(shared: Path, most: int) -> None:
    inputs, outputs = golden(shared, f"pdarts_final_max_skip_{most}")
    strengths, space = p_darts(inputs)
    cells = SkipLimit(most=inputs["max_skip"])(strengths, TOPOLOGY, space)
    assert flat(cells["normal"], space) == outputs["genotype"].long().tolist()
    skips = [name for node in cells["normal"] for name, _ in node].count("skip_connect")
    assert skips == outputs["skips"]
    # Reduction cells have no limit.
    assert cells["reduce"] == SkipLimit(most=8)(strengths, TOPOLOGY, space)["normal"]


def test_p_darts_prefers_later_edges_among_equal_ones() -> None:
    cells = SkipLimit()(both(torch.ones(14, 8)), TOPOLOGY, DARTS)
    assert [[source for _, source in node] for node in cells["normal"]] == [
        [0, 1],
        [1, 2],
        [2, 3],
        [3, 4],
    ]


@pytest.mark.parametrize("most", [0, 2])
def test_alphas_that_say_all_skip_have_no_more_skips_than_allowed(most: int) -> None:
    table = torch.rand(14, 8) * 1e-3
    table[:, DARTS.operations.index("skip_connect")] = 0.9
    names = Counter(
        name for node in SkipLimit(most)(both(table), TOPOLOGY, DARTS)["normal"] for name, _ in node
    )
    assert names["skip_connect"] == most
    assert names.total() == 8


def test_a_skip_without_alternative_stays() -> None:
    only = {("normal", 0, 2): ("skip_connect",)}
    space = replace(DARTS, name="only", restricted=only)
    cells = SkipLimit(most=0)(both(torch.zeros(14, 8)), TOPOLOGY, space)
    assert [name for node in cells["normal"] for name, _ in node].count("skip_connect") == 1


def test_none_takes_a_place_of_a_node_in_a_sparse_space() -> None:
    space = SearchSpace(name="s", operations=("none", "skip_connect", "noise"), least=1)
    table = torch.zeros(9, 3)
    table[:, 1] = 0.2
    table[4, 0] = 0.9  # Of the three edges of the second node, `none` wins the strongest one.
    table[3, 2] = 0.8
    cells = ZeroMayWin()(both(table), Topology(3), space)
    assert cells["normal"][1] == (("noise", 1),)
    # Where two edges are demanded, the next strongest one takes the place.
    strict = ZeroMayWin()(both(table), Topology(3), replace(space, least=None))
    assert strict["normal"][1] == (("noise", 1), ("skip_connect", 0))


def test_where_none_wins_everywhere_the_strongest_other_operations_are_kept() -> None:
    table = torch.rand(14, 8).double()
    table[:, 0] = 2.0
    cells = ZeroMayWin()(both(table), TOPOLOGY, DARTS)
    assert cells == StrongestEdges()(both(table), TOPOLOGY, DARTS)


@pytest.mark.parametrize("selection", SELECTIONS, ids=repr)
@pytest.mark.parametrize("name", SPACES)
def test_every_cell_is_a_cell_of_its_space(selection: Selection, name: str) -> None:
    """A genotype checks itself; random, equal, and saturated strengths."""
    space = SPACES[name]
    topology = Topology(space.nodes or 4, space.inputs)
    generator = torch.Generator().manual_seed(0)
    shape = len(topology.edges), len(space.operations)
    saturated = torch.zeros(shape)
    saturated[:, 0] = 1
    for table in (torch.rand(shape, generator=generator), torch.full(shape, 0.5), saturated):
        cells = selection(dict.fromkeys(space.kinds, table), topology, space)
        concat = space.output_states(topology.nodes)
        Genotype(
            name="sound",
            normal=cells["normal"],
            reduce=cells.get("reduce", ()),
            normal_concat=concat,
            reduce_concat=concat if "reduce" in space.kinds else (),
            space=space,
        )


def test_nas_bench_201_keeps_the_best_operation_of_every_edge_also_none() -> None:
    space = SPACES["nasbench201"]
    table = torch.eye(6, 5)
    table[5, 0] = 1.0
    cells = StrongestEdges()({"normal": table}, Topology(3, 1), space)
    assert cells["normal"] == (
        (("none", 0),),
        (("skip_connect", 0), ("nor_conv_1x1", 1)),
        (("nor_conv_3x3", 0), ("avg_pool_3x3", 1), ("none", 2)),
    )


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Threshold(1.5)
    with pytest.raises(ValueError, match="negative"):
        SkipLimit(-1)
