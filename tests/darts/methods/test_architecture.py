"""alpha and beta: initial values, relaxation, and the derived genotype."""

from __future__ import annotations

import math

import pytest
import torch

from cells.topology import Topology
from darts.methods.architecture import Architecture
from darts.methods.paths import BinaryPaths
from darts.methods.relaxation import Softmax, normalise_edges
from darts.methods.sampled import HardGumbel
from genotypes import KINDS, SPACES
from genotypes.search_space import SearchSpace
from tests.reference.derivation import derive

EDGES = 14


def architecture(edge_normalisation: bool = True, nodes: int = 4) -> Architecture:
    generator = torch.Generator().manual_seed(0)
    return Architecture(
        Topology(nodes), relaxation=Softmax(edge_normalisation), generator=generator
    ).double()


def golden(edge_normalisation: bool = True) -> Architecture:
    """alpha and beta by the formulas of the golden vectors."""
    made = architecture(edge_normalisation)
    e = torch.arange(EDGES, dtype=torch.float64)[:, None]
    o = torch.arange(8, dtype=torch.float64)[None, :]
    with torch.no_grad():
        made.alpha["normal"].copy_(torch.sin(0.7 * e + 1.3 * o))
        made.alpha["reduce"].copy_(torch.cos(0.9 * e + 0.4 * o))
        if edge_normalisation:
            made.beta["normal"].copy_(torch.sin(1.1 * e[:, 0]))
            made.beta["reduce"].copy_(torch.cos(0.5 * e[:, 0]))
    return made


def pairs(text: str) -> tuple:
    """'max_pool_3x3 1, dil_conv_3x3 0 / …' as the nodes of a genotype."""
    return tuple(
        tuple((op, int(source)) for op, source in (pair.split() for pair in node.split(",")))
        for node in text.split("/")
    )


def test_derivation_equals_the_golden_vector_with_beta() -> None:
    genotype = golden().derive("golden")
    assert genotype.normal == pairs(
        "max_pool_3x3 1, dil_conv_3x3 0 / sep_conv_5x5 0, sep_conv_3x3 1 / "
        "dil_conv_5x5 2, avg_pool_3x3 3 / sep_conv_3x3 4, sep_conv_3x3 3"
    )
    assert genotype.reduce == pairs(
        "max_pool_3x3 0, max_pool_3x3 1 / dil_conv_5x5 0, dil_conv_5x5 1 / "
        "max_pool_3x3 3, max_pool_3x3 2 / avg_pool_3x3 4, dil_conv_5x5 2"
    )
    assert genotype.normal_concat == genotype.reduce_concat == (2, 3, 4, 5)


@pytest.mark.parametrize("how", ["all betas 0", "no edge normalisation"])
def test_derivation_equals_the_golden_vector_without_beta(how: str) -> None:
    """Equal betas scale all edges of a node equally, so both give the derivation of DARTS."""
    made = golden(edge_normalisation=how == "all betas 0")
    with torch.no_grad():
        for beta in made.beta.values():
            beta.zero_()
    genotype = made.derive("golden")
    assert genotype.normal == pairs(
        "dil_conv_3x3 0, max_pool_3x3 1 / sep_conv_3x3 2, sep_conv_5x5 0 / "
        "skip_connect 0, skip_connect 1 / sep_conv_3x3 4, sep_conv_5x5 2"
    )
    assert genotype.reduce == pairs(
        "max_pool_3x3 0, max_pool_3x3 1 / dil_conv_5x5 1, dil_conv_5x5 2 / "
        "max_pool_3x3 2, max_pool_3x3 3 / dil_conv_5x5 1, dil_conv_5x5 2"
    )


@pytest.mark.parametrize("nodes", [2, 3, 4, 5])
def test_derivation_equals_the_literal_rule_on_random_values(nodes: int) -> None:
    generator = torch.Generator().manual_seed(nodes)
    for _ in range(20):
        made = architecture(nodes=nodes)
        with torch.no_grad():
            for parameter in made.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
        genotype = made.derive("random")
        for kind in KINDS:
            literal = derive(made.alpha[kind].tolist(), made.beta[kind].tolist())
            assert [list(node) for node in genotype.cell(kind)[0]] == literal


