"""OLES: operations whose weights no longer learn what helps on other images are frozen.

In a supernet, operations with weights learn faster than the architecture; the search then judges
memories of the training images. Where the gradients of the training and the validation batch point
in different directions, the weights of this operation on this edge stop learning for good. Alpha
goes on learning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from cells.stacked import StackedOperation
from darts.methods.gradient import Bilevel, LabelledBatch, StepOutcome, differentiate
from genotypes.search_space import SKIP_CONNECT


@dataclass(frozen=True)
class OperationFreezing:
    """The rule of OLES; `start` makes the object that applies it.

        mean over `window` iterations of cos(dL_train/dw, dL_val/dw) < threshold: freeze w

    The training gradient is that of the previous iteration, after clipping. As in the authors'
    code, `window` + 1 similarities are summed and divided by `window`.

    Source: OLES (Jiang et al., NeurIPS 2023, §3) and the authors' code. There the gradient of the
    validation loss contains the training gradient of the step before, because it is not cleared;
    their threshold was tuned on this. Here it is the gradient of the validation loss alone. There,
    momentum and weight decay go on moving frozen weights; here nothing does.

    >>> OperationFreezing(threshold=0.3)
    OperationFreezing(threshold=0.3, window=20, similarity='columns')

    Attributes:
        threshold: Weights with a smaller mean similarity are frozen.
        window: Iterations between decisions.
        similarity: "columns" is the code's: the cosine along the first dimension of each weight
            tensor, averaged over the others and then over the tensors of the operation.
            "flattened" is the paper's: the cosine of the whole tensors, averaged over them.
    """

    threshold: float = 0.4
    window: int = 20
    similarity: Literal["columns", "flattened"] = "columns"
    recordable: ClassVar[bool] = False

    def start(self, operations: Sequence[StackedOperation]) -> Freezer:
        """The state of a search with these operations, of which none is frozen yet."""
        return Freezer(self, operations)


class Freezer:
    """Counts similarities and decides what is frozen; also the `Gradient` of the search.

    The gradient of alpha and beta is that of `FirstOrder`; the same backward pass gives the
    gradient of the weights that is compared.

    >>> weight = nn.Parameter(torch.zeros(4, 3))
    >>> operation = StackedOperation(0, "sep_conv_3x3", 0, edges=(0, 1), parameters=(weight,))
    >>> freezer = OperationFreezing(window=1).start([operation])
    >>> for _ in range(2):
    ...     freezer.count(torch.tensor([0.9, 0.1]))
    >>> freezer.frozen
    [(False, True)]

    Args:
        rule: Threshold and window.
        operations: All operations with weights; factorised reductions are left out.

    Attributes:
        operations: The operations that may be frozen.
        frozen: For each of them and each of its edges: whether it is frozen.
    """

    recordable: ClassVar[bool] = False
    needs_fixed_weights: ClassVar[bool] = False

    def __init__(self, rule: OperationFreezing, operations: Sequence[StackedOperation]) -> None:
        self.rule = rule
        self.operations = tuple(one for one in operations if one.name != SKIP_CONNECT)
        self.frozen = [(False,) * len(one.edges) for one in self.operations]
        self._counted, self._sums = 0, torch.zeros(sum(map(len, self.frozen)))
        self._before: list[Tensor] = []
        self._places = {operation: place for place, operation in enumerate(self.operations)}

    @property
    def weights(self) -> list[nn.Parameter]:
        """The weights that may be frozen."""
        return [parameter for one in self.operations for parameter in one.parameters]

    @property
    def share(self) -> float:
        """The share of the operations that is frozen."""
        flags = [flag for flags in self.frozen for flag in flags]
        return sum(flags) / max(len(flags), 1)

    def frozen_edges(self, operation: StackedOperation) -> tuple[bool, ...]:
        """Whether an operation is frozen, for each of its edges."""
        place = self._places.get(operation)
        return (False,) * len(operation.edges) if place is None else self.frozen[place]

    def __call__(
        self, problem: Bilevel, validation: LabelledBatch, training: LabelledBatch
    ) -> tuple[StepOutcome, tuple[Tensor, ...]]:
        architecture = problem.architecture

        def evaluate(batch: LabelledBatch) -> StepOutcome:
            with problem.context():
                logits = problem.supernet(batch.images, architecture.tables())
                return StepOutcome(problem.criterion(logits, batch.labels), logits)

        parameters = list(architecture.parameters())
        outcome, found = differentiate(
            evaluate, validation.split(problem.parts), [*parameters, *self.weights]
        )
        gradients, of_weights = found[: len(parameters)], found[len(parameters) :]
        if self._before:
            problem.reduce(of_weights)
            self.count(self._compare(of_weights))
        return outcome, gradients

    def remember(self) -> None:
        """Keep the gradients of a weight step for the next comparison; call it after clipping."""
        self._before = [
            torch.zeros_like(weight) if weight.grad is None else weight.grad.clone()
            for weight in self.weights
        ]

    def _compare(self, gradients: Sequence[Tensor]) -> Tensor:
        """The similarity of each operation on each edge with the gradients of the last step."""
        similarities, start = [], 0
        measure = column_similarity if self.rule.similarity == "columns" else flat_similarity
        for operation in self.operations:
            stop = start + len(operation.parameters)
            pairs = zip(gradients[start:stop], self._before[start:stop], strict=True)
            tensors = [
                measure(operation.by_edge(one), operation.by_edge(two)) for one, two in pairs
            ]
            similarities.append(torch.stack(tensors).mean(dim=0))
            start = stop
        return torch.cat(similarities)

    def count(self, similarities: Tensor) -> None:
        """Add the similarities of an iteration, in the order of `frozen`; decide if it is time."""
        self._sums = self._sums.to(similarities) + similarities
        self._counted += 1
        if self._counted <= self.rule.window:
            return
        below = iter((self._sums / self.rule.window < self.rule.threshold).tolist())
        self.frozen = [tuple([next(below) or flag for flag in flags]) for flags in self.frozen]
        self._counted, self._sums = 0, torch.zeros_like(self._sums)

    def state_dict(self) -> dict[str, Any]:
        return {
            "frozen": [list(flags) for flags in self.frozen],
            "counted": self._counted,
            "sums": self._sums,
            "before": list(self._before),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.frozen = [tuple(flags) for flags in state["frozen"]]
        self._counted = state["counted"]
        self._sums = state["sums"].clone()
        self._before = [
            gradient.to(weight, copy=True)
            for weight, gradient in zip(self.weights, state["before"], strict=False)
        ]


def column_similarity(one: Tensor, other: Tensor) -> Tensor:
    """The cosine along the second dimension of `[edges, N, …]`, averaged over those behind it.

    >>> column_similarity(torch.ones(2, 3, 5), -torch.ones(2, 3, 5)).round()
    tensor([-1., -1.])
    """
    edges, rows = one.shape[:2]
    columns = one.reshape(edges, rows, -1), other.reshape(edges, rows, -1)
    return cosine_similarity(*columns, dim=1).mean(dim=1)


def flat_similarity(one: Tensor, other: Tensor) -> Tensor:
    """The cosine of all of `[edges, …]` but the first dimension."""
    return cosine_similarity(one.flatten(1), other.flatten(1), dim=1)
