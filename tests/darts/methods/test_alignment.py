"""Lambda: its value, its gradient, and what computing them leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cells.topology import EdgeWeights, Topology
from darts.methods.alignment import (
    LambdaAlignment,
    alignment,
    alignment_slopes,
    copied_tables,
    mean_cosine,
)
from darts.methods.architecture import Architecture
from darts.methods.gradient import Bilevel, LabelledBatch
from darts.methods.relaxation import Progress, Softmax
from darts.searching.steps import WeightStep, WeightTerms, backward
from genotypes.search_space import SearchSpace
from ops.initialise import initialise
from tests.darts.methods.vectors import golden

CLOSE = {"rtol": 1e-9, "atol": 1e-13}
KINDS = ("normal", "reduce", "normal", "normal")
SPACE = SearchSpace(name="three", operations=("a", "b", "c"), zero=None)


class Stack(nn.Module):
    """A smooth network of four cells; the operations of an edge are linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(4 * 3))
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x: Tensor, tables: object) -> Tensor:
        if isinstance(tables, dict):
            tables = [tables[kind] for kind in KINDS]
        for index, table in enumerate(tables):  # type: ignore[arg-type, var-annotated]
            weights = table.strengths().sum(0)
            layers = self.layers[3 * index : 3 * index + 3]
            x = sum(w * torch.tanh(f(x)) for w, f in zip(weights, layers, strict=True))
        return self.norm(x)


def made(progress: Progress = Progress(1, 2)) -> tuple[Bilevel, LabelledBatch]:  # noqa: B008
    generator = torch.Generator().manual_seed(0)
    architecture = Architecture(
        Topology(1), space=SPACE, relaxation=Softmax(False), generator=generator, initial=(0, 1.0)
    ).double()
    architecture.progress = progress
    net = Stack().double()
    initialise(net, generator)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    problem = Bilevel(net, architecture, optimiser, nn.functional.cross_entropy, cells=KINDS)
    images = torch.randn(8, 4, generator=generator, dtype=torch.float64)
    return problem, LabelledBatch(images, torch.randint(4, (8,), generator=generator))


