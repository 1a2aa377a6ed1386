"""Gradients of the validation loss with respect to alpha and beta.

The search is a bilevel problem (DARTS, §2.3, Eq. 3 and 4):

    min over A of L_val(w*(A), A)   with   w*(A) = argmin over w of L_train(w, A)

The gradients here differ in what they take for w*(A): the weights as they are, or the weights one
virtual step of SGD ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call

from cells.topology import Tables
from darts.methods.architecture import Architecture
from darts.targets.single import SINGLE
from darts.targets.target import LearningTask

Criterion = Callable[[Tensor, Tensor], Tensor]
"""(logits, labels) -> loss, the mean over a batch."""
Context = Callable[[], AbstractContextManager[object]]
"""Makes the context of a forward pass, such as autocast."""
Reduce = Callable[[Sequence[Tensor]], None]
"""Averages gradients over the processes that share a batch, in place."""


def no_reduction(gradients: Sequence[Tensor]) -> None:
    """The average over a single process: leaves the gradients as they are."""


class LabelledBatch(NamedTuple):
    """A batch of labelled images.

    Attributes:
        images: `[B, 3, H, W]`, normalised.
        labels: Class numbers `[B]`, or 0 and 1 `[B, C]`.
    """

    images: Tensor
    labels: Tensor

    def split(self, parts: int) -> list[LabelledBatch]:
        """Equal parts, in order; `parts` must divide B."""
        pieces = zip(self.images.chunk(parts), self.labels.chunk(parts), strict=True)
        return [LabelledBatch(*piece) for piece in pieces]


class StepOutcome(NamedTuple):
    """What a step saw before it changed anything.

    Attributes:
        loss: A scalar, detached.
        logits: `[B, classes]`, detached.
    """

    loss: Tensor
    logits: Tensor

    @classmethod
    def of_parts(cls, parts: Sequence[StepOutcome]) -> StepOutcome:
        """The outcome of a batch, given the outcomes of its equal parts."""
        if len(parts) == 1:
            return parts[0]
        losses, logits = zip(*parts, strict=True)
        return cls(torch.stack(losses).mean(), torch.cat(logits))


@dataclass(frozen=True)
class Bilevel:
    """The bilevel problem: everything that both steps of an iteration share.

    >>> from cells.topology import Topology
    >>> class Net(nn.Linear):
    ...     def forward(self, images, tables):
    ...         mixed = tables["normal"].strengths()[0] + tables["reduce"].strengths()[1]
    ...         return super().forward(images.flatten(1)) * mixed
    >>> net, batch = Net(12, 8), LabelledBatch(torch.randn(4, 3, 2, 2), torch.arange(4))
    >>> architecture = Architecture(Topology(1), generator=torch.Generator())
    >>> sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> problem = Bilevel(net, architecture, sgd, nn.functional.cross_entropy)
    >>> outcome, gradients = FirstOrder()(problem, validation=batch, training=batch)
    >>> outcome.logits.shape, [tuple(gradient.shape) for gradient in gradients]
    (torch.Size([4, 8]), [(2, 8), (2, 8), (2,), (2,)])

    Attributes:
        supernet: `supernet(images, tables)` returns the logits `[B, classes]`.
        architecture: alpha and beta; makes the tables.
        weight_optimiser: The SGD of the weights, with one parameter group for all of them.
        criterion: The loss of a batch.
        context: Context of each forward pass.
        reduce: Averages gradients over processes.
        parts: Number of equal parts that a batch is split into, one after the other, to save
            memory.
        cells: The kind of each cell, for what treats each cell on its own.
        noise: The source of the random numbers that the supernet itself draws, if it has one.
        target: What the supernet learns; it measures a batch for the log.
    """

    supernet: nn.Module
    architecture: Architecture
    weight_optimiser: torch.optim.SGD
    criterion: Criterion
    context: Context = nullcontext
    reduce: Reduce = no_reduction
    parts: int = 1
    cells: tuple[str, ...] = ()
    noise: torch.Generator | None = None
    target: LearningTask = SINGLE


class Gradient(Protocol):
    """Computes the gradient of the validation loss with respect to alpha and beta.

    Attributes:
        recordable: Whether a CUDA graph can record it.
        needs_fixed_weights: Whether it subtracts losses of several forward passes, which must
            therefore have the same weights of operations. A relaxation that resamples them in
            each pass cannot be combined with it: the difference would be noise divided by a small
            number.
    """

    @property
    def recordable(self) -> bool: ...

    @property
    def needs_fixed_weights(self) -> bool: ...

    def __call__(
        self, problem: Bilevel, validation: LabelledBatch, training: LabelledBatch
    ) -> tuple[StepOutcome, tuple[Tensor, ...]]:
        """The outcome on the validation batch, and the gradient.

        The gradient is in the order of `architecture.parameters()`. It is not yet averaged over
        processes: the caller does that.
        """


@dataclass(frozen=True)
class FirstOrder:
    """The gradient at the present weights: dL_val(w, A)/dA.

    The running statistics of the supernet's batch norms are updated, as in the authors' code.

    Source: DARTS, §2.3 (xi = 0); PC-DARTS uses no other.

    >>> FirstOrder().recordable  # An example of a call is in `Bilevel`.
    True
    """

    recordable: ClassVar[bool] = True
    needs_fixed_weights: ClassVar[bool] = False

    def __call__(
        self, problem: Bilevel, validation: LabelledBatch, training: LabelledBatch
    ) -> tuple[StepOutcome, tuple[Tensor, ...]]:
        architecture = problem.architecture

        def evaluate(batch: LabelledBatch) -> StepOutcome:
            with problem.context():
                logits = problem.supernet(batch.images, architecture.tables())
                return StepOutcome(problem.criterion(logits, batch.labels), logits)

        with Frozen(problem.supernet):
            return differentiate(
                evaluate, validation.split(problem.parts), list(architecture.parameters())
            )


@dataclass(frozen=True)
class SingleLevel(FirstOrder):
    """The gradient of the training loss: alpha and beta learn from the images of the weights.

    A search with it has one step for weights and architecture together; see
    `darts.searching.steps.JointStep`. No images are set aside for the architecture.

    Source: SNAS (arXiv 1812.09926, §2.1); FairDARTS and DARTS have single-level variants.

    >>> SingleLevel().recordable
    True
    """

    def __call__(
        self, problem: Bilevel, validation: LabelledBatch, training: LabelledBatch
    ) -> tuple[StepOutcome, tuple[Tensor, ...]]:
        return super().__call__(problem, training, training)


@dataclass(frozen=True)
class Fixed(FirstOrder):
    """alpha and beta keep their initial values; only the weights are trained.

    For methods that choose a cell by evaluating the supernet: SPOS, random search with weight
    sharing, and the "blank" supernet of DARTS-PT. The search then has no architecture step.

    Source: SPOS (arXiv 1904.00420); DARTS-PT (arXiv 2108.04392, §5).

    >>> Fixed().recordable
    True
    """


def differentiate_at(
    problem: Bilevel,
    weights: Sequence[Tensor],
    batch: LabelledBatch,
    tables: Callable[[], Tables],
    unknowns: Sequence[Tensor],
) -> tuple[StepOutcome, tuple[Tensor, ...]]:
    """Outcome and gradient of the supernet with other weights than its own."""
    supernet = problem.supernet
    names = [name for name, _ in supernet.named_parameters()]
    # Statistics of virtual weights must not enter the real running statistics.
    buffers = {name: buffer.clone() for name, buffer in supernet.named_buffers()}
    substitute = {**dict(zip(names, weights, strict=True)), **buffers}

    def evaluate(part: LabelledBatch) -> StepOutcome:
        with problem.context():
            logits = functional_call(supernet, substitute, (part.images, tables()))
            return StepOutcome(problem.criterion(logits, part.labels), logits)

    return differentiate(evaluate, batch.split(problem.parts), unknowns)


def differentiate(
    evaluate: Callable[[LabelledBatch], StepOutcome],
    parts: Sequence[LabelledBatch],
    unknowns: Sequence[Tensor],
) -> tuple[StepOutcome, tuple[Tensor, ...]]:
    """Outcome of a batch in equal parts, detached, and the gradient of its mean loss.

    A sampled cell may have no path to its output. Its loss depends on no unknown, so the gradient
    is 0.
    """
    outcomes, total = [], None
    for part in parts:
        loss, logits = evaluate(part)
        if loss.requires_grad:
            gradients = torch.autograd.grad(loss / len(parts), unknowns, materialize_grads=True)
        else:
            gradients = tuple(map(torch.zeros_like, unknowns))
        outcomes.append(StepOutcome(loss.detach(), logits.detach()))
        total = gradients if total is None else tuple(map(torch.add, total, gradients))
    assert total is not None
    return StepOutcome.of_parts(outcomes), total


class Frozen:
    """Inside the block, no gradients of the module's parameters are computed."""

    def __init__(self, module: nn.Module) -> None:
        self.parameters = [p for p in module.parameters() if p.requires_grad]

    def __enter__(self) -> None:
        for parameter in self.parameters:
            parameter.requires_grad_(False)

    def __exit__(self, *_: object) -> None:
        for parameter in self.parameters:
            parameter.requires_grad_(True)
