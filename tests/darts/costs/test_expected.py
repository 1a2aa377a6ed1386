"""The expected cost: equal to the expectation, smooth, and exact if the cell is decided."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from cells.topology import Topology
from darts.costs.count import count
from darts.costs.expected import (
    _inclusion,
    derived_operations,
    expected_cost,
    keeping_probabilities,
)
from darts.costs.tables import CostTable, Target, chosen, counted_tables
from darts.methods.architecture import Architecture
from darts.methods.selection import derive_cell
from genotypes import KINDS, SearchSpace, random_genotype
from genotypes.search_space import DARTS

OPERATIONS = DARTS.operations
DOUBLE = torch.float64
CIFAR = Target(channels=36, layers=20, stem="cifar", resolution=32, num_classes=10)
IMAGENET = Target(channels=48, layers=14, stem="imagenet", resolution=224, num_classes=1000)


def architecture(nodes: int, seed: int, spread: float = 1.0) -> Architecture:
    generator = torch.Generator().manual_seed(seed)
    made = Architecture(Topology(nodes), generator=generator).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(spread * torch.randn(parameter.shape, generator=generator))
    return made


def expected(made: Architecture, table: CostTable, temperature: float = 1.0) -> Tensor:
    shares = {
        kind: keeping_probabilities(made.log_strengths(kind), made.topology, DARTS, temperature)
        for kind in KINDS
    }
    return expected_cost(shares, table.operations, table.base)


@pytest.mark.parametrize("target", [CIFAR, IMAGENET], ids=["cifar", "imagenet"])
@pytest.mark.parametrize("seed", range(2))
def test_one_hot_tables_cost_what_the_network_is_counted_at(target: Target, seed: int) -> None:
    """Multiply-adds and parameters are exact to the unit at any temperature."""
    topology = Topology(4)
    generator = torch.Generator().manual_seed(seed)
    genotype = random_genotype(4, generator, "random")
    made = Architecture(topology, generator=generator).double()
    with torch.no_grad():
        for kind in KINDS:
            made.alpha[kind].zero_()
            made.beta[kind].fill_(-1e4)
            for edge, name in chosen(genotype, kind, topology):
                made.alpha[kind][edge, OPERATIONS.index(name)] = 1e4
                made.beta[kind][edge] = 0.0
    counted = count(target.network(genotype), target.resolution)
    for table in counted_tables(target, topology, DARTS):
        for temperature in (0.1, 1.0):
            value = expected(made, table, temperature).item()
            assert value == getattr(counted, table.name)


def test_it_is_the_mean_over_derivations_from_strengths_with_gumbel_noise() -> None:
    topology, temperature, draws = Topology(3), 0.7, 2000
    made = architecture(3, seed=4)
    table, _ = counted_tables(CIFAR, topology, DARTS)
    generator = torch.Generator().manual_seed(0)
    counts = torch.zeros(len(topology.edges), len(OPERATIONS), dtype=DOUBLE)
    scores = made.log_strengths("normal").detach()
    rows = {(edge.source, edge.target): edge.index for edge in topology.edges}
    for _ in range(draws):
        uniform = torch.rand(scores.shape, generator=generator, dtype=DOUBLE)
        noisy = scores - temperature * torch.log(-torch.log(uniform))
        # Derivation asks only for the order of the strengths.
        nodes = derive_cell(noisy, topology, DARTS)
        for target, node in zip(topology.inner, nodes, strict=True):
            for name, source in node:
                counts[rows[source, target], OPERATIONS.index(name)] += 1
    probabilities = keeping_probabilities(scores, topology, DARTS, temperature)
    deviation = (probabilities * (1 - probabilities) / draws).sqrt() + 1e-3
    assert ((counts / draws - probabilities).abs() < 4.5 * deviation).all()
    sampled = (counts / draws * table.operations["normal"]).sum()
    exact = (probabilities * table.operations["normal"]).sum()
    assert sampled.item() == pytest.approx(exact.item(), rel=0.02)


def test_two_of_three_by_hand() -> None:
    """Weights 1/2, 1/3, 1/6; the first inner node has two edges, the second one has three."""
    topology = Topology(2)
    weights = torch.tensor([0.9, 0.1, 1 / 2, 1 / 3, 1 / 6], dtype=DOUBLE)
    space = SearchSpace(name="one", operations=("skip_connect",), zero=None)
    kept = keeping_probabilities(weights.log().unsqueeze(1), topology, space).squeeze(1)
    first = 1 / 2 + 1 / 3 * (1 / 2) / (2 / 3) + 1 / 6 * (1 / 2) / (5 / 6)
    second = 1 / 3 + 1 / 2 * (1 / 3) / (1 / 2) + 1 / 6 * (1 / 3) / (5 / 6)
    assert kept.tolist() == pytest.approx([1, 1, first, second, 2 - first - second], rel=1e-12)


@pytest.mark.parametrize("nodes", [2, 4])
def test_probabilities_are_a_derived_cells(nodes: int) -> None:
    made = architecture(nodes, seed=nodes, spread=5.0)
    topology = made.topology
    shares = keeping_probabilities(made.log_strengths("normal"), topology, DARTS, 0.05)
    assert (shares[:, DARTS.zero_column] == 0).all()
    assert (shares >= 0).all()
    assert (shares.sum(dim=1) <= 1 + 1e-12).all()
    for node in topology.inner:
        rows = [edge.index for edge in topology.incoming(node)]
        assert shares[rows].sum().item() == pytest.approx(2, rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_little_noise_leaves_the_derived_cell(seed: int) -> None:
    made = architecture(4, seed)
    genotype = made.derive("derived")
    for table in counted_tables(CIFAR, made.topology, DARTS):
        exact = table.of(genotype, made.topology, DARTS)
        shares = {
            kind: derived_operations(made.log_strengths(kind), made.topology, DARTS)
            for kind in KINDS
        }
        assert expected_cost(shares, table.operations, table.base).item() == exact
        assert expected(made, table, 1e-4).item() == pytest.approx(exact, rel=1e-6)
        assert expected(made, table, 1.0).item() != pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize("temperature", [0.3, 1.0])
def test_gradients_against_finite_differences(temperature: float) -> None:
    made = architecture(3, seed=2)
    table, _ = counted_tables(CIFAR, made.topology, DARTS)
    names, values = zip(*made.named_parameters(), strict=True)

    def cost(*parameters: Tensor) -> Tensor:
        stand_in = dict(zip(names, parameters, strict=True))
        shares = {}
        for kind in KINDS:
            beta = stand_in[f"beta.{kind}"].split([2, 3, 4])
            edges = torch.cat([part.log_softmax(0) for part in beta])
            scores = stand_in[f"alpha.{kind}"].log_softmax(1) + edges.unsqueeze(1)
            shares[kind] = keeping_probabilities(scores, made.topology, DARTS, temperature)
        return expected_cost(shares, table.operations, table.base).log()

    assert torch.autograd.gradcheck(cost, [value.detach().requires_grad_() for value in values])


def test_it_falls_along_its_gradient_without_bounds_on_the_scale_of_alpha() -> None:
    made = architecture(4, seed=1, spread=300.0)  # Softmax rounds to 0 and 1 here.
    table, _ = counted_tables(CIFAR, made.topology, DARTS)
    value = expected(made, table, 1.0)
    value.backward()
    assert math.isfinite(value.item())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in made.parameters())


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_any_number_of_draws_without_replacement(count: int) -> None:
    """Compared with a sum over all orders of the draws."""
    weights = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=DOUBLE)
    expected = torch.zeros(4, dtype=DOUBLE)
    for order in itertools.permutations(range(4), count):
        probability, left = 1.0, 1.0
        for index in order:
            probability *= weights[index].item() / left
            left -= weights[index].item()
        expected[list(order)] += probability
    torch.testing.assert_close(_inclusion(weights.log(), count), expected)
