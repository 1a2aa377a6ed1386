"""Accuracies of a supernet with weights of someone's choice."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from cells.topology import EdgeWeights, Topology
from darts.methods.architecture import Architecture
from darts.methods.children import child_tables, random_cells
from darts.methods.projection import Projection
from darts.methods.relaxation import Softmax
from darts.searching.scoring import Gap, SupernetScore, discretisation_gap
from darts.searching.supernet import Supernet
from genotypes.search_space import DARTS
from ops.initialise import initialise

TOPOLOGY = Topology(2)
DOUBLE = torch.float64


def made(backend: str, k: int = 1) -> tuple[Supernet, Architecture]:
    generator = torch.Generator().manual_seed(2)
    net = Supernet(
        TOPOLOGY, DARTS.operations, channels=4, layers=3, k=k, num_classes=4, backend=backend
    ).double()
    initialise(net, generator)
    return net, Architecture(TOPOLOGY, generator=generator).double()


def batches(number: int = 3) -> Iterator[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    for size in [8] * (number - 1) + [5]:
        images = torch.randn(size, 3, 8, 8, generator=generator, dtype=DOUBLE)
        yield images, torch.randint(4, (size,), generator=generator)


def score_of(net: Supernet) -> SupernetScore:
    return SupernetScore(net, batches, nullcontext)


@pytest.mark.parametrize("backend", ["torch", "native"])
def test_it_is_the_accuracy_with_batch_statistics(backend: str) -> None:
    net, architecture = made(backend)
    tables = architecture.evaluated_tables()
    net.eval()
    before = copy.deepcopy(net.state_dict())
    found = score_of(net)(tables), score_of(net)(tables, 1)
    assert not net.training
    for name, value in net.state_dict().items():
        assert value.equal(before[name]), name
    net.train()
    with torch.no_grad():
        right = [(net(x, tables).argmax(1) == y).sum().item() for x, y in batches()]
    assert found == (100 * sum(right) / 21, 100 * right[0] / 8)


@pytest.mark.parametrize("k", [1, 2])
def test_back_ends_agree_on_children(k: int) -> None:
    cells = random_cells(TOPOLOGY, DARTS, torch.Generator().manual_seed(3))
    tables = child_tables(cells, TOPOLOGY, DARTS, like=torch.zeros((), dtype=DOUBLE))
    scores = [score_of(made(backend, k)[0])(tables) for backend in ("torch", "native")]
    assert scores[0] == scores[1]


def test_a_child_computes_only_its_own_operations() -> None:
    """Weights of other operations do not matter, also if they are not finite."""
    net, _ = made("torch")
    cells = random_cells(TOPOLOGY, DARTS, torch.Generator().manual_seed(3))
    tables = child_tables(cells, TOPOLOGY, DARTS, like=torch.zeros((), dtype=DOUBLE))
    dense = {
        kind: EdgeWeights(weights.operations, weights.edges) for kind, weights in tables.items()
    }
    images, _ = next(batches())
    with torch.no_grad():
        torch.testing.assert_close(net(images, tables), net(images, dense), rtol=1e-9, atol=1e-9)


def gap_of(net: Supernet, architecture: Architecture, batches: int = 0) -> Gap:
    return discretisation_gap(architecture, architecture.derive("x"), score_of(net), batches)


def test_the_gap_of_a_supernet_that_is_its_own_cell_is_0() -> None:
    net, architecture = made("native")
    gap = gap_of(net, architecture, batches=2)
    assert gap.value == gap.supernet.accuracy - gap.derived.accuracy
    assert gap.supernet.loss != pytest.approx(gap.derived.loss)
    projector = Projection().start(TOPOLOGY, DARTS)
    projector.finish(architecture.mean_tables(), score_of(net), torch.Generator().manual_seed(0))
    architecture.selection = projector
    for kind in architecture.kinds:
        operations, _ = projector.fixed(kind)
        # All edges are decided; beta still weights them.
        assert not operations.isnan().any()
        architecture.fix(kind, operations, (operations.sum(1) > 0).double())
    gap = gap_of(net, architecture)
    assert gap.value == 0
    assert gap.supernet.loss == pytest.approx(gap.derived.loss, rel=1e-9)


@pytest.mark.parametrize("edge_normalisation", [False, True])
def test_the_derived_cell_is_the_discrete_network_with_inherited_weights(
    edge_normalisation: bool,
) -> None:
    """The tables have the value 1 for what the genotype keeps, also where beta exists."""
    generator = torch.Generator().manual_seed(4)
    architecture = Architecture(
        TOPOLOGY, relaxation=Softmax(edge_normalisation), generator=generator
    ).double()
    cells = {kind: architecture.derive("x").cell(kind)[0] for kind in architecture.kinds}
    like = torch.zeros((), dtype=DOUBLE)
    for kind, table in child_tables(cells, TOPOLOGY, DARTS, like=like).items():
        kept = {(target, source): name for target, node in enumerate(cells[kind], start=2)
                for name, source in node}  # fmt: skip
        assert table.edges is not None
        for edge in TOPOLOGY.edges:
            name = kept.get((edge.target, edge.source))
            assert table.edges[edge.index] == (name is not None)
            row = [float(name == one) for one in DARTS.operations]
            assert table.operations[edge.index].tolist() == row


def test_scores_are_compared_on_the_same_batches() -> None:
    net, architecture = made("torch")
    tables = architecture.evaluated_tables()
    reads = []

    def counted() -> Iterator[tuple[Tensor, Tensor]]:
        for batch in batches():
            reads.append(len(batch[1]))
            yield batch

    one, other = SupernetScore(net, counted, nullcontext).compare([tables, tables], 2)
    assert one == other
    assert reads[:2] == [8, 8]
    assert len(reads) <= 3
    net.train()
    with torch.no_grad():
        losses = [cross_entropy(net(x, tables), y, reduction="sum") for x, y in batches()]
    assert one.loss == pytest.approx((losses[0] + losses[1]).item() / 16, rel=1e-12)


def test_nothing_is_dropped_while_it_is_measured() -> None:
    net, architecture = made("torch")
    tables = architecture.evaluated_tables()
    plain = score_of(net).compare([tables])
    net.generator = torch.Generator().manual_seed(3)
    net.drop_path = 0.5
    net.drop_skips(0.5)
    state = net.generator.get_state()
    assert score_of(net).compare([tables]) == plain
    assert (net.drop_path, net.skip_dropout) == (0.5, 0.5)
    assert net.generator.get_state().equal(state)
