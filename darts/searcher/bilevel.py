"""The bilevel step: alpha and beta follow the validation loss, the weights the training loss.

    min over A of L_val(w*(A), A)   with   w*(A) = argmin over w of L_train(w, A)

First order takes w for w*(A). Second order (DARTS, §2.3) looks one step of SGD ahead,
w' = w - xi (m v + dL_train/dw + lambda w), and differentiates L_val(w', A) with respect to A:

    dL_val(w', A)/dA - xi d2L_train(w, A)/dA dw · dL_val(w', A)/dw'

The mixed derivative times a vector u is a central difference of two gradients at w ± eps u with
eps = 0.01 / |u|. The virtual networks are evaluated by substitution: the supernet's own weights and
running statistics are not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from darts.architecture import Architecture

Criterion = Callable[[Tensor, Tensor], Tensor]
Context = Callable[[], AbstractContextManager[object]]
"""Makes the context of a forward pass, such as autocast."""


class Batch(NamedTuple):
    """Images `[B, 3, H, W]`, normalised, and labels `[B]`."""

    images: Tensor
    labels: Tensor


class Outcome(NamedTuple):
    """A step's loss (a scalar) and logits `[B, classes]`, both detached."""

    loss: Tensor
    logits: Tensor


class WeightStep:
    """SGD on the weights, alpha and beta fixed."""

    def __init__(
        self,
        supernet: nn.Module,
        architecture: Architecture,
        optimiser: torch.optim.SGD,
        criterion: Criterion,
        clip: float | None,
        context: Context = nullcontext,
    ) -> None:
        self.supernet, self.architecture, self.context = supernet, architecture, context
        self.optimiser, self.criterion, self.clip = optimiser, criterion, clip

    def __call__(self, batch: Batch) -> Outcome:
        self.optimiser.zero_grad(set_to_none=True)
        with self.context():
            logits = self.supernet(batch.images, self.architecture.fixed_tables())
            loss = self.criterion(logits, batch.labels)
        loss.backward()
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.supernet.parameters(), self.clip)
        self.optimiser.step()
        return Outcome(loss.detach(), logits.detach())


class ArchitectureStep:
    """Adam on alpha and beta, weights fixed.

    Args:
        order: 1, or 2 for the unrolled gradient, which also needs the training batch and the state
            of the weights' optimiser (learning rate, momentum, weight decay).
        clip: Largest norm of the architecture's gradient, or None (ImageNet: 5).
        context: Context of each forward pass.
        penalty: What is added to the validation loss: a scalar function of alpha and beta alone,
            so that its gradient joins that of either order.
    """

    def __init__(
        self,
        supernet: nn.Module,
        architecture: Architecture,
        optimiser: torch.optim.Optimizer,
        weight_optimiser: torch.optim.SGD,
        criterion: Criterion,
        *,
        order: int = 1,
        clip: float | None = None,
        context: Context = nullcontext,
        penalty: Callable[[], Tensor] | None = None,
    ) -> None:
        self.supernet, self.architecture, self.context = supernet, architecture, context
        self.optimiser, self.weight_optimiser = optimiser, weight_optimiser
        self.criterion, self.order, self.clip = criterion, order, clip
        self.penalty = penalty

    def __call__(self, validation: Batch, training: Batch) -> Outcome:
        parameters = list(self.architecture.parameters())
        if self.order == 1:
            outcome, gradients = first_order(
                self.supernet, self.architecture, self.criterion, validation, self.context
            )
        else:
            outcome, gradients = second_order(
                self.supernet,
                self.architecture,
                self.criterion,
                validation,
                training,
                self.weight_optimiser,
                self.context,
            )
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        if self.penalty is not None:
            self.penalty().backward()
        if self.clip is not None:
            nn.utils.clip_grad_norm_(parameters, self.clip)
        self.optimiser.step()
        return outcome


class Iteration:
    """A whole iteration: the architecture step, if there are images for it, then the weight step.

    Everything that happens on the device between two batches happens in here, without a wait for
    it, so that an iteration can be recorded as one graph (darts/searcher/recording.py).
    """

    def __init__(self, architecture_step: ArchitectureStep, weight_step: WeightStep) -> None:
        self.architecture_step, self.weight_step = architecture_step, weight_step

    def __call__(self, training: Batch, validation: Batch | None = None) -> dict[str, Tensor]:
        """Loss and accuracy (%) of each step before it moved anything, as scalars on the device."""
        scalars = {}
        if validation is not None:
            outcome = self.architecture_step(validation, training)
            scalars["architecture_loss"] = outcome.loss
            scalars["architecture_accuracy"] = percent_correct(outcome, validation)
        outcome = self.weight_step(training)
        scalars["loss"] = outcome.loss
        scalars["accuracy"] = percent_correct(outcome, training)
        return scalars


