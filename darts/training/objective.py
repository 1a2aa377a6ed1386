"""The loss of a retraining."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from darts.training.distillation import divergence


@dataclass(frozen=True, kw_only=True)
class Objective:
    """Cross entropy with the labels, plus the terms of an auxiliary head and of a teacher.

        total = (1 - d) · CE(logits, labels) + d · KL(teacher || logits) + a · CE(auxiliary, labels)

    with d the distillation weight (0 without a teacher) and a the auxiliary weight (0 without an
    auxiliary head).

    >>> import torch
    >>> objective = Objective(label_smoothing=0.0, auxiliary_weight=0.4, distillation_weight=0.8)
    >>> loss, total = objective(torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor([0]))
    >>> round(loss.item(), 4), round(total.item(), 4)
    (0.6931, 0.9704)

    Attributes:
        label_smoothing: Share of the target that is spread over all classes.
        auxiliary_weight: Weight of the auxiliary head's cross entropy.
        distillation_weight: Weight of the divergence from a teacher; the labels have the rest.
            The auxiliary head learns from labels alone.
    """

    label_smoothing: float
    auxiliary_weight: float
    distillation_weight: float

    def of_labels(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Cross entropy of logits `[B, C]` with labels `[B]` or probabilities `[B, C]`."""
        return functional.cross_entropy(logits, targets, label_smoothing=self.label_smoothing)

    def __call__(
        self,
        logits: Tensor,
        auxiliary: Tensor | None,
        targets: Tensor,
        teachers: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The cross entropy with the labels, for display, and the total loss, to be minimised."""
        loss = total = self.of_labels(logits, targets)
        if teachers is not None:
            share = self.distillation_weight
            total = share * divergence(logits, teachers) + (1 - share) * loss
        if auxiliary is not None:
            total = total + self.auxiliary_weight * self.of_labels(auxiliary, targets)
        return loss, total
