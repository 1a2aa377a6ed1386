"""Both gradients of alpha and beta against closed forms and exact derivatives."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev

from cells.topology import EdgeWeights
from darts.methods.gradient import Bilevel, FirstOrder, LabelledBatch, StepOutcome, differentiate
from darts.methods.unrolled import Unrolled
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
    OneAlpha,
    W,
    problem,
    scalar,
)


def test_first_order_is_the_partial_derivative() -> None:
    _, (gradient,) = FirstOrder()(problem(), VALIDATION, TRAINING)
    x, y = -0.8, 0.6
    assert gradient.item() == pytest.approx((W * A * x - y) * W * x, rel=1e-12)


def test_second_order_is_the_total_derivative_after_one_step_of_sgd() -> None:
    """Here the loss is quadratic in w, so the central difference is exact.

    L_train = (w a x - y)^2 / 2 has dL/dw = (w a x - y) a x and d2L/da dw = 2 w a x^2 - y x.
    """
    _, (gradient,) = Unrolled()(problem(), VALIDATION, TRAINING)
    x, y = 1.5, 2.0
    step = (W * A * x - y) * A * x + DECAY * W + MOMENTUM * VELOCITY
    ahead = W - RATE * step
    mixed = 2 * W * A * x**2 - y * x
    x, y = -0.8, 0.6
    outer = (ahead * A * x - y) * A * x
    expected = (ahead * A * x - y) * ahead * x - RATE * mixed * outer
    assert gradient.item() == pytest.approx(expected, rel=1e-9)


def test_second_order_leaves_weights_and_momentum_as_they_were() -> None:
    made = problem()
    net, optimiser = made.supernet, made.weight_optimiser
    Unrolled()(made, VALIDATION, TRAINING)
    assert net.w.item() == W
    assert net.w.grad is None
    assert optimiser.state[net.w]["momentum_buffer"].item() == VELOCITY


def test_second_order_at_a_minimum_of_the_validation_loss_is_finite() -> None:
    _, (gradient,) = Unrolled()(problem(), scalar(0.0, 0.0), TRAINING)
    assert gradient.item() == 0.0


class Smooth(nn.Module):
    """A two-layer network whose hidden units are weighted by the architecture."""

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

    def batch() -> LabelledBatch:
        images = torch.randn(6, 3, generator=generator, dtype=DOUBLE)
        return LabelledBatch(images, torch.randint(2, (6,), generator=generator))

    training, validation = batch(), batch()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.02)
    velocities = {}
    for name, parameter in net.named_parameters():
        velocity = torch.randn(parameter.shape, generator=generator, dtype=DOUBLE)
        velocities[name] = optimiser.state[parameter]["momentum_buffer"] = velocity
    weights = {name: parameter.detach() for name, parameter in net.named_parameters()}

    def loss(weights: dict[str, Tensor], alpha: Tensor, batch: LabelledBatch) -> Tensor:
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
    made = Bilevel(net, architecture, optimiser, nn.functional.cross_entropy)
    _, (unrolled,) = Unrolled()(made, validation, training)
    _, (partial,) = FirstOrder()(made, validation, training)
    error = (unrolled - exact).abs().max() / exact.abs().max()
    # The central difference errs by O(eps^2); the first order lacks the second term.
    assert error < 1e-5
    assert (partial - exact).abs().max() / exact.abs().max() > 100 * error


def test_a_loss_that_depends_on_no_unknown_has_the_gradient_zero() -> None:
    """A cell that is sampled without a path to its output: seen with GDAS in NAS-Bench-201."""
    unknown = torch.zeros(2, requires_grad=True)
    batch = LabelledBatch(torch.zeros(2, 1), torch.zeros(2, dtype=torch.int64))

    def evaluate(part: LabelledBatch) -> StepOutcome:
        return StepOutcome(torch.tensor(2.5), torch.zeros(len(part.labels), 3))

    outcome, (gradient,) = differentiate(evaluate, batch.split(2), [unknown])
    assert outcome.loss == 2.5
    assert gradient.tolist() == [0.0, 0.0]
