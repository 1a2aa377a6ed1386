"""The gradients that use second derivatives: golden vectors, and both forms of each product."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cells.topology import EdgeWeights, Topology
from darts.methods.architecture import Architecture
from darts.methods.derivatives import curvature, detached, loss_of, mean_curvature, mixed_product
from darts.methods.gradient import Bilevel, LabelledBatch
from darts.methods.neumann import NeumannSeries
from darts.methods.unrolled import Unrolled, step_length
from darts.searching.supernet import Supernet
from genotypes.search_space import DARTS, SearchSpace
from ops.initialise import initialise
from tests.darts.methods.golden_toy import Losses, toy
from tests.darts.methods.vectors import golden


def small(
    engine: str = "torch", parts: int = 1, space: SearchSpace = DARTS
) -> tuple[Bilevel, LabelledBatch, LabelledBatch]:
    """A supernet of two cells in float64, with two batches."""
    generator = torch.Generator().manual_seed(5)
    topology, initial = Topology(2), (0.0, 0.5)
    architecture = Architecture(topology, space=space, generator=generator, initial=initial)
    net = Supernet(
        topology, space.operations, channels=4, layers=3, k=2, num_classes=3, backend=engine
    ).double()
    initialise(net, generator)

    def batch() -> LabelledBatch:
        images = torch.randn(4, 3, 8, 8, generator=generator, dtype=torch.float64)
        return LabelledBatch(images, torch.randint(3, (4,), generator=generator))

    sgd = torch.optim.SGD(net.parameters(), lr=0.05)
    problem = Bilevel(net, architecture.double(), sgd, functional.cross_entropy, parts=parts)
    return problem, batch(), batch()


def test_unrolled_equals_the_golden_vector(shared: Path) -> None:
    inputs, outputs = golden(shared, "darts_unrolled_second_order")
    _, (gradient,) = Unrolled()(*toy(inputs))
    assert gradient.tolist() == pytest.approx(outputs["grad_alpha"].tolist(), rel=1e-9)


def test_neumann_equals_the_golden_vector(shared: Path) -> None:
    inputs, outputs = golden(shared, "idarts_neumann")
    _, (gradient,) = NeumannSeries(terms=inputs["K"])(*toy(inputs))
    assert gradient.tolist() == pytest.approx(outputs["grad_alpha"].tolist(), rel=1e-12)
    _, (close,) = NeumannSeries(terms=inputs["K"], exact=False)(*toy(inputs))
    assert close.tolist() == pytest.approx(outputs["grad_alpha"].tolist(), rel=1e-4)


def test_without_further_terms_neumann_is_the_implicit_gradient_of_one_step(shared: Path) -> None:
    inputs, outputs = golden(shared, "idarts_neumann")
    problem, validation, training = toy(inputs)
    loss = loss_of(problem, training)
    v = outputs["v"]
    weights, alpha = detached(problem.supernet), detached(problem.architecture)
    mixed = mixed_product(loss, weights, alpha, {"w": v})["alpha"]
    _, (gradient,) = NeumannSeries(terms=0)(problem, validation, training)
    summed = outputs["neumann_sum"]
    full = mixed_product(loss, weights, alpha, {"w": summed})["alpha"]
    assert full.tolist() == pytest.approx(outputs["mixed_vjp"].tolist(), rel=1e-12)
    expected = outputs["grad_alpha"] + inputs["lr"] * (full - mixed)
    assert gradient.tolist() == pytest.approx(expected.tolist(), rel=1e-9)


@pytest.mark.parametrize("engine", ["torch", "native"])
def test_exact_products_on_a_supernet_agree_with_central_differences(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both engines take their plain form for second derivatives.

    The differences use a much smaller step than usual, which crosses no kink of a ReLU.
    """
    for module in ("neumann", "unrolled"):
        name = f"darts.methods.{module}.step_length"
        monkeypatch.setattr(name, lambda vector: 1e-5 * step_length(vector))
    problem, validation, training = small(engine)
    _, exact = NeumannSeries()(problem, validation, training)
    _, close = NeumannSeries(exact=False)(problem, validation, training)
    for left, right in zip(exact, close, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("exact", [True, False])
def test_neumann_leaves_the_supernet_as_it_was(exact: bool) -> None:
    problem, validation, training = small()
    before = copy.deepcopy(problem.supernet.state_dict())
    NeumannSeries(exact=exact)(problem, validation, training)
    for name, value in problem.supernet.state_dict().items():
        assert value.equal(before[name]), name
    assert all(weight.grad is None for weight in problem.supernet.parameters())


def test_parts_of_a_batch_have_the_mean_hessian() -> None:
    """Also where each part has batch statistics of its own."""
    problem, _, training = small()
    alpha, weights = detached(problem.architecture), detached(problem.supernet)
    losses = [partial(loss_of(problem, part), weights) for part in training.split(2)]
    vector = {name: torch.ones_like(value) for name, value in alpha.items()}
    whole = mean_curvature(losses, alpha)(vector)
    halves = [curvature(loss, alpha)(vector) for loss in losses]
    for name, value in whole.items():
        torch.testing.assert_close(value, (halves[0][name] + halves[1][name]) / 2)
    _, split = NeumannSeries()(replace(problem, parts=2), training, training)
    assert all(part.isfinite().all() for part in split)


@pytest.mark.parametrize("gradient", [Unrolled(), NeumannSeries()])
def test_they_need_weights_that_are_not_sampled(gradient: Unrolled | NeumannSeries) -> None:
    assert gradient.needs_fixed_weights
    assert not gradient.recordable


def test_the_number_of_terms_is_checked() -> None:
    with pytest.raises(ValueError, match="terms"):
        NeumannSeries(terms=-1)


class Noisy(Losses):
    """The golden losses, times random numbers of the network's own."""

    def __init__(self, weights: Tensor, generator: torch.Generator) -> None:
        super().__init__(weights)
        self.generator = generator

    def forward(self, batch: Tensor, tables: Mapping[str, EdgeWeights]) -> Tensor:
        drawn = torch.rand(len(self.w), generator=self.generator, dtype=torch.float64)
        return super().forward(batch, tables) * drawn


@pytest.mark.parametrize("gradient", [Unrolled(), NeumannSeries(exact=False)])
def test_passes_that_are_subtracted_draw_the_same_noise(
    shared: Path, gradient: Unrolled | NeumannSeries
) -> None:
    inputs, _ = golden(shared, "darts_unrolled_second_order")
    problem, validation, training = toy(inputs)
    generator = torch.Generator().manual_seed(0)
    net = Noisy(inputs["w"], generator)
    sgd = torch.optim.SGD(net.parameters(), lr=1.0)
    noisy = replace(problem, supernet=net, weight_optimiser=sgd, noise=generator)
    _, (found,) = gradient(noisy, validation, training)
    # With other noise in each pass, the differences are of the order of 1 to 30.
    assert found.abs().max() < 0.1
