"""The gradient of iDARTS: the implicit gradient, with the inverse Hessian as a Neumann series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from darts.methods.derivatives import (
    Loss,
    Values,
    detached,
    loss_of,
    mean_curvature,
    mixed_product,
)
from darts.methods.gradient import Bilevel, LabelledBatch, StepOutcome, differentiate_at
from darts.methods.unrolled import Slopes, moved, repeated_noise, slopes_around, step_length

_Product = Callable[[Sequence[Tensor]], Sequence[Tensor]]


@dataclass(frozen=True)
class NeumannSeries:
    """The implicit gradient with an inverse Hessian that is cut off after some terms.

        v = dL_val(w, A)/dw
        u = sum over k = 0 … terms of  (I - xi · H)^k v,     H = d2L_train(w, A)/dw2
        dL_val(w, A)/dA - xi · d/dA < dL_train(w, A)/dw, u >

    xi is the learning rate of the weights. There is no virtual step: all derivatives are taken at
    the present weights, after some real steps of the weights (`--arch-every`; 4 in the code).

    Source: iDARTS (Zhang et al. 2021, arXiv 2106.10784, §3.2, Eq. 8 to 12) and the notebook of its
    code, whose numbers these are. Two faults of the notebook are not repeated: it restores the
    weights with another vector than it has added, and its weights are trained in a copy.

    >>> NeumannSeries().recordable  # `Bilevel` has an example of a call.
    False

    Attributes:
        terms: The last exponent k of the series (K in the paper).
        exact: Whether the products are exact, by differentiating twice. Otherwise they are central
            differences: of dL_train/dw at w ± eps · p with eps = 0.01 / |p| for the product of H
            and p, and of dL_train/dA at w ± eps · u with eps = 0.01 / |v| for the last term, as in
            the authors' code. They run on the fast engines; but in networks with ReLUs a step of
            this length crosses kinks, and the differences can be far from the derivative.
    """

    terms: int = 2
    exact: bool = True
    recordable: ClassVar[bool] = False
    needs_fixed_weights: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.terms < 0:
            raise ValueError(f"terms must not be negative, not {self.terms}")

    def __call__(
        self, problem: Bilevel, validation: LabelledBatch, training: LabelledBatch
    ) -> tuple[StepOutcome, tuple[Tensor, ...]]:
        rate = problem.weight_optimiser.param_groups[0]["lr"]
        unknowns = list(problem.architecture.parameters())
        weights = [parameter.detach() for parameter in problem.supernet.parameters()]

        leaves = [weight.clone().requires_grad_() for weight in weights]
        outcome, derivatives = differentiate_at(
            problem, leaves, validation, problem.architecture.tables, [*unknowns, *leaves]
        )
        direct, vector = derivatives[: len(unknowns)], derivatives[len(unknowns) :]
        # The series is not linear in what follows a product, so each factor is averaged here.
        problem.reduce(vector)

        if self.exact:
            total = _series(_exact(problem, weights, training), vector, self.terms, rate)
            mixed = _exact_mixed(problem, weights, training, total)
        else:
            total = _series(_differences(problem, weights, training), vector, self.terms, rate)
            mixed = _central_mixed(problem, weights, training, total, step_length(vector))
        return outcome, tuple(
            first - rate * second for first, second in zip(direct, mixed, strict=True)
        )


def _series(product: _Product, vector: Sequence[Tensor], terms: int, rate: float) -> list[Tensor]:
    """Sum over k = 0 … terms of (I - rate · H)^k applied to the vector."""
    power, total = list(vector), list(vector)
    for _ in range(terms):
        power = [p - rate * h for p, h in zip(power, product(power), strict=True)]
        total = [t + p for t, p in zip(total, power, strict=True)]
    return total


def _exact(problem: Bilevel, weights: Sequence[Tensor], training: LabelledBatch) -> _Product:
    """The product of the Hessian of the training loss and a vector, averaged over processes."""
    names = [name for name, _ in problem.supernet.named_parameters()]
    architecture = detached(problem.architecture)
    losses = [
        partial(_swapped, loss_of(problem, part), architecture)
        for part in training.split(problem.parts)
    ]
    multiply = mean_curvature(losses, dict(zip(names, weights, strict=True)))

    def product(vector: Sequence[Tensor]) -> list[Tensor]:
        found = multiply(dict(zip(names, vector, strict=True)))
        parts = [found[name] for name in names]
        problem.reduce(parts)
        return parts

    return product


def _swapped(loss: Loss, architecture: Values, weights: Values) -> Tensor:
    return loss(weights, architecture)


def _exact_mixed(
    problem: Bilevel,
    weights: Sequence[Tensor],
    training: LabelledBatch,
    vector: Sequence[Tensor],
) -> list[Tensor]:
    """d/dA < dL_train/dw, vector >, in the order of the architecture's parameters."""
    names = [name for name, _ in problem.supernet.named_parameters()]
    point, direction = (dict(zip(names, one, strict=True)) for one in (weights, vector))
    architecture = detached(problem.architecture)
    parts = training.split(problem.parts)
    products = [
        mixed_product(loss_of(problem, part), point, architecture, direction) for part in parts
    ]
    return [torch.stack([one[name] for one in products]).mean(0) for name in architecture]


def _differences(problem: Bilevel, weights: Sequence[Tensor], training: LabelledBatch) -> _Product:
    """The product of the Hessian and a vector as a central difference of two gradients."""

    def product(vector: Sequence[Tensor]) -> list[Tensor]:
        eps, run = step_length(vector), repeated_noise(problem)

        def slope(sign: int) -> Slopes:
            leaves = [weight.requires_grad_() for weight in moved(weights, sign * eps, vector)]
            tables = problem.architecture.fixed_tables
            found = differentiate_at(problem, leaves, training, tables, leaves)[1]
            problem.reduce(found)
            return found

        slopes = [run(partial(slope, sign)) for sign in (+1, -1)]
        return [(plus - minus) / (2 * eps) for plus, minus in zip(*slopes, strict=True)]

    return product


def _central_mixed(
    problem: Bilevel,
    weights: Sequence[Tensor],
    training: LabelledBatch,
    vector: Sequence[Tensor],
    eps: Tensor,
) -> list[Tensor]:
    ahead, behind = slopes_around(problem, weights, training, vector, eps)
    return [(plus - minus) / (2 * eps) for plus, minus in zip(ahead, behind, strict=True)]
