"""Cells inside a supernet, against literal networks of the cell with the same weights."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from cells.topology import EdgeWeights, Topology
from darts.errors import UserError
from darts.methods.children import Cells, child_tables, random_cells
from darts.searching.norm_statistics import Reestimated
from darts.searching.protocols import OneShotProtocol
from darts.searching.scoring import SupernetScore
from darts.searching.search_network import SearchNetwork
from darts.searching.stages_supernet import StagesSupernet
from darts.searching.subnetworks import SubnetworkScore, cells_of
from darts.searching.supernet import Supernet
from genotypes import SPACES, SearchSpace, load_genotype
from genotypes.nasbench201 import genotype_of
from genotypes.search_space import DARTS
from ops.initialise import initialise
from tests.reference.correspondence import copy_weights, stage_pairs
from tests.reference.stages import LiteralStages
from tests.reference.supernet import ReferenceSupernet

NB201 = SPACES["nasbench201"]
TOPOLOGIES = {"darts": Topology(2), "nasbench201": Topology(3, 1)}
PROTOCOLS = (
    OneShotProtocol(name="batch"),
    OneShotProtocol(name="reestimated"),
    OneShotProtocol(name="running"),
    OneShotProtocol(name="one-batch"),
    OneShotProtocol(name="one-batch", successive=True),
)
BACKENDS = ("torch", "native")
LIKE = torch.zeros((), dtype=torch.float64)


class Drawn:
    """Batches of random images."""

    def __init__(self, seed: int, sizes: tuple[int, ...], first: int = 0) -> None:
        self.seed, self.sizes, self.first = seed, sizes, first

    def __len__(self) -> int:
        return len(self.sizes)

    def __call__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for number, size in enumerate(self.sizes, self.first):
            generator = torch.Generator().manual_seed(10 * self.seed + number)
            images = torch.randn(size, 3, 8, 8, generator=generator, dtype=torch.float64)
            yield images, torch.randint(10, (size,), generator=generator)

    def only(self, number: int) -> Drawn:
        return Drawn(self.seed, self.sizes[number : number + 1], self.first + number)


VALIDATION, TRAINING = Drawn(1, (8, 8, 5)), Drawn(2, (8, 8, 8, 8))


def literal_of(space: SearchSpace, k: int) -> nn.Module:
    if space.stack == "stages":
        return LiteralStages(4, 3, space.operations, k=k).double()
    return ReferenceSupernet(4, layers=3, nodes=2, k=k).double()


def forward_of(literal: nn.Module, tables: Mapping[str, EdgeWeights]) -> Callable[..., Tensor]:
    """Images -> logits of a literal network that computes the active operations alone."""
    plain = {kind: (one.operations, one.edges, one.active) for kind, one in tables.items()}
    if isinstance(literal, LiteralStages):
        return lambda images: literal(images, *plain["normal"])
    return lambda images: literal(images, plain)


def uniform(space: SearchSpace) -> dict[str, EdgeWeights]:
    shape = len(TOPOLOGIES[space.name].edges), len(space.operations)
    table = torch.full(shape, 1 / shape[1], dtype=torch.float64)
    return {kind: EdgeWeights(table, None) for kind in space.kinds}


@torch.no_grad()
def trained_pair(space: SearchSpace, k: int, backend: str) -> tuple[SearchNetwork, nn.Module]:
    """A supernet and its literal form with equal weights and running statistics."""
    literal, sizes = literal_of(space, k), {"channels": 4, "layers": 3, "k": k, "backend": backend}
    initialise(literal, torch.Generator().manual_seed(4))
    topology, operations = TOPOLOGIES[space.name], space.operations
    net: Any
    if isinstance(literal, LiteralStages):
        net = StagesSupernet(topology, operations, **sizes).double()
        for view, ours, theirs in stage_pairs(net, literal):
            view(ours).copy_(theirs.view_as(view(ours)))
    else:
        net = Supernet(topology, operations, **sizes).double()
    net.to(memory_format=torch.channels_last)
    for images, _ in Drawn(3, (8, 8))():
        forward_of(literal.train(), uniform(space))(images)
        if isinstance(literal, LiteralStages):
            net.train()(images, uniform(space))
    if isinstance(literal, ReferenceSupernet):
        copy_weights(literal, net)
    return net, literal


@torch.no_grad()
def literal_score(
    literal: nn.Module, tables: Mapping[str, EdgeWeights], protocol: OneShotProtocol, number: int
) -> tuple[float, float]:
    """Mean loss and accuracy (%), as the protocols say."""
    literal = copy.deepcopy(literal)
    forward = forward_of(literal, tables)
    if protocol.name == "reestimated":
        for norm in literal.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.reset_running_stats()
                norm.momentum = None  # Cumulative average.
        literal.train()
        for images, _ in TRAINING():
            forward(images)
    literal.train(protocol.name in ("batch", "one-batch"))
    batches = list(VALIDATION())
    if protocol.name == "one-batch":
        batches = [batches[number % 3 if protocol.successive else 0]]
    logits = torch.cat([forward(images) for images, _ in batches])
    labels = torch.cat([labels for _, labels in batches])
    right = (logits.argmax(1) == labels).double().mean().item()
    return cross_entropy(logits, labels).item(), 100 * right


def score_of(net: SearchNetwork, space: SearchSpace, protocol: OneShotProtocol) -> SubnetworkScore:
    topology = TOPOLOGIES[space.name]
    like = torch.zeros(len(topology.edges), len(space.operations), dtype=torch.float64)
    return SubnetworkScore(net, topology, space, VALIDATION, TRAINING, protocol, like=like)


def some_cells(space: SearchSpace) -> list[Cells]:
    generator = torch.Generator().manual_seed(6)
    cells = [random_cells(TOPOLOGIES[space.name], space, generator) for _ in range(2)]
    if space.stack == "stages":  # A cell without a path.
        ends = ["nor_conv_3x3", "none", "none", "none", "none", "skip_connect"]
        cells[1] = cells_of(genotype_of(ends))
    return cells


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("space", "k"), [(DARTS, 1), (DARTS, 2), (NB201, 1), (NB201, 2)])
def test_every_protocol_equals_its_literal_form(space: SearchSpace, k: int, backend: str) -> None:
    net, literal = trained_pair(space, k, backend)
    before = copy.deepcopy(net.state_dict())
    net.eval()
    seen = set()
    for protocol in PROTOCOLS:
        score = score_of(net, space, protocol)
        for number, cells in enumerate(some_cells(space), 1):
            tables = child_tables(cells, TOPOLOGIES[space.name], space, like=LIKE)
            loss, accuracy = literal_score(literal, tables, protocol, number)
            found = score(cells, number)
            assert found.loss == pytest.approx(loss, rel=1e-9, abs=1e-9)
            assert found.accuracy == pytest.approx(accuracy, abs=1e-9)
            seen.add(round(loss, 6))
            assert not net.training
            for name, value in net.state_dict().items():
                assert value.equal(before[name]), name
    assert len(seen) >= 4 * 2  # The protocols and the cells differ.


def test_statistics_are_the_mean_over_batches_and_momentum_is_restored() -> None:
    net, _ = trained_pair(DARTS, 1, "torch")
    norm = next(one for one in net.modules() if isinstance(one, nn.BatchNorm2d))
    means, variances = [], []

    def watched(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        values = inputs[0].transpose(0, 1).flatten(1)
        means.append(values.mean(1))
        variances.append(values.var(1))

    handle = norm.register_forward_pre_hook(watched)
    Reestimated(Drawn(2, (4, 6, 4))).prepare(net, uniform(DARTS), nullcontext)
    handle.remove()
    assert len(means) == 3
    assert norm.momentum == 0.1
    assert not net.training
    torch.testing.assert_close(norm.running_mean, torch.stack(means).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack(variances).mean(0))


def test_cells_are_compared_with_statistics_of_their_own() -> None:
    net, _ = trained_pair(DARTS, 1, "torch")
    score = SupernetScore(net, VALIDATION, nullcontext, Reestimated(TRAINING))
    tables = [child_tables(cells, Topology(2), DARTS, like=LIKE) for cells in some_cells(DARTS)]
    together = score.compare(tables)
    assert together == [score.compare([one])[0] for one in tables]
    assert len(set(together)) == 2


def test_statistics_are_restored_after_an_error() -> None:
    net, _ = trained_pair(DARTS, 1, "torch")
    before = copy.deepcopy(net.state_dict())

    def broken() -> Iterator[tuple[Tensor, Tensor]]:
        yield from TRAINING()
        raise OSError("unreadable image")

    score = SupernetScore(net, VALIDATION, nullcontext, Reestimated(broken))
    with pytest.raises(OSError, match="unreadable"):
        score(uniform(DARTS))
    for name, value in net.state_dict().items():
        assert value.equal(before[name]), name
    assert {one.momentum for one in net.modules() if isinstance(one, nn.BatchNorm2d)} == {0.1}


def test_cells_that_the_supernet_cannot_compute() -> None:
    net, _ = trained_pair(DARTS, 1, "torch")
    score = score_of(net, DARTS, OneShotProtocol())
    with pytest.raises(UserError, match="another search space"):
        score(cells_of(genotype_of(["none"] * 6)))
    with pytest.raises(UserError, match="4 inner nodes, and those of the supernet have 2"):
        score(cells_of(load_genotype("darts_v2")))
    edge = ("normal", 0, 2)
    score.space = replace(DARTS, restricted={edge: ("none", "skip_connect")})
    cells = next(
        one
        for one in (
            random_cells(Topology(2), DARTS, torch.Generator().manual_seed(s)) for s in range(9)
        )
        if one["normal"][0][0] != ("skip_connect", 0)
    )
    with pytest.raises(UserError, match="on the edge from state 0 to state 2 of the normal cell"):
        score(cells)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "best"}, "--protocol best: choose one of batch, reestimated"),
        ({"images": -1}, "--images -1"),
        ({"statistics_images": 0}, "--statistics-images 0"),
        ({"successive": True}, "only the protocol one-batch"),
    ],
)
def test_wrong_protocols(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        OneShotProtocol(**settings)
