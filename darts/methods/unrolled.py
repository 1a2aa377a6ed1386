"""The second-order gradient of DARTS: through one virtual step of the weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from darts.methods.gradient import Bilevel, LabelledBatch, StepOutcome, differentiate_at

Slopes = tuple[Tensor, ...]
"""Gradients in the order of the parameters."""


@dataclass(frozen=True)
class Unrolled:
    """The gradient through one virtual step of SGD: dL_val(w'(A), A)/dA.

        w' = w - xi · (m·v + dL_train/dw + lambda·w)
        dL_val(w', A)/dA - xi · d2L_train(w, A)/dA dw · dL_val(w', A)/dw'

    with learning rate xi, momentum m, momentum buffer v and weight decay lambda of the weights'
    optimiser. The product of the mixed derivative and u = dL_val/dw' is a central difference of
    dL_train/dA at w ± eps·u, with eps = 0.01 / |u|. All virtual networks are evaluated by
    substitution: the weights and running statistics of the supernet stay as they are.

    Source: DARTS, §2.3, Eq. 7 and 8.

    >>> Unrolled().recordable  # An example of a call is in `Bilevel`.
    False
    """

    # It works on several copies of the weights. Recording it has never been tried on a GPU.
    recordable: ClassVar[bool] = False
    needs_fixed_weights: ClassVar[bool] = True

    def __call__(
        self, problem: Bilevel, validation: LabelledBatch, training: LabelledBatch
    ) -> tuple[StepOutcome, tuple[Tensor, ...]]:
        architecture = problem.architecture
        weights = [parameter.detach() for parameter in problem.supernet.parameters()]
        rate = problem.weight_optimiser.param_groups[0]["lr"]
        unknowns = list(architecture.parameters())

        virtual = _virtual_step(problem, weights, training)
        outcome, derivatives = differentiate_at(
            problem, virtual, validation, architecture.tables, [*unknowns, *virtual]
        )
        direct, vector = derivatives[: len(unknowns)], derivatives[len(unknowns) :]
        # The result is not linear in this vector, so it is averaged here.
        problem.reduce(vector)

        eps = step_length(vector)
        ahead, behind = slopes_around(problem, weights, training, vector, eps)
        total = tuple(
            first - rate * (plus - minus) / (2 * eps)
            for first, plus, minus in zip(direct, ahead, behind, strict=True)
        )
        return outcome, total


def step_length(vector: Sequence[Tensor]) -> Tensor:
    """0.01 / |vector|: how far a central difference moves the weights along a vector.

    >>> round(step_length([torch.tensor([3.0]), torch.tensor([4.0])]).item(), 6)
    0.002
    """
    norms = torch.stack([torch.linalg.vector_norm(part) for part in vector])
    norm = torch.linalg.vector_norm(norms)
    # Where the vector is 0, the second term vanishes; the step must not be infinite there. A branch
    # on the norm would make the host wait for it.
    return 0.01 / norm.clamp_min(torch.finfo(norm.dtype).tiny)


def moved(weights: Sequence[Tensor], step: Tensor, directions: Sequence[Tensor]) -> list[Tensor]:
    """Each weight plus `step` times its direction."""
    return [
        weight + step * direction for weight, direction in zip(weights, directions, strict=True)
    ]


def slopes_around(
    problem: Bilevel,
    weights: Sequence[Tensor],
    training: LabelledBatch,
    vector: Sequence[Tensor],
    eps: Tensor,
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """dL_train/dA at w + eps · vector and at w - eps · vector."""
    tables, unknowns = problem.architecture.tables, list(problem.architecture.parameters())

    def gradient_at(sign: int) -> tuple[Tensor, ...]:
        there = moved(weights, sign * eps, vector)
        return differentiate_at(problem, there, training, tables, unknowns)[1]

    with_same_noise = repeated_noise(problem)
    ahead = with_same_noise(lambda: gradient_at(+1))
    return ahead, with_same_noise(lambda: gradient_at(-1))


def repeated_noise(problem: Bilevel) -> Callable[[Callable[[], Slopes]], Slopes]:
    """Runs passes of a supernet that all draw the same random numbers (drop path, dropout, noise).

    Two passes whose results are subtracted must not differ in what they drop. (In the authors' code
    of RobustDARTS, which combines drop path with this gradient, they do.)
    """
    noise = problem.noise
    start = None if noise is None else noise.get_state()

    def run(make: Callable[[], Slopes]) -> Slopes:
        if noise is not None and start is not None:
            noise.set_state(start)
        return make()

    return run


def _virtual_step(
    problem: Bilevel, weights: Sequence[Tensor], training: LabelledBatch
) -> list[Tensor]:
    """The weights after one step of SGD on the training batch, as leaves that need gradients."""
    optimiser = problem.weight_optimiser
    group = optimiser.param_groups[0]
    leaves = [weight.clone().requires_grad_() for weight in weights]
    _, gradients = differentiate_at(
        problem, leaves, training, problem.architecture.fixed_tables, leaves
    )
    problem.reduce(gradients)
    virtual = []
    for parameter, gradient in zip(problem.supernet.parameters(), gradients, strict=True):
        step = gradient + group["weight_decay"] * parameter.detach()
        buffer = optimiser.state.get(parameter, {}).get("momentum_buffer")
        if buffer is not None:
            step = step + group["momentum"] * buffer
        virtual.append((parameter.detach() - group["lr"] * step).requires_grad_())
    return virtual
