"""Both orders of the architecture gradient against closed forms and exact derivatives."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev

from cells.topology import EdgeWeights, Topology
from darts.methods.architecture import Architecture
from darts.searching.steps import (
    ArchitectureStep,
    Batch,
    WeightStep,
    first_order,
    second_order,
)
from darts.searching.supernet import Supernet
from genotypes import SPACES
from ops.initialise import initialise

DOUBLE = torch.float64


class OneAlpha(nn.Module):
    """An architecture of one free number a."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor([[value]], dtype=DOUBLE))

    def tables(self) -> dict[str, EdgeWeights]:
        return {"normal": EdgeWeights(self.a, None)}

    def fixed_tables(self) -> dict[str, EdgeWeights]:
        return {"normal": EdgeWeights(self.a.detach(), None)}


class OneWeight(nn.Module):
    """f(x) = w · a · x."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([value], dtype=DOUBLE))

    def forward(self, x: Tensor, tables: dict[str, EdgeWeights]) -> Tensor:
        return self.w * tables["normal"].operations[0] * x


def half_square(output: Tensor, target: Tensor) -> Tensor:
    return ((output - target) ** 2).sum() / 2


def scalar(x: float, y: float) -> Batch:
    return Batch(torch.tensor([x], dtype=DOUBLE), torch.tensor([y], dtype=DOUBLE))


W, A, RATE, MOMENTUM, DECAY, VELOCITY = 0.7, 1.3, 0.05, 0.9, 0.01, 0.4
TRAINING, VALIDATION = scalar(1.5, 2.0), scalar(-0.8, 0.6)


def problem() -> tuple[OneWeight, OneAlpha, torch.optim.SGD]:
    net, architecture = OneWeight(W), OneAlpha(A)
    optimiser = torch.optim.SGD(net.parameters(), lr=RATE, momentum=MOMENTUM, weight_decay=DECAY)
    optimiser.state[net.w]["momentum_buffer"] = torch.tensor([VELOCITY], dtype=DOUBLE)
    return net, architecture, optimiser


def test_first_order_is_the_partial_derivative() -> None:
    net, architecture, _ = problem()
    _, (gradient,) = first_order(net, architecture, half_square, VALIDATION)
    x, y = -0.8, 0.6
    assert gradient.item() == pytest.approx((W * A * x - y) * W * x, rel=1e-12)


def test_second_order_is_the_total_derivative_after_one_step_of_sgd() -> None:
    """Here the loss is quadratic in w, so the central difference is exact.

    L_train = (w a x - y)^2 / 2 has dL/dw = (w a x - y) a x and d2L/da dw = 2 w a x^2 - y x.
    """
    net, architecture, optimiser = problem()
    _, (gradient,) = second_order(net, architecture, half_square, VALIDATION, TRAINING, optimiser)
    x, y = 1.5, 2.0
    step = (W * A * x - y) * A * x + DECAY * W + MOMENTUM * VELOCITY
    ahead = W - RATE * step
    mixed = 2 * W * A * x**2 - y * x
    x, y = -0.8, 0.6
    outer = (ahead * A * x - y) * A * x
    expected = (ahead * A * x - y) * ahead * x - RATE * mixed * outer
    assert gradient.item() == pytest.approx(expected, rel=1e-9)


def test_second_order_leaves_weights_and_momentum_as_they_were() -> None:
    net, architecture, optimiser = problem()
    second_order(net, architecture, half_square, VALIDATION, TRAINING, optimiser)
    assert net.w.item() == W
    assert net.w.grad is None
    assert optimiser.state[net.w]["momentum_buffer"].item() == VELOCITY


def test_second_order_at_a_minimum_of_the_validation_loss_is_finite() -> None:
    net, architecture, optimiser = problem()
    minimum = scalar(0.0, 0.0)
    _, (gradient,) = second_order(net, architecture, half_square, minimum, TRAINING, optimiser)
    assert gradient.item() == 0.0


class Smooth(nn.Module):
    """A two-layer network whose hidden units are weighed by the architecture."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor, tables: dict[str, EdgeWeights]) -> Tensor:
        return self.outer(torch.tanh(self.inner(x)) * tables["normal"].operations.softmax(0))


class FourAlphas(OneAlpha):
    def __init__(self) -> None:
        super().__init__(0.0)
        self.a = nn.Parameter(torch.tensor([0.3, -0.5, 0.9, 0.1], dtype=DOUBLE))


def test_second_order_against_automatic_differentiation_through_the_step() -> None:
    generator = torch.Generator().manual_seed(3)
    net, architecture = Smooth().double(), FourAlphas()
    initialise(net, generator)

    def batch() -> Batch:
        images = torch.randn(6, 3, generator=generator, dtype=DOUBLE)
        return Batch(images, torch.randint(2, (6,), generator=generator))

    training, validation = batch(), batch()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.02)
    velocities = {}
    for name, parameter in net.named_parameters():
        velocity = torch.randn(parameter.shape, generator=generator, dtype=DOUBLE)
        velocities[name] = optimiser.state[parameter]["momentum_buffer"] = velocity
    weights = {name: parameter.detach() for name, parameter in net.named_parameters()}

    def loss(weights: dict[str, Tensor], alpha: Tensor, batch: Batch) -> Tensor:
        tables = {"normal": EdgeWeights(alpha, None)}
        logits = functional_call(net, weights, (batch.images, tables))
        return nn.functional.cross_entropy(logits, batch.labels)

    def after_one_step(alpha: Tensor) -> Tensor:
        slopes = grad(loss)(weights, alpha, training)
        ahead = {
            name: w - 0.1 * (slopes[name] + 0.02 * w + 0.9 * velocities[name])
            for name, w in weights.items()
        }
        return loss(ahead, alpha, validation)

    exact = jacrev(after_one_step)(architecture.a.detach())
    _, (unrolled,) = second_order(
        net, architecture, nn.functional.cross_entropy, validation, training, optimiser
    )
    _, (partial,) = first_order(net, architecture, nn.functional.cross_entropy, validation)
    error = (unrolled - exact).abs().max() / exact.abs().max()
    # The central difference errs by O(eps^2); the first order misses the whole second term.
    assert error < 1e-5
    assert (partial - exact).abs().max() / exact.abs().max() > 100 * error


