"""Perturbations: the weight step trains the supernet at weights of operations near the true ones.

SmoothDARTS: a supernet that is accurate around the present architecture loses less when the
architecture is made discrete. The perturbation changes the table that the supernet reads, for one
weight step; alpha and beta are never touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from cells.topology import EdgeWeights
from darts.methods.gradient import Bilevel, Frozen, LabelledBatch, StepOutcome, differentiate
from darts.methods.relaxation import Progress

Kinds = Mapping[str, EdgeWeights]
"""The weights of each kind of cell."""


class Perturbation(Protocol):
    """Changes the weights of operations for one weight step.

    It acts on probabilities: each row of the table is a distribution over the candidates of an
    edge (the relaxation is `Softmax`).
    """

    def __call__(
        self,
        problem: Bilevel,
        tables: Kinds,
        batch: LabelledBatch,
        progress: Progress,
        generator: torch.Generator,
    ) -> dict[str, EdgeWeights]:
        """The tables for the weight step.

        Args:
            problem: Supernet and loss.
            tables: The tables that alpha and beta describe, without gradients.
            batch: The training batch of the step.
            progress: The position of the search in its stage.
            generator: The source of random numbers, on the CPU.
        """


@dataclass(frozen=True)
class RandomPerturbation:
    """SDARTS-RS: uniform noise on the weights of operations.

        p = clip(p0 + U(-eps, eps)),   eps(e) = epsilon + (final_epsilon - epsilon) · e / E

    `clip` brings the noisy rows back to distributions; see `clip_rows`. The random numbers are
    drawn once per step. Candidates with weight 0, which the edge does not have, keep it.

    Source: SmoothDARTS (arXiv 2002.05283, §3.1) and the authors' code.

    >>> round(RandomPerturbation().at(Progress(25, 50)), 3)
    0.165

    Attributes:
        epsilon: Largest change of a weight in the first epoch.
        final_epsilon: What it grows to, linearly; the last of E epochs has (E - 1) / E of the way.
    """

    epsilon: float = 0.03
    final_epsilon: float = 0.3

    def at(self, progress: Progress) -> float:
        """The largest change in an epoch."""
        rise = self.final_epsilon - self.epsilon
        return self.epsilon + rise * progress.epoch / progress.epochs

    def __call__(
        self,
        problem: Bilevel,
        tables: Kinds,
        batch: LabelledBatch,
        progress: Progress,
        generator: torch.Generator,
    ) -> dict[str, EdgeWeights]:
        size = self.at(progress)
        columns = len(problem.architecture.operations)
        before = [table.operations[:, :columns] for table in tables.values()]
        return replaced(tables, [disturb(one, size, generator) for one in before])


@dataclass(frozen=True)
class AdversarialPerturbation(RandomPerturbation):
    """SDARTS-ADV: the weights of operations near the true ones with the largest loss, nearly.

        p = clip(p0 + U(-eps, eps)),   then `steps` times
        p = clip(p0 + clamp(p + 2 eps / steps · sign(dL_train/dp) - p0, -eps, eps))

    with the training batch of the step. If the loss at p is not larger than at p0, p is p0. During
    the attack the supernet is in evaluation mode, so its running statistics stay as they are. The
    attack costs `steps` + 2 forward and `steps` backward passes.

    Source: SmoothDARTS (arXiv 2002.05283, §3.2) and the authors' code.

    >>> AdversarialPerturbation().steps
    7

    Attributes:
        epsilon: Largest change of a weight in the first epoch.
        final_epsilon: What it grows to, linearly; the last of E epochs has (E - 1) / E of the way.
        steps: Steps of gradient ascent.
    """

    steps: int = 7

    def __call__(
        self,
        problem: Bilevel,
        tables: Kinds,
        batch: LabelledBatch,
        progress: Progress,
        generator: torch.Generator,
    ) -> dict[str, EdgeWeights]:
        size = self.at(progress)
        columns = len(problem.architecture.operations)
        before = [table.operations[:, :columns] for table in tables.values()]
        present = [one != 0 for one in before]
        supernet = problem.supernet
        training = supernet.training
        supernet.eval()
        try:
            with Frozen(supernet):
                loss, _ = _attacked(problem, tables, before, batch, differentiated=False)
                points = [disturb(one, size, generator) for one in before]
                for _ in range(self.steps):
                    _, slopes = _attacked(problem, tables, points, batch)
                    points = [
                        clip_rows(
                            origin
                            + (p + 2 * size / self.steps * slope.sign() - origin).clamp(
                                -size, size
                            ),
                            exists,
                        )
                        for origin, p, slope, exists in zip(
                            before, points, slopes, present, strict=True
                        )
                    ]
                reached, _ = _attacked(problem, tables, points, batch, differentiated=False)
        finally:
            supernet.train(training)
        # A branch on the losses would make the host wait for the device.
        chosen = [
            torch.where(loss > reached, origin, p) for origin, p in zip(before, points, strict=True)
        ]
        return replaced(tables, chosen)


def disturb(weights: Tensor, size: float, generator: torch.Generator) -> Tensor:
    """Add uniform noise from [-size, size) to weights `[E, O]` and clip the rows."""
    uniform = torch.rand(weights.shape, generator=generator, dtype=torch.float64)
    noise = ((2 * uniform - 1) * size).to(weights)
    return clip_rows(weights + noise, weights != 0)


def clip_rows(weights: Tensor, present: Tensor) -> Tensor:
    """Bring rows back to distributions: clamp to [0, 1], then divide by the sum.

    If nothing of a row is left, its largest entry gets the weight 1. This is not the nearest
    distribution in the Euclidean sense; it is what the authors' code does.

    >>> clip_rows(torch.tensor([[1.5, -0.5, 0.25]]), torch.ones(1, 3, dtype=torch.bool)).tolist()
    [[0.800..., 0.0, 0.200...]]

    Args:
        weights: `[E, O]`.
        present: `[E, O]`: False for candidates that an edge does not have; they keep weight 0.
    """
    largest = weights.masked_fill(~present, -torch.inf).argmax(dim=1)
    clamped = weights.clamp(0.0, 1.0).masked_fill(~present, 0.0)
    empty = clamped.sum(dim=1, keepdim=True) == 0
    single = one_hot(largest, weights.shape[1]).to(weights)
    filled = torch.where(empty & present, single, clamped)
    total = filled.sum(dim=1, keepdim=True)
    return filled / total.clamp_min(torch.finfo(total.dtype).tiny)


def replaced(tables: Kinds, points: Sequence[Tensor]) -> dict[str, EdgeWeights]:
    """The tables with other weights in their first columns.

    A further column (an auxiliary skip connection) keeps its weight.
    """
    return {
        kind: table._replace(
            operations=torch.cat([point, table.operations[:, point.shape[1] :]], dim=1)
        )
        for (kind, table), point in zip(tables.items(), points, strict=True)
    }


def _attacked(
    problem: Bilevel,
    tables: Kinds,
    points: Sequence[Tensor],
    batch: LabelledBatch,
    *,
    differentiated: bool = True,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The loss of the batch at these weights, and its gradient in them, over all processes."""
    leaves = [point.clone().requires_grad_(differentiated) for point in points]
    changed = replaced(tables, leaves)

    def evaluate(part: LabelledBatch) -> StepOutcome:
        with problem.context():
            logits = problem.supernet(part.images, changed)
            return StepOutcome(problem.criterion(logits, part.labels), logits)

    parts = batch.split(problem.parts)
    if differentiated:
        outcome, slopes = differentiate(evaluate, parts, leaves)
        problem.reduce(slopes)
        return outcome.loss, slopes
    with torch.no_grad():
        loss = StepOutcome.of_parts([evaluate(part) for part in parts]).loss
    problem.reduce([loss])
    return loss, ()