def exact(problem: Bilevel, batch: LabelledBatch) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Lambda and its gradient by differentiating twice."""
    cells = copied_tables(problem.architecture.fixed_tables(), KINDS)
    loss = problem.criterion(problem.supernet(batch.images, cells), batch.labels)
    leaves = [one.operations for one, kind in zip(cells, KINDS, strict=True) if kind == "normal"]
    gradients = torch.autograd.grad(loss, leaves, create_graph=True)
    value = mean_cosine(torch.stack([one.flatten() for one in gradients]))
    weights = list(problem.supernet.parameters())
    return value, torch.autograd.grad(value, weights, materialize_grads=True)


def test_value_and_slopes(shared: Path) -> None:
    given, expected = golden(shared, "lambda_darts")
    gradients = given["G"].flatten(1).requires_grad_()
    value = mean_cosine(gradients)
    assert value.item() == pytest.approx(expected["correlation"], rel=1e-9)
    slopes = alignment_slopes(gradients.detach())
    torch.testing.assert_close(slopes, expected["delta"].flatten(1), **CLOSE)
    torch.testing.assert_close(torch.autograd.grad(value, gradients)[0], slopes, **CLOSE)
    epsilon = given["epsilon0"] / slopes.norm()
    assert epsilon.item() == pytest.approx(expected["epsilon"], rel=1e-9)


def test_the_strength_grows_with_the_epoch(shared: Path) -> None:
    given, expected = golden(shared, "lambda_schedule")
    for epoch, value in zip(given["epoch"], expected["lam"], strict=True):
        progress = Progress(int(epoch), given["epochs"])
        assert progress.between(0.0, given["lambda_max"]) == pytest.approx(value.item())


def test_no_gradients_and_a_single_cell_are_finite() -> None:
    assert mean_cosine(torch.ones(1, 3)).item() == 0.0
    torch.testing.assert_close(alignment_slopes(torch.ones(1, 3)), torch.zeros(1, 3))
    rows = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    assert mean_cosine(rows).item() == pytest.approx(0.0)
    assert alignment_slopes(rows).isfinite().all()


def test_the_added_gradient_is_that_of_the_mean_cosine() -> None:
    problem, batch = made()
    _, expected = exact(problem, batch)
    cells = copied_tables(problem.architecture.fixed_tables(), KINDS)
    backward(problem, cells, batch)
    plain = [weight.grad.clone() for weight in problem.supernet.parameters()]  # type: ignore[union-attr]
    statistics = problem.supernet.norm.running_mean.clone()  # type: ignore[union-attr]
    LambdaAlignment(strength=0.5)(problem, cells, batch)
    added = [
        weight.grad - before  # type: ignore[operator]
        for weight, before in zip(problem.supernet.parameters(), plain, strict=True)
    ]
    size = torch.cat([one.flatten() for one in expected]).norm()
    for ours, theirs in zip(added, expected, strict=True):
        torch.testing.assert_close(ours, -0.5 * theirs, rtol=0, atol=1e-6 * size.item())
    assert problem.supernet.norm.running_mean.equal(statistics)  # type: ignore[union-attr]


def test_a_batch_in_parts_gives_the_same_gradient() -> None:
    found = []
    for parts in (1, 2):
        problem, batch = made()
        problem.supernet.eval()  # With batch statistics, each part is normalised on its own.
        problem = Bilevel(
            problem.supernet,
            problem.architecture,
            problem.weight_optimiser,
            problem.criterion,
            parts=parts,
            cells=KINDS,
        )
        WeightStep(problem, terms=WeightTerms(regularisers=(LambdaAlignment(),)))(batch)
        found.append([weight.detach() for weight in problem.supernet.parameters()])
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-10)


def test_steps_raise_lambda() -> None:
    problem, batch = made()
    before = alignment(problem, batch)
    step = WeightStep(problem, terms=WeightTerms(regularisers=(LambdaAlignment(strength=20.0),)))
    for _ in range(20):
        step(batch)
    plain, _ = made()
    alone = WeightStep(plain)
    for _ in range(20):
        alone(batch)
    assert alignment(problem, batch) > alignment(plain, batch) + 0.1
    assert alignment(problem, batch) > before


def test_in_the_first_epoch_the_step_is_the_plain_one() -> None:
    problem, batch = made(Progress(0, 2))
    plain, _ = made(Progress(0, 2))
    WeightStep(problem, 5.0, terms=WeightTerms(regularisers=(LambdaAlignment(),)))(batch)
    WeightStep(plain, 5.0)(batch)
    for ours, theirs in zip(
        problem.supernet.parameters(), plain.supernet.parameters(), strict=True
    ):
        torch.testing.assert_close(ours, theirs, **CLOSE)


def test_the_diagnostic_changes_nothing() -> None:
    problem, batch = made()
    expected, _ = exact(problem, batch)
    problem.supernet.eval()
    before = {name: value.clone() for name, value in problem.supernet.state_dict().items()}
    alphas = {name: value.clone() for name, value in problem.architecture.state_dict().items()}
    value = alignment(problem, batch)
    torch.testing.assert_close(value, expected.detach(), **CLOSE)
    assert all(value.equal(before[name]) for name, value in problem.supernet.state_dict().items())
    now = problem.architecture.state_dict()
    assert all(value.equal(alphas[name]) for name, value in now.items())
    assert not problem.supernet.training
    assert all(p.requires_grad and p.grad is None for p in problem.supernet.parameters())


def test_an_auxiliary_skip_is_left_out() -> None:
    """Lambda compares what cells want of the candidates, not of a further column."""
    problem, batch = made()
    expected = alignment(problem, batch)
    problem.architecture.auxiliary = lambda progress: 0.0

    class Ignoring(nn.Module):
        def __init__(self, net: nn.Module) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: Tensor, tables: list[EdgeWeights]) -> Tensor:
            cut = [one._replace(operations=one.operations[:, :3]) for one in tables]
            scale = sum(one.operations[:, 3].sum() for one in tables)
            return self.net(x, cut) * (1 + scale)

    longer = Bilevel(
        Ignoring(problem.supernet),
        problem.architecture,
        problem.weight_optimiser,
        problem.criterion,
        cells=KINDS,
    )
    torch.testing.assert_close(alignment(longer, batch), expected, **CLOSE)
