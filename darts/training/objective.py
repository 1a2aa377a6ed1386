"""The loss of a retraining."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from darts.targets.single import SINGLE
from darts.targets.target import LearningTask


@dataclass(frozen=True, kw_only=True)
class Objective:
    """The loss of the labels, plus the terms of an auxiliary head and of a teacher.

        total = (1 - d) · L(logits, labels) + d · KL(teacher || logits) + a · L(auxiliary, labels)

    with L the loss of the task (cross-entropy, or binary cross-entropy), d the distillation weight
    (0 without a teacher) and a the auxiliary weight (0 without an auxiliary head).

    >>> import torch
    >>> objective = Objective(label_smoothing=0.0, auxiliary_weight=0.4, distillation_weight=0.8)
    >>> loss, total = objective(torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor([0]))
    >>> round(loss.item(), 4), round(total.item(), 4)
    (0.6931, 0.9704)

    Attributes:
        label_smoothing: Share of the target that is spread over all classes.
        auxiliary_weight: Weight of the auxiliary head's loss.
        distillation_weight: Weight of the divergence from a teacher; the labels have the rest.
            The auxiliary head learns from labels alone.
        target: What the network learns.
        class_weights: Weights of the classes `[C]` in L, but not in the divergence; None for equal
            ones.
    """

    label_smoothing: float
    auxiliary_weight: float
    distillation_weight: float
    target: LearningTask = SINGLE
    class_weights: Tensor | None = None

    def of_labels(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of logits `[B, C]` for labels or probabilities `[B, C]`."""
        return self.target.loss(
            logits, targets, label_smoothing=self.label_smoothing, weights=self.class_weights
        )

    def __call__(
        self,
        logits: Tensor,
        auxiliary: Tensor | None,
        targets: Tensor,
        teachers: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The loss of the labels, for display, and the total loss, to be minimised."""
        loss = total = self.of_labels(logits, targets)
        if teachers is not None:
            share = self.distillation_weight
            total = share * self.target.divergence(logits, teachers) + (1 - share) * loss
        if auxiliary is not None:
            total = total + self.auxiliary_weight * self.of_labels(auxiliary, targets)
        return loss, total