def supernet_problem() -> tuple[Supernet, Architecture, Batch, Batch]:
    generator = torch.Generator().manual_seed(1)
    architecture = Architecture(Topology(3), generator=generator).double()
    supernet = Supernet(Topology(3), SPACES["darts"], channels=8, layers=3, k=2).double()
    initialise(supernet, generator)

    def batch() -> Batch:
        images = torch.randn(4, 3, 8, 8, generator=generator, dtype=DOUBLE)
        return Batch(images, torch.randint(10, (4,), generator=generator))

    return supernet, architecture, batch(), batch()


@pytest.mark.parametrize("order", [1, 2])
def test_the_architecture_step_moves_only_the_architecture(order: int) -> None:
    supernet, architecture, training, validation = supernet_problem()
    weights = torch.optim.SGD(supernet.parameters(), lr=0.1, momentum=0.9, weight_decay=3e-4)
    step = ArchitectureStep(
        supernet,
        architecture,
        torch.optim.Adam(architecture.parameters(), lr=0.01, betas=(0.5, 0.999)),
        weights,
        nn.functional.cross_entropy,
        order=order,
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
    assert moved == (order == 1)


@pytest.mark.parametrize("order", [1, 2])
def test_a_penalty_on_the_architecture_adds_its_gradient(order: int) -> None:
    moved = []
    for penalised in (False, True):
        net, architecture, weights = problem()
        a = architecture.a
        step = ArchitectureStep(
            net,
            architecture,
            torch.optim.SGD(architecture.parameters(), lr=1.0),
            weights,
            half_square,
            order=order,
            penalty=(lambda a=a: 0.5 * a.sum() ** 2) if penalised else None,
        )
        outcome = step(VALIDATION, TRAINING)
        moved.append((A - a.item(), outcome.loss.item()))
    (alone, loss), (together, same_loss) = moved
    assert together - alone == pytest.approx(A, rel=1e-12)  # d(a²/2)/da = a
    assert loss == same_loss


def set_off(supernet: nn.Module) -> torch.optim.SGD:
    """The weights' optimiser after a first step, so that it has momentum."""
    optimiser = torch.optim.SGD(supernet.parameters(), lr=0.1, momentum=0.9, weight_decay=3e-4)
    generator = torch.Generator().manual_seed(9)
    for parameter in supernet.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator, dtype=DOUBLE)
    optimiser.step()
    return optimiser


def test_gradients_of_a_batch_in_parts_are_those_of_the_whole() -> None:
    """Exactly so with frozen statistics; otherwise each part is normalised by itself."""
    whole, halves, quarters = [], [], []
    for found, parts in ((whole, 1), (halves, 2), (quarters, 4)):
        supernet, architecture, training, validation = supernet_problem()
        optimiser = set_off(supernet.eval())
        criterion = nn.functional.cross_entropy
        for order in (1, 2):
            adam = torch.optim.Adam(architecture.parameters(), lr=0.01)
            step = ArchitectureStep(
                supernet, architecture, adam, optimiser, criterion, order=order, parts=parts
            )
            found += step(validation, training)
            found += [parameter.grad for parameter in architecture.parameters()]
        found += WeightStep(supernet, architecture, optimiser, criterion, 5.0, parts=parts)(
            training
        )
        found += [parameter.detach() for parameter in supernet.parameters()]
    torch.testing.assert_close(halves, whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(quarters, whole, rtol=0, atol=1e-12)


def test_the_weight_step_moves_only_the_weights_and_clips_their_gradient() -> None:
    supernet, architecture, training, _ = supernet_problem()
    optimiser = torch.optim.SGD(supernet.parameters(), lr=1.0)
    alphas = [parameter.clone() for parameter in architecture.parameters()]
    before = [parameter.detach().clone() for parameter in supernet.parameters()]
    clip = 1e-3
    WeightStep(supernet, architecture, optimiser, nn.functional.cross_entropy, clip)(training)
    moved = [old - new for old, new in zip(before, supernet.parameters(), strict=True)]
    length = math.sqrt(sum((change.detach() ** 2).sum().item() for change in moved))
    assert length == pytest.approx(clip, rel=1e-3)
    for old, new in zip(alphas, architecture.parameters(), strict=True):
        assert old.equal(new)
        assert new.grad is None


def test_weight_decay_and_momentum_follow_sgd_by_hand() -> None:
    net, architecture, optimiser = problem()
    WeightStep(net, architecture, optimiser, half_square, None)(TRAINING)
    x, y = 1.5, 2.0
    gradient = (W * A * x - y) * A * x + DECAY * W
    assert net.w.item() == pytest.approx(W - RATE * (MOMENTUM * VELOCITY + gradient), rel=1e-12)
