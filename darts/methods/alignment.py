"""Lambda-DARTS: the cells of a supernet should want the same change of the operations' weights.

All cells of a kind share one table P. With a copy P_l for each cell l, g_l = dL_train/dP_l is what
cell l wants. Where these gradients disagree, the shared table follows a few cells, and the search
collapses.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from cells.topology import EdgeWeights
from darts.methods.gradient import Bilevel, Frozen, LabelledBatch, differentiate_at

ALIGNED = "normal"
"""The kind of cell whose gradients are compared. Reduction cells are few and far apart."""


class WeightRegulariser(ABC):
    """A term that changes the gradient of the weights in the weight step.

    Attributes:
        recordable: Whether a CUDA graph can record it: whether it is the same in every epoch.
    """

    recordable: ClassVar[bool] = False

    @abstractmethod
    def __call__(
        self, problem: Bilevel, cells: Sequence[EdgeWeights], batch: LabelledBatch
    ) -> None:
        """Add the gradient of the term to that of the weights.

        It is called after the backward pass of the weight step and before gradients are averaged
        over processes and clipped.

        Args:
            problem: Supernet, architecture and loss. Parameters of the supernet have gradients.
            cells: The table of each cell; `operations` is a leaf with its gradient.
            batch: The training batch.
        """


@dataclass(frozen=True)
class LambdaAlignment(WeightRegulariser):
    """Raises the mean cosine between the gradients of the normal cells.

        Lambda = mean over pairs l < m of cos(g_l, g_m),   loss = L_train - strength · Lambda

    The gradient of Lambda with respect to the weights w is a central difference:

        -dLambda/dw = [dL/dw(P_l - eps · delta_l) - dL/dw(P_l + eps · delta_l)] / (2 eps)
        delta_l = dLambda/dg_l,   eps = epsilon / |delta|

    with the norm of all delta together. This costs two further forward and backward passes; they
    do not change running statistics (in the authors' code they do).

    Source: Lambda-DARTS (arXiv 2210.07998, §4) and the authors' code.

    >>> LambdaAlignment(strength=0.25)
    LambdaAlignment(strength=0.25, epsilon=0.0001)

    Attributes:
        strength: Factor of Lambda in the last epoch; it grows linearly from 0.
        epsilon: Length of the step of the central difference.
    """

    strength: float = 0.125
    epsilon: float = 1e-4

    def __call__(
        self, problem: Bilevel, cells: Sequence[EdgeWeights], batch: LabelledBatch
    ) -> None:
        strength = problem.architecture.progress.between(0.0, self.strength)
        if strength == 0:
            return
        aligned, gradients = _gathered(problem, cells, [one.operations.grad for one in cells])
        direction = alignment_slopes(gradients.flatten(1)).view_as(gradients)
        norm = torch.linalg.vector_norm(direction)
        # Equal gradients have no direction; eps must not be infinite there.
        eps = self.epsilon / norm.clamp_min(torch.finfo(norm.dtype).tiny)
        weights = list(problem.supernet.parameters())
        noise = None if problem.noise is None else problem.noise.get_state()

        def gradient_at(sign: int) -> tuple[Tensor, ...]:
            if problem.noise is not None and noise is not None:
                # The difference of two losses with different random numbers would be noise.
                problem.noise.set_state(noise)
            moved = [one.detach() for one in cells]
            for index, slope in zip(aligned, direction, strict=True):
                table = moved[index].operations.clone()
                table[:, : slope.shape[1]] += sign * eps * slope
                moved[index] = moved[index]._replace(operations=table)
            return differentiate_at(problem, weights, batch, lambda: moved, weights)[1]

        ahead, behind = gradient_at(+1), gradient_at(-1)
        for weight, plus, minus in zip(weights, ahead, behind, strict=True):
            extra = strength * (minus - plus) / (2 * eps)
            weight.grad = extra if weight.grad is None else weight.grad + extra


def copied_tables(tables: Mapping[str, EdgeWeights], kinds: Sequence[str]) -> list[EdgeWeights]:
    """A copy of the tables for each cell, whose weights of operations are leaves.

    Args:
        tables: By kind of cell.
        kinds: The kind of each cell.
    """
    return [
        tables[kind]._replace(operations=tables[kind].operations.detach().clone().requires_grad_())
        for kind in kinds
    ]


def alignment(problem: Bilevel, batch: LabelledBatch) -> Tensor:
    """Lambda at the present weights, a scalar between -1 and 1; nothing is changed.

    It uses the weights of operations of validation, and batch statistics as in training.

    Args:
        problem: Supernet, architecture and loss.
        batch: The batch on which the gradients of the cells are compared.
    """
    supernet = problem.supernet
    tables = {
        kind: table._replace(active=None)
        for kind, table in problem.architecture.evaluated_tables().items()
    }
    cells = copied_tables(tables, problem.cells)
    training = supernet.training
    supernet.train()
    try:
        with Frozen(supernet):
            weights = list(supernet.parameters())
            leaves = [one.operations for one in cells]
            _, found = differentiate_at(problem, weights, batch, lambda: cells, leaves)
    finally:
        supernet.train(training)
    _, gradients = _gathered(problem, cells, found)
    return mean_cosine(gradients.flatten(1))


def _gathered(
    problem: Bilevel, cells: Sequence[EdgeWeights], gradients: Sequence[Tensor | None]
) -> tuple[list[int], Tensor]:
    """Which cells are compared, and their gradients `[cells, E, O]`, over all processes.

    The column of an auxiliary skip connection is left out.
    """
    aligned = [index for index, kind in enumerate(problem.cells) if kind == ALIGNED]
    columns = len(problem.architecture.operations)
    tables = []
    for index in aligned:
        gradient = gradients[index]
        if gradient is None:
            gradient = torch.zeros_like(cells[index].operations)
        tables.append(gradient[:, :columns])
    stacked = torch.stack(tables)
    problem.reduce([stacked])
    return aligned, stacked


def mean_cosine(gradients: Tensor) -> Tensor:
    """Mean over all pairs of rows `[n, D]` of the cosine between them; 0 for fewer than two.

    >>> round(mean_cosine(torch.tensor([[1.0, 0.0], [2.0, 2.0]])).item(), 4)
    0.7071
    """
    units, _ = _normalised(gradients)
    pairs = max(len(gradients) * (len(gradients) - 1), 1)
    return (units.sum(dim=0).square().sum() - units.square().sum()) / pairs


def alignment_slopes(gradients: Tensor) -> Tensor:
    """The gradient of `mean_cosine` with respect to the rows, `[n, D]`.

    delta_l = 2 / (n (n - 1)) · (I - u_l u_l') (sum of u) / |g_l|,   u_l = g_l / |g_l|
    """
    units, norms = _normalised(gradients)
    total = units.sum(dim=0, keepdim=True)
    across = total - (units * total).sum(dim=1, keepdim=True) * units
    pairs = max(len(gradients) * (len(gradients) - 1), 1)
    return 2 * across / (pairs * norms)


def _normalised(gradients: Tensor) -> tuple[Tensor, Tensor]:
    """The rows divided by their norms, and the norms `[n, 1]`; a row of zeros has norm infinity."""
    norms = torch.linalg.vector_norm(gradients, dim=1, keepdim=True)
    norms = norms.masked_fill(norms == 0, torch.inf)
    return gradients / norms, norms
