"""Perturbations of the weight step: golden vectors, invariants, and what they leave alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cells.topology import EdgeWeights
from darts.methods import perturbation
from darts.methods.gradient import Bilevel, LabelledBatch
from darts.methods.perturbation import (
    AdversarialPerturbation,
    Perturbation,
    RandomPerturbation,
    clip_rows,
)
from darts.methods.relaxation import Progress
from tests.darts.methods.vectors import golden

CLOSE = {"rtol": 1e-9, "atol": 1e-13}


class Quadratic(nn.Module):
    """L(P) = sum of C·P + D·P²/2, as the vectors have it."""

    def __init__(self, c: Tensor, d: Tensor) -> None:
        super().__init__()
        self.c, self.d = nn.Parameter(c), nn.Parameter(d)
        self.modes: list[bool] = []

    def forward(self, images: Tensor, tables: dict[str, EdgeWeights]) -> Tensor:
        self.modes.append(self.training)
        p = tables["normal"].operations[:, : self.c.shape[1]]
        return (self.c * p + 0.5 * self.d * p * p).sum()


def problem_of(net: nn.Module, operations: int) -> Bilevel:
    architecture: Any = SimpleNamespace(operations=("operation",) * operations)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    return Bilevel(net, architecture, optimiser, lambda loss, labels: loss)


def given_noise(monkeypatch: pytest.MonkeyPatch, noise: Tensor, size: float) -> None:
    uniform = (noise / size + 1) / 2
    monkeypatch.setattr(perturbation.torch, "rand", lambda *shape, **kind: uniform)


BATCH = LabelledBatch(torch.zeros(2, 1), torch.zeros(2))


def test_random_noise(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, expected = golden(shared, "sdarts_random")
    tables = {"normal": EdgeWeights(expected["softmax"], None)}
    problem = problem_of(nn.Linear(1, 1), 5)
    given_noise(monkeypatch, given["noise"], 0.3)
    part = RandomPerturbation(epsilon=0.3)
    found = part(problem, tables, BATCH, Progress(), torch.Generator())
    torch.testing.assert_close(found["normal"].operations, expected["weights"], **CLOSE)


def test_an_attack(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, expected = golden(shared, "sdarts_adversarial")
    net = Quadratic(given["C"], given["D"])
    tables = {"normal": EdgeWeights(expected["softmax"], None)}
    size = given["epsilon"]
    given_noise(monkeypatch, given["noise"], size)
    part = AdversarialPerturbation(epsilon=size, final_epsilon=size, steps=given["steps"])
    found = part(problem_of(net, 5), tables, BATCH, Progress(), torch.Generator())
    torch.testing.assert_close(found["normal"].operations, expected["perturbed"], **CLOSE)
    before, after = net(BATCH.images, tables), net(BATCH.images, found)
    assert before.item() == pytest.approx(expected["loss_before"], rel=1e-9)
    assert after.item() == pytest.approx(expected["loss_after"], rel=1e-9)
    assert net.modes[:-2] == [False] * 9  # Two losses and seven gradients, in evaluation mode.
    assert net.training
    assert net.c.grad is None
    assert net.c.requires_grad


def test_the_size_grows_with_the_epoch(shared: Path) -> None:
    given, expected = golden(shared, "sdarts_epsilon_schedule")
    found = [RandomPerturbation().at(Progress(int(e), given["epochs"])) for e in given["epoch"]]
    assert found == pytest.approx(expected["epsilon"].tolist(), rel=1e-12)


def test_an_attack_that_fails_changes_nothing() -> None:
    """The loss is a maximum at the unperturbed weights."""
    origin = torch.tensor([[0.5, 0.3, 0.2]], dtype=torch.float64)

    class Peak(nn.Module):
        def forward(self, images: Tensor, tables: dict[str, EdgeWeights]) -> Tensor:
            return -(tables["normal"].operations - origin).square().sum()

    made: Any = SimpleNamespace(operations=("a", "b", "c"))
    problem = Bilevel(Peak(), made, None, lambda loss, labels: loss)  # type: ignore[arg-type]
    tables = {"normal": EdgeWeights(origin, None)}
    found = AdversarialPerturbation()(problem, tables, BATCH, Progress(), torch.Generator())
    assert found["normal"].operations.equal(origin)


@pytest.mark.parametrize("part", [RandomPerturbation(0.3), AdversarialPerturbation(0.3)], ids=str)
def test_rows_remain_distributions_over_the_candidates(part: Perturbation) -> None:
    """Also where a candidate does not exist, a row is decided, or a skip connection is added."""
    generator = torch.Generator().manual_seed(2)
    weights = torch.rand(6, 4, generator=generator, dtype=torch.float64)
    weights[0, 2] = 0.0
    weights[1] = torch.tensor([0.0, 1.0, 0.0, 0.0])
    weights /= weights.sum(1, keepdim=True)
    auxiliary = torch.full((6, 1), 0.7, dtype=torch.float64)
    tables = {
        "normal": EdgeWeights(torch.cat([weights, auxiliary], 1), torch.rand(6).double()),
        "reduce": EdgeWeights(torch.cat([weights.flip(1), auxiliary], 1), None),
    }
    net = Quadratic(*torch.randn(2, 6, 4, generator=generator, dtype=torch.float64))
    found = part(problem_of(net, 4), tables, BATCH, Progress(), generator)
    for kind, table in tables.items():
        changed = found[kind].operations
        torch.testing.assert_close(changed[:, :4].sum(1), torch.ones(6, dtype=torch.float64))
        assert ((changed[:, :4] == 0) | (table.operations[:, :4] != 0)).all()
        assert changed[:, 4:].equal(auxiliary)
        assert found[kind].edges is table.edges
        decided = (table.operations[:, :4] == 1).any(1)
        assert changed[decided].equal(table.operations[decided])
        assert not changed[~decided].equal(table.operations[~decided])


def test_clipping_restores_the_largest_weight_of_an_empty_row() -> None:
    weights = torch.tensor([[-0.3, -0.1, -0.2], [-0.3, -0.1, -0.2]])
    present = torch.tensor([[True, True, True], [True, False, True]])
    assert clip_rows(weights, present).tolist() == [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
