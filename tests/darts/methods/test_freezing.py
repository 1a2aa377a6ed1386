"""OLES: similarities, decisions, and weights that stay as they are."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cells.stacked import StackedOperation, stacked_operations
from cells.topology import Topology
from darts.methods.architecture import Architecture
from darts.methods.freezing import Freezer, OperationFreezing, column_similarity, flat_similarity
from darts.methods.gradient import Bilevel, FirstOrder, LabelledBatch
from darts.methods.relaxation import Softmax
from darts.searching.steps import ArchitectureStep, BilevelIteration, WeightStep, WeightTerms
from darts.searching.supernet import Supernet
from genotypes.search_space import SearchSpace
from ops.initialise import initialise
from tests.darts.methods.vectors import golden

SPACE = SearchSpace(
    name="freezing", operations=("none", "skip_connect", "dil_conv_3x3", "sep_conv_3x3")
)


def test_similarities(shared: Path) -> None:
    given, expected = golden(shared, "oles_similarity")
    train, val = given["g_train"].unsqueeze(0), given["g_val"].unsqueeze(0)
    assert column_similarity(val, train).item() == pytest.approx(expected["code"], rel=1e-9)
    assert flat_similarity(val, train).item() == pytest.approx(expected["paper"], rel=1e-9)
    # What the code really compared: the validation gradient with the old one still in it.
    biased = column_similarity(train + val, train).item()
    assert biased == pytest.approx(expected["code_as_run"], rel=1e-9)
    # Two edges in one tensor are two comparisons.
    both = column_similarity(torch.cat([val, train]), torch.cat([train, train]))
    torch.testing.assert_close(both, torch.tensor([expected["code"], 1.0]).double())


def test_the_decision(shared: Path) -> None:
    given, expected = golden(shared, "oles_freeze")
    rule = OperationFreezing(given["threshold"], given["count"])
    weight = nn.Parameter(torch.zeros(2, 2))
    freezer = rule.start([StackedOperation(0, "sep_conv_3x3", 0, (0, 1), (weight,))])
    for index, similarity in enumerate(given["similarities"]):
        freezer.count(torch.stack([similarity, torch.ones_like(similarity)]))
        assert freezer.frozen == [(index >= expected["frozen_at"], False)]
    assert freezer.share == 0.5


def test_factorised_reductions_are_never_frozen() -> None:
    weight = nn.Parameter(torch.zeros(2, 2))
    skip = StackedOperation(0, "skip_connect", 1, (0, 1), (weight,))
    freezer = OperationFreezing().start([skip])
    assert freezer.operations == ()
    assert freezer.share == 0.0
    assert freezer.frozen_edges(skip) == (False, False)


def search(rule: OperationFreezing) -> tuple[BilevelIteration, Freezer, Bilevel]:
    generator = torch.Generator().manual_seed(1)
    topology = Topology(2)
    architecture = Architecture(
        topology, space=SPACE, relaxation=Softmax(False), generator=generator
    ).double()
    net = Supernet(topology, SPACE.operations, channels=4, layers=3, k=1, backend="torch").double()
    initialise(net, generator)
    sgd = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=3e-3)
    adam = torch.optim.Adam(architecture.parameters(), lr=0.01)
    problem = Bilevel(net, architecture, sgd, nn.functional.cross_entropy, cells=net.kinds)
    operations = stacked_operations(list(net.cells))
    freezer = rule.start(operations)
    iteration = BilevelIteration(
        ArchitectureStep(problem, adam, freezer),
        WeightStep(problem, 5.0, operations=operations, terms=WeightTerms(freezer=freezer)),
    )
    return iteration, freezer, problem


def batch(seed: int) -> LabelledBatch:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(4, 3, 8, 8, generator=generator, dtype=torch.float64)
    return LabelledBatch(images, torch.randint(10, (4,), generator=generator))


def weights_of(freezer: Freezer) -> list[tuple[bool, Tensor]]:
    """For each operation on each edge: whether it is frozen, and its weights."""
    return [
        (frozen, row.detach().clone())
        for operation, flags in zip(freezer.operations, freezer.frozen, strict=True)
        for parameter in operation.parameters
        for frozen, row in zip(flags, operation.by_edge(parameter), strict=True)
    ]


def test_frozen_weights_do_not_move_and_alpha_does() -> None:
    iteration, freezer, problem = search(OperationFreezing(threshold=0.1, window=2))
    for step in range(4):
        iteration(batch(step), batch(100 + step))
    assert 0 < freezer.share < 1
    before = weights_of(freezer)
    alphas = problem.architecture.alpha["normal"].detach().clone()
    iteration(batch(50), batch(51))
    for (frozen, old), (_, new) in zip(before, weights_of(freezer), strict=True):
        assert old.equal(new) == frozen
    assert (problem.architecture.alpha["normal"] != alphas).all()


def test_the_gradient_of_alpha_is_that_of_the_first_order() -> None:
    _, freezer, problem = search(OperationFreezing())
    ours, gradient = freezer(problem, batch(0), batch(1))
    theirs, expected = FirstOrder()(problem, batch(0), batch(1))
    assert ours.loss.equal(theirs.loss)
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-14)


def test_the_compared_gradients_are_those_of_two_batches() -> None:
    """The training gradient after clipping, and the clean gradient of the validation loss."""
    iteration, freezer, problem = search(OperationFreezing())
    iteration.weight_step(batch(0))
    expected = []
    for operation in freezer.operations:
        kept = [parameter.grad for parameter in operation.parameters]
        loss = problem.criterion(
            problem.supernet(batch(1).images, problem.architecture.fixed_tables()), batch(1).labels
        )
        found = torch.autograd.grad(loss, operation.parameters)
        rows = [
            column_similarity(operation.by_edge(one), operation.by_edge(two))
            for one, two in zip(found, kept, strict=True)
        ]
        expected.append(torch.stack(rows).mean(0))
    freezer(problem, batch(1), batch(0))
    torch.testing.assert_close(freezer.state_dict()["sums"], torch.cat(expected).double())


def test_a_continued_search_is_the_same_to_the_bit() -> None:
    rule = OperationFreezing(threshold=0.1, window=2)
    first, freezer, problem = search(rule)
    for step in range(4):
        first(batch(step), batch(100 + step))
    second, other, twin = search(rule)
    pairs = [
        (twin.supernet, problem.supernet),
        (twin.architecture, problem.architecture),
        (twin.weight_optimiser, problem.weight_optimiser),
        (second.architecture_step.optimiser, first.architecture_step.optimiser),
        (other, freezer),
    ]
    for new, old in pairs:
        new.load_state_dict(copy.deepcopy(old.state_dict()))
    for step in range(4, 7):
        for iteration in (first, second):
            iteration(batch(step), batch(100 + step))
    assert freezer.frozen == other.frozen
    for ours, theirs in zip(problem.supernet.parameters(), twin.supernet.parameters(), strict=True):
        assert ours.equal(theirs)
