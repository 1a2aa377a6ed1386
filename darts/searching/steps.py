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

from darts.methods.architecture import Architecture

Criterion = Callable[[Tensor, Tensor], Tensor]
Context = Callable[[], AbstractContextManager[object]]
"""Makes the context of a forward pass, such as autocast."""
Reduce = Callable[[Sequence[Tensor]], None]
"""Averages gradients over the processes that share a batch, in place."""


def _alone(gradients: Sequence[Tensor]) -> None:
    """The average over one process."""


class Batch(NamedTuple):
    """Images `[B, 3, H, W]`, normalised, and labels `[B]`."""

    images: Tensor
    labels: Tensor

    def split(self, parts: int) -> list[Batch]:
        """Equal parts, in order; `parts` divides B."""
        pieces = zip(self.images.chunk(parts), self.labels.chunk(parts), strict=True)
        return [Batch(*piece) for piece in pieces]


class Outcome(NamedTuple):
    """A step's loss (a scalar) and logits `[B, classes]`, both detached."""

    loss: Tensor
    logits: Tensor

    @classmethod
    def of_parts(cls, parts: Sequence[Outcome]) -> Outcome:
        """That of a batch, from those of its equal parts."""
        if len(parts) == 1:
            return parts[0]
        losses, logits = zip(*parts, strict=True)
        return cls(torch.stack(losses).mean(), torch.cat(logits))


class WeightStep:
    """SGD on the weights, alpha and beta fixed.

    Args:
        clip: Largest norm of the weights' gradient, or None.
        context: Context of each forward pass.
        reduce: Averages gradients over processes.
        parts: Equal parts that a batch is worked on in, one after the other, to save memory.
    """

    def __init__(
        self,
        supernet: nn.Module,
        architecture: Architecture,
        optimiser: torch.optim.SGD,
        criterion: Criterion,
        clip: float | None,
        context: Context = nullcontext,
        reduce: Reduce = _alone,
        parts: int = 1,
    ) -> None:
        self.supernet, self.architecture, self.context = supernet, architecture, context
        self.optimiser, self.criterion, self.clip = optimiser, criterion, clip
        self.reduce, self.parts = reduce, parts
        self.weights = list(supernet.parameters())

    def __call__(self, batch: Batch) -> Outcome:
        self.optimiser.zero_grad(set_to_none=True)
        tables = self.architecture.fixed_tables()
        outcomes = []
        for images, labels in batch.split(self.parts):
            with self.context():
                logits = self.supernet(images, tables)
                loss = self.criterion(logits, labels)
            (loss / self.parts).backward()
            outcomes.append(Outcome(loss.detach(), logits.detach()))
        self.reduce([p.grad for p in self.weights if p.grad is not None])
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.weights, self.clip)
        self.optimiser.step()
        return Outcome.of_parts(outcomes)


