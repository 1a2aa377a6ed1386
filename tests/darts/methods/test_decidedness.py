"""Entropies of the weights, by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from cells.topology import Topology
from darts.methods.architecture import Architecture
from darts.methods.decidedness import edge_entropy, entropies, operation_entropy
from darts.methods.relaxation import Sigmoid, Softmax
from genotypes.search_space import DARTS


def test_an_entropy_is_normalised_by_the_number_of_candidates() -> None:
    weights = torch.tensor([[0.7, 0.2, 0.1], [0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    candidates = torch.tensor([[True] * 3, [True, True, False], [True, False, False]])
    first = -sum(p * math.log(p) for p in (0.7, 0.2, 0.1)) / math.log(3)
    found = operation_entropy(weights, candidates)
    assert found == pytest.approx((first + 1) / 2, rel=1e-6)  # The last edge has no choice.


def test_weights_of_what_is_no_candidate_do_not_count() -> None:
    weights = torch.tensor([[0.4, 0.4, 0.2]])
    assert operation_entropy(weights, torch.tensor([[True, True, False]])) == pytest.approx(1)
    assert operation_entropy(weights, torch.tensor([[True, False, False]])) is None


def test_shares_of_sigmoid_weights_are_compared() -> None:
    weights = torch.tensor([[0.9, 0.9], [0.2, 0.2]])
    assert operation_entropy(weights, torch.ones(2, 2, dtype=torch.bool)) == pytest.approx(1)


def test_a_row_without_weights_is_decided() -> None:
    assert operation_entropy(torch.zeros(1, 3), torch.ones(1, 3, dtype=torch.bool)) == 0


def test_edges_compete_within_their_node() -> None:
    topology = Topology(2)
    weights = torch.tensor([0.5, 0.5, 0.8, 0.1, 0.1])
    second = -(0.8 * math.log(0.8) + 0.2 * math.log(0.1)) / math.log(3)
    assert edge_entropy(weights, topology) == pytest.approx((1 + second) / 2, rel=1e-6)
    single = Topology(2, inputs=1)
    assert edge_entropy(torch.tensor([1.0, 0.5, 0.5]), single) == pytest.approx(1)
    assert edge_entropy(torch.ones(1), Topology(1, inputs=1)) is None


def architecture(**settings: object) -> Architecture:
    return Architecture(Topology(2), generator=torch.Generator().manual_seed(0), **settings)


def test_a_search_begins_undecided_and_ends_decided() -> None:
    searched = architecture(relaxation=Softmax(edge_normalisation=True))
    begin = entropies(searched)
    assert all(value == pytest.approx(1, abs=1e-5) for value in begin.values())
    with torch.no_grad():
        for parameter in searched.parameters():
            parameter.mul_(1e6)
    assert all(value == pytest.approx(0, abs=1e-3) for value in entropies(searched).values())


def test_without_edge_normalisation_edges_have_no_entropy() -> None:
    for relaxation in (Softmax(edge_normalisation=False), Sigmoid(edge_normalisation=False)):
        assert set(entropies(architecture(relaxation=relaxation))) == {
            "normal_entropy",
            "reduce_entropy",
        }


def test_decided_rows_and_auxiliary_skips() -> None:
    searched = architecture(auxiliary=lambda progress: 1.0)
    assert entropies(searched)["normal_entropy"] == pytest.approx(1, abs=1e-5)
    weights = torch.full((5, 8), torch.nan)
    weights[0] = torch.eye(8)[3]
    searched.fix("normal", weights)
    assert entropies(searched)["normal_entropy"] == pytest.approx(0.8, abs=1e-5)


def test_restricted_edges_are_compared_among_their_candidates() -> None:
    restricted = {
        (kind, source, target): ("skip_connect", "sep_conv_3x3")
        for kind in ("normal", "reduce")
        for source, target in ((0, 2), (1, 2))
    }
    space = replace(DARTS, name="some", restricted=restricted)
    found = entropies(architecture(space=space))
    assert found["normal_entropy"] == pytest.approx(1, abs=1e-5)
