"""The supernet of NAS-Bench-201 against its literal form, its derived networks and its sizes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cells.stacked import stacked_operations
from cells.topology import EdgeWeights, Topology
from darts.models.stages import StagesNetwork
from darts.searching.stages_supernet import StagesSupernet
from genotypes import SPACES, Genotype, random_genotype
from genotypes.nasbench201 import genotype_of, operations_of
from genotypes.nasbench201_cost import StagesSize
from ops.initialise import initialise
from tests.reference.correspondence import stage_pairs
from tests.reference.stages import LiteralStages

SPACE = SPACES["nasbench201"]
TOPOLOGY = Topology(3, 1)
TOLERANCE = {"rtol": 1e-9, "atol": 1e-9}


def supernet(backend: str = "torch", **sizes: Any) -> StagesSupernet:
    sizes = {"channels": 8, "layers": 3, **sizes}
    net = StagesSupernet(TOPOLOGY, SPACE.operations, backend=backend, **sizes).double()
    initialise(net, torch.Generator().manual_seed(5))
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def images(size: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    drawn = torch.randn(4, 3, size, size, generator=generator, dtype=torch.float64)
    return drawn.to(memory_format=torch.channels_last)


@pytest.mark.parametrize("backend", ["torch", "native"])
@pytest.mark.parametrize(
    ("k", "edges", "active", "drops"),
    [
        (1, False, None, False),
        (1, False, 1, False),
        (1, False, None, True),
        (2, True, None, False),
        (2, True, 3, True),
        (4, False, 2, False),
    ],
)
def test_it_computes_what_the_formulas_say(
    k: int,
    edges: bool,
    active: int | None,
    drops: bool,
    backend: str,
    generator: torch.Generator,
) -> None:
    net = supernet(backend, k=k)
    literal = LiteralStages(8, 3, SPACE.operations, k=k).double()
    with torch.no_grad():
        for view, ours, theirs in stage_pairs(net, literal):
            theirs.copy_(view(ours).view_as(theirs))
    drawn = torch.randn(6, 5, generator=generator, dtype=torch.float64)
    passing = torch.rand(6, generator=generator, dtype=torch.float64) if edges else None
    chosen = None
    if active is not None:
        orders = (torch.randperm(5, generator=generator)[:active] for _ in range(6))
        chosen = tuple(tuple(sorted(order.tolist())) for order in orders)
    keep = 2.0 * (torch.rand(6, 4, generator=generator) < 0.5).double() if drops else None
    outcomes, labels = [], torch.tensor([1, 2, 3, 4])
    for call in (0, 1):
        table = drawn.softmax(dim=1).detach().requires_grad_()
        weights = None if passing is None else passing.clone().requires_grad_()
        if call:
            logits = literal.train()(images(), table, weights, chosen, keep)
        else:
            tables = {"normal": EdgeWeights(table, weights, chosen, keep)}
            logits = net.train()(images(), tables)
        functional.cross_entropy(logits, labels).backward()
        assert table.grad is not None
        outcomes.append([logits, table.grad, *([] if weights is None else [weights.grad])])
    for ours, theirs in zip(*outcomes, strict=True):
        torch.testing.assert_close(ours, theirs, **TOLERANCE)
    for view, ours, theirs in stage_pairs(net, literal):
        expected = torch.zeros_like(theirs) if theirs.grad is None else theirs.grad
        found = torch.zeros_like(ours) if ours.grad is None else ours.grad
        torch.testing.assert_close(view(found).view_as(expected), expected, **TOLERANCE)
    table = drawn.softmax(dim=1)
    with torch.no_grad():
        evaluated = net.eval()(images(), {"normal": EdgeWeights(table, passing)})
        expected = literal.eval()(images(), table, passing)
    torch.testing.assert_close(evaluated, expected, **TOLERANCE)


def derived(genotype: Genotype, net: StagesSupernet) -> StagesNetwork:
    """The network of a genotype with the weights of a supernet."""
    network = StagesNetwork(
        genotype, num_classes=10, channels=8, layers=len(net.cells), stem="cifar"
    ).double()
    for name in ("stem", "reductions", "head", "classifier"):
        getattr(network, name).load_state_dict(getattr(net, name).state_dict())
    stacked = {
        (one.cell, one.name, e): (one, n)
        for one in stacked_operations(net.search_cells)
        for n, e in enumerate(one.edges)
    }
    with torch.no_grad():
        for index, cell in enumerate(network.cells):
            # The operations of a derived cell are in the order of alpha's rows.
            for row, (name, module) in enumerate(
                zip(operations_of(genotype), cell.operations, strict=True)
            ):
                if parameters := list(module.parameters()):
                    one, place = stacked[index, name, row]
                    weight = one.by_edge(one.parameters[0])[place]
                    parameters[0].copy_(weight.view_as(parameters[0]))
    return network


def one_hot(genotype: Genotype) -> dict[str, EdgeWeights]:
    columns = [SPACE.operations.index(name) for name in operations_of(genotype)]
    hot = functional.one_hot(torch.tensor(columns), 5).double()
    return {"normal": EdgeWeights(hot, None)}


@pytest.mark.parametrize("backend", ["torch", "native"])
def test_one_hot_weights_give_the_derived_network(backend: str, generator: torch.Generator) -> None:
    genotypes = [random_genotype(3, generator, "random", SPACE) for _ in range(6)]
    genotypes += [genotype_of([name] * 6) for name in SPACE.operations]
    for genotype in genotypes:
        net = supernet(backend, layers=6)
        network = derived(genotype, net)
        for train in (True, False):  # The first pass also updates the running statistics.
            with torch.no_grad():
                ours = net.train(train)(images(), one_hot(genotype))
                theirs, _ = network.train(train)(images())
            torch.testing.assert_close(ours, theirs, **TOLERANCE)


def test_a_cell_without_path_does_not_see_the_image() -> None:
    net = supernet().eval()
    genotype = genotype_of(["nor_conv_3x3", "none", "none", "none", "none", "nor_conv_3x3"])
    with torch.no_grad():
        logits = net(images(), one_hot(genotype))
    assert logits.std(dim=0).max() < 1e-12


@pytest.mark.parametrize(
    ("channels", "cells", "k", "parameters"),
    [
        (16, 5, 1, 1_686_106),
        (16, 3, 1, 1_040_986),
        (16, 1, 1, 395_866),
        (8, 5, 1, 421_938),
        (8, 1, 1, 99_378),
        (16, 5, 4, 174_106),
    ],
)
def test_sizes(channels: int, cells: int, k: int, parameters: int) -> None:
    with torch.device("meta"):
        net = StagesSupernet(
            TOPOLOGY, SPACE.operations, channels=channels, layers=3 * cells, k=k, backend="torch"
        )
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert StagesSize(channels=channels, cells=cells).supernet_parameters(k) == parameters