class ArchitectureStep:
    """Adam on alpha and beta, weights fixed.

    Args:
        order: 1, or 2 for the unrolled gradient, which also needs the training batch and the state
            of the weights' optimiser (learning rate, momentum, weight decay).
        clip: Largest norm of the architecture's gradient, or None (ImageNet: 5).
        context: Context of each forward pass.
        penalty: What is added to the validation loss: a scalar function of alpha and beta alone,
            so that its gradient joins that of either order.
        reduce, parts: As for `WeightStep`.
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
        reduce: Reduce = _alone,
        parts: int = 1,
    ) -> None:
        self.supernet, self.architecture, self.context = supernet, architecture, context
        self.reduce, self.parts = reduce, parts
        self.optimiser, self.weight_optimiser = optimiser, weight_optimiser
        self.criterion, self.order, self.clip = criterion, order, clip
        self.penalty = penalty

    def __call__(self, validation: Batch, training: Batch) -> Outcome:
        parameters = list(self.architecture.parameters())
        if self.order == 1:
            outcome, gradients = first_order(
                self.supernet,
                self.architecture,
                self.criterion,
                validation,
                self.context,
                self.parts,
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
                self.reduce,
                self.parts,
            )
        self.reduce(gradients)
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
    it, so that an iteration can be recorded as one graph (darts/searching/recording.py).
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
    parts: int = 1,
) -> tuple[Outcome, tuple[Tensor, ...]]:
    """dL_val(w, A)/dA at the present weights, in the order of `architecture.parameters()`.

    Running statistics of the supernet's normalisations move, as in the authors' code.
    """

    def evaluate(batch: Batch) -> Outcome:
        with context():
            logits = supernet(batch.images, architecture.tables())
            return Outcome(criterion(logits, batch.labels), logits)

    with _frozen(supernet):
        return _differentiate(evaluate, validation.split(parts), list(architecture.parameters()))


def _differentiate(
    evaluate: Callable[[Batch], Outcome], parts: Sequence[Batch], unknowns: Sequence[Tensor]
) -> tuple[Outcome, tuple[Tensor, ...]]:
    """Outcome of a batch in equal parts, detached, and the gradient of its loss."""
    outcomes, total = [], None
    for part in parts:
        loss, logits = evaluate(part)
        gradients = torch.autograd.grad(loss / len(parts), unknowns)
        outcomes.append(Outcome(loss.detach(), logits.detach()))
        total = gradients if total is None else tuple(map(torch.add, total, gradients))
    assert total is not None
    return Outcome.of_parts(outcomes), total


def second_order(
    supernet: nn.Module,
    architecture: Architecture,
    criterion: Criterion,
    validation: Batch,
    training: Batch,
    optimiser: torch.optim.SGD,
    context: Context = nullcontext,
    reduce: Reduce = _alone,
    parts: int = 1,
) -> tuple[Outcome, tuple[Tensor, ...]]:
    """dL_val(w'(A), A)/dA with w'(A) one virtual step ahead (DARTS, Eq. 7 and 8).

    `optimiser` must have a single parameter group over all weights of the supernet; the step takes
    its learning rate, momentum buffers and weight decay. `reduce` averages over processes what
    the result is not linear in; averaging the result is left to the caller.
    """
    names = [name for name, _ in supernet.named_parameters()]
    weights = [parameter.detach() for parameter in supernet.parameters()]
    group = optimiser.param_groups[0]
    rate = group["lr"]

    def differentiate(
        values: Sequence[Tensor],
        batch: Batch,
        tables: Callable[[], Mapping],
        unknowns: Sequence[Tensor],
    ) -> tuple[Outcome, tuple[Tensor, ...]]:
        # Statistics of virtual weights must not enter the real running statistics.
        buffers = {name: buffer.clone() for name, buffer in supernet.named_buffers()}
        substitute = {**dict(zip(names, values, strict=True)), **buffers}

        def evaluate(part: Batch) -> Outcome:
            with context():
                logits = functional_call(supernet, substitute, (part.images, tables()))
                return Outcome(criterion(logits, part.labels), logits)

        return _differentiate(evaluate, batch.split(parts), unknowns)

    leaves = [weight.clone().requires_grad_() for weight in weights]
    _, gradients = differentiate(leaves, training, architecture.fixed_tables, leaves)
    reduce(gradients)
    virtual = []
    for parameter, gradient in zip(supernet.parameters(), gradients, strict=True):
        step = gradient + group["weight_decay"] * parameter.detach()
        buffer = optimiser.state.get(parameter, {}).get("momentum_buffer")
        if buffer is not None:
            step = step + group["momentum"] * buffer
        virtual.append((parameter.detach() - rate * step).requires_grad_())

    unknowns = list(architecture.parameters())
    outcome, derivatives = differentiate(
        virtual, validation, architecture.tables, [*unknowns, *virtual]
    )
    direct, vector = derivatives[: len(unknowns)], derivatives[len(unknowns) :]
    reduce(vector)

    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(v) for v in vector]))
    # At an exact minimum of the validation loss the second term vanishes; eps must not be infinite
    # there. A branch on the norm would make the host wait for it.
    eps = 0.01 / norm.clamp_min(torch.finfo(norm.dtype).tiny)

    def gradient_at(sign: int) -> tuple[Tensor, ...]:
        moved = [
            weight + sign * eps * direction
            for weight, direction in zip(weights, vector, strict=True)
        ]
        return differentiate(moved, training, architecture.tables, unknowns)[1]

    ahead, behind = gradient_at(+1), gradient_at(-1)
    total = tuple(
        first - rate * (plus - minus) / (2 * eps)
        for first, plus, minus in zip(direct, ahead, behind, strict=True)
    )
    return outcome, total


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
