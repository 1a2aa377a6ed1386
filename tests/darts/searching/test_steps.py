"""The steps of an iteration: which parameters they change."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from cells.topology import Topology
from darts.methods.architecture import Architecture
from darts.methods.gradient import Bilevel, FirstOrder, Gradient, LabelledBatch
from darts.methods.unrolled import Unrolled
from darts.searching.steps import ArchitectureStep, WeightStep
from darts.searching.supernet import Supernet
from genotypes import SPACES
from ops.initialise import initialise
from tests.darts.methods.quadratic import (
    DECAY,
    DOUBLE,
    MOMENTUM,
    RATE,
    TRAINING,
    VALIDATION,
    VELOCITY,
    A,
    W,
    problem,
)


def supernet_problem() -> tuple[Supernet, Architecture, LabelledBatch, LabelledBatch]:
    generator = torch.Generator().manual_seed(1)
    architecture = Architecture(Topology(3), generator=generator).double()
    supernet = Supernet(Topology(3), SPACES["darts"].operations, channels=8, layers=3, k=2).double()
    initialise(supernet, generator)

    def batch() -> LabelledBatch:
        images = torch.randn(4, 3, 8, 8, generator=generator, dtype=DOUBLE)
        return LabelledBatch(images, torch.randint(10, (4,), generator=generator))

    return supernet, architecture, batch(), batch()


@pytest.mark.parametrize("gradient", [FirstOrder(), Unrolled()])
def test_the_architecture_step_moves_only_the_architecture(gradient: Gradient) -> None:
    supernet, architecture, training, validation = supernet_problem()
    weights = torch.optim.SGD(supernet.parameters(), lr=0.1, momentum=0.9, weight_decay=3e-4)
    adam = torch.optim.Adam(architecture.parameters(), lr=0.01, betas=(0.5, 0.999))
    step = ArchitectureStep(
        Bilevel(supernet, architecture, weights, nn.functional.cross_entropy), adam, gradient
    )
    before = {name: value.clone() for name, value in supernet.named_parameters()}
    statistics = {name: value.clone() for name, value in supernet.named_buffers()}
    alphas = [parameter.clone() for parameter in architecture.parameters()]
    step(validation, training)
    for name, value in supernet.named_parameters():
        assert value.equal(before[name])
        assert value.requires_grad
        assert value.grad is None
    for old, new in zip(alphas, architecture.parameters(), strict=True):
        assert not old.equal(new)
    # Virtual weights leave no trace in the running statistics; the real forward pass does.
    moved = any(not value.equal(statistics[name]) for name, value in supernet.named_buffers())
    assert moved == isinstance(gradient, FirstOrder)


@pytest.mark.parametrize("gradient", [FirstOrder(), Unrolled()])
def test_a_regulariser_adds_its_gradient(gradient: Gradient) -> None:
    moved = []
    for penalised in (False, True):
        made = problem()
        step = ArchitectureStep(
            made,
            torch.optim.SGD(made.architecture.parameters(), lr=1.0),
            gradient,
            regularisers=[lambda architecture: 0.5 * architecture.a.sum() ** 2][:penalised],
        )
        outcome = step(VALIDATION, TRAINING)
        moved.append((A - made.architecture.a.item(), outcome.loss.item()))
    (alone, loss), (together, same_loss) = moved
    assert together - alone == pytest.approx(A, rel=1e-12)  # d(a²/2)/da = a
    assert loss == same_loss


def set_off(supernet: nn.Module) -> torch.optim.SGD:
    """The weights' optimiser after one step, so that it has momentum."""
    optimiser = torch.optim.SGD(supernet.parameters(), lr=0.1, momentum=0.9, weight_decay=3e-4)
    generator = torch.Generator().manual_seed(9)
    for parameter in supernet.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator, dtype=DOUBLE)
    optimiser.step()
    return optimiser


def test_a_batch_in_parts_has_the_gradients_of_the_full_batch() -> None:
    """With frozen statistics; otherwise batch norm treats each part separately."""
    whole, halves, quarters = [], [], []
    for found, parts in ((whole, 1), (halves, 2), (quarters, 4)):
        supernet, architecture, training, validation = supernet_problem()
        optimiser = set_off(supernet.eval())
        made = Bilevel(supernet, architecture, optimiser, nn.functional.cross_entropy, parts=parts)
        for gradient in (FirstOrder(), Unrolled()):
            adam = torch.optim.Adam(architecture.parameters(), lr=0.01)
            step = ArchitectureStep(made, adam, gradient)
            found += step(validation, training)
            found += [parameter.grad for parameter in architecture.parameters()]
        found += WeightStep(made, 5.0)(training)
        found += [parameter.detach() for parameter in supernet.parameters()]
    torch.testing.assert_close(halves, whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(quarters, whole, rtol=0, atol=1e-12)


def test_the_weight_step_moves_only_the_weights_and_clips_their_gradient() -> None:
    supernet, architecture, training, _ = supernet_problem()
    optimiser = torch.optim.SGD(supernet.parameters(), lr=1.0)
    alphas = [parameter.clone() for parameter in architecture.parameters()]
    before = [parameter.detach().clone() for parameter in supernet.parameters()]
    clip = 1e-3
    made = Bilevel(supernet, architecture, optimiser, nn.functional.cross_entropy)
    WeightStep(made, clip)(training)
    moved = [old - new for old, new in zip(before, supernet.parameters(), strict=True)]
    length = math.sqrt(sum((change.detach() ** 2).sum().item() for change in moved))
    assert length == pytest.approx(clip, rel=1e-3)
    for old, new in zip(alphas, architecture.parameters(), strict=True):
        assert old.equal(new)
        assert new.grad is None


def test_weight_decay_and_momentum_follow_sgd_by_hand() -> None:
    made = problem()
    WeightStep(made)(TRAINING)
    x, y = 1.5, 2.0
    gradient = (W * A * x - y) * A * x + DECAY * W
    assert made.supernet.w.item() == pytest.approx(
        W - RATE * (MOMENTUM * VELOCITY + gradient), rel=1e-12
    )