def percent_correct(outcome: Outcome, batch: Batch) -> Tensor:
    """Share of a batch that is classified correctly, in %, as a scalar on the device."""
    return (outcome.logits.argmax(1) == batch.labels).float().mean() * 100


def first_order(
    supernet: nn.Module,
    architecture: Architecture,
    criterion: Criterion,
    validation: Batch,
    context: Context = nullcontext,
) -> tuple[Outcome, tuple[Tensor, ...]]:
    """dL_val(w, A)/dA at the present weights, in the order of `architecture.parameters()`.

    Running statistics of the supernet's normalisations move, as in the authors' code.
    """
    with _frozen(supernet):
        with context():
            logits = supernet(validation.images, architecture.tables())
            loss = criterion(logits, validation.labels)
        gradients = torch.autograd.grad(loss, list(architecture.parameters()))
    return Outcome(loss.detach(), logits.detach()), gradients


def second_order(
    supernet: nn.Module,
    architecture: Architecture,
    criterion: Criterion,
    validation: Batch,
    training: Batch,
    optimiser: torch.optim.SGD,
    context: Context = nullcontext,
) -> tuple[Outcome, tuple[Tensor, ...]]:
    """dL_val(w'(A), A)/dA with w'(A) one virtual step ahead (DARTS, Eq. 7 and 8).

    `optimiser` must have a single parameter group over all weights of the supernet; the step takes
    its learning rate, momentum buffers and weight decay.
    """
    names = [name for name, _ in supernet.named_parameters()]
    weights = [parameter.detach() for parameter in supernet.parameters()]
    group = optimiser.param_groups[0]
    rate = group["lr"]

    def evaluate(values: Sequence[Tensor], batch: Batch, tables: Mapping) -> Outcome:
        # Statistics of virtual weights must not enter the real running statistics.
        buffers = {name: buffer.clone() for name, buffer in supernet.named_buffers()}
        substitute = {**dict(zip(names, values, strict=True)), **buffers}
        with context():
            logits = functional_call(supernet, substitute, (batch.images, tables))
            return Outcome(criterion(logits, batch.labels), logits)

    leaves = [weight.clone().requires_grad_() for weight in weights]
    training_loss = evaluate(leaves, training, architecture.fixed_tables()).loss
    gradients = torch.autograd.grad(training_loss, leaves)
    virtual = []
    for parameter, gradient in zip(supernet.parameters(), gradients, strict=True):
        step = gradient + group["weight_decay"] * parameter.detach()
        buffer = optimiser.state.get(parameter, {}).get("momentum_buffer")
        if buffer is not None:
            step = step + group["momentum"] * buffer
        virtual.append((parameter.detach() - rate * step).requires_grad_())

    unknowns = list(architecture.parameters())
    outcome = evaluate(virtual, validation, architecture.tables())
    derivatives = torch.autograd.grad(outcome.loss, [*unknowns, *virtual])
    direct, vector = derivatives[: len(unknowns)], derivatives[len(unknowns) :]

    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(v) for v in vector]))
    # At an exact minimum of the validation loss the second term vanishes; eps must not be infinite
    # there. A branch on the norm would make the host wait for it.
    eps = 0.01 / norm.clamp_min(torch.finfo(norm.dtype).tiny)

    def gradient_at(sign: int) -> tuple[Tensor, ...]:
        moved = [
            weight + sign * eps * direction
            for weight, direction in zip(weights, vector, strict=True)
        ]
        loss = evaluate(moved, training, architecture.tables()).loss
        return torch.autograd.grad(loss, unknowns)

    ahead, behind = gradient_at(+1), gradient_at(-1)
    total = tuple(
        first - rate * (plus - minus) / (2 * eps)
        for first, plus, minus in zip(direct, ahead, behind, strict=True)
    )
    return Outcome(outcome.loss.detach(), outcome.logits.detach()), total


class _frozen:
    """The module's parameters without gradients inside the block: their kernels are not run."""

    def __init__(self, module: nn.Module) -> None:
        self.parameters = [p for p in module.parameters() if p.requires_grad]

    def __enter__(self) -> None:
        for parameter in self.parameters:
            parameter.requires_grad_(False)

    def __exit__(self, *_: object) -> None:
        for parameter in self.parameters:
            parameter.requires_grad_(True)