def test_ties_go_to_the_lower_index() -> None:
    made = architecture()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.zero_()
    first = (("max_pool_3x3", 0), ("max_pool_3x3", 1))
    assert made.derive("ties").normal == (first,) * 4


def test_none_is_never_chosen_and_only_dilutes() -> None:
    made = architecture()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.zero_()
        made.alpha["normal"][:, 0] = 9.0  # `none` everywhere the strongest …
        made.alpha["normal"][0, 0] = 99.0  # … and on edge 0 so strong that the edge loses.
        made.alpha["normal"][3, 0] = 99.0
    genotype = made.derive("none")
    assert all(op == "max_pool_3x3" for node in genotype.normal for op, _ in node)
    assert [source for _, source in genotype.normal[1]] == [0, 2]


def test_edge_normalisation_is_a_softmax_over_each_nodes_incoming_edges() -> None:
    beta = torch.sin(1.1 * torch.arange(EDGES, dtype=torch.float64))
    published = [
        *[0.290861, 0.709139, 0.644107, 0.245089, 0.110804, 0.077887, 0.215365],
        *[0.423673, 0.283075, 0.103256, 0.060025, 0.104073, 0.294954, 0.437692],
    ]
    assert normalise_edges(beta, Topology(4)).tolist() == pytest.approx(published, abs=1e-6)


def test_tables_are_distributions() -> None:
    for table in golden().tables().values():
        assert table.operations.shape == (EDGES, 8)
        torch.testing.assert_close(table.operations.sum(1), torch.ones(EDGES, dtype=torch.float64))
        assert table.edges is not None
        sums = [part.sum().item() for part in table.edges.split([2, 3, 4, 5])]
        assert sums == pytest.approx([1.0] * 4)


def test_without_edge_normalisation_there_is_no_beta() -> None:
    made = architecture(edge_normalisation=False)
    assert len(list(made.parameters())) == 2
    assert all(table.edges is None for table in made.tables().values())


def test_initial_values_are_small_normal_draws_from_the_given_stream() -> None:
    values = torch.cat([parameter.flatten() for parameter in architecture().parameters()])
    assert len(values) == 2 * EDGES * 8 + 2 * EDGES
    assert values.std().item() == pytest.approx(1e-3, rel=0.2)
    assert values.abs().max() < 1e-2
    again = torch.cat([parameter.flatten() for parameter in architecture().parameters()])
    assert values.equal(again)


def test_the_space_names_the_columns() -> None:
    assert architecture().operations == SPACES["darts"].operations
    assert math.prod(architecture().alpha["normal"].shape) == EDGES * 8


def test_an_architecture_draws_for_each_step() -> None:
    space = SearchSpace(name="s", operations=("none", "skip_connect", "sep_conv_3x3"))
    generator = torch.Generator().manual_seed(0)
    made = Architecture(Topology(2), space=space, relaxation=BinaryPaths(), generator=generator)
    assert made.tables()["normal"].active is None
    fixed = made.fixed_tables()["normal"]
    assert fixed.active is not None
    assert not fixed.operations.requires_grad
    evaluated = made.evaluated_tables()["reduce"]
    assert evaluated.operations.sum(1).tolist() == [1.0] * 5


def test_decided_rows_are_computed_as_decided() -> None:
    """Also where the relaxation draws another operation for them."""
    generator = torch.Generator().manual_seed(0)
    made = Architecture(Topology(2), relaxation=HardGumbel(), generator=generator)
    decided = torch.full((5, 8), torch.nan)
    decided[1] = torch.eye(8)[4]
    decided[2] = 0.0
    made.fix("normal", decided)
    for _ in range(5):
        table = made.tables()["normal"]
        active = table.active
        assert active is not None
        assert active[1] == (4,)
        assert active[2] == ()
        assert table.operations[[1, 2]].tolist() == decided[[1, 2]].tolist()
        assert [len(active[row]) for row in (0, 3, 4)] == [1, 1, 1]
