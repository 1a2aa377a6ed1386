"""What a step of a retraining minimises."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from darts.training.distillation import divergence


@dataclass(frozen=True, kw_only=True)
class Objective:
    """Cross entropy with the labels, with what an auxiliary head and a teacher add.

    Args:
        label_smoothing: Share of the target that is spread over all classes.
        auxiliary_weight: Weight of the auxiliary head's cross entropy.
        distillation_weight: Weight of the divergence from a teacher; the labels have the rest.
            The auxiliary head learns from labels alone.
    """

    label_smoothing: float
    auxiliary_weight: float
    distillation_weight: float

    def of_labels(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Cross entropy of logits `[B, classes]` with labels `[B]` or probabilities like them."""
        return functional.cross_entropy(logits, targets, label_smoothing=self.label_smoothing)

    def __call__(
        self,
        logits: Tensor,
        auxiliary: Tensor | None,
        targets: Tensor,
        teachers: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The cross entropy with the labels, which is shown, and the whole, which is minimised."""
        loss = total = self.of_labels(logits, targets)
        if teachers is not None:
            share = self.distillation_weight
            total = share * divergence(logits, teachers) + (1 - share) * loss
        if auxiliary is not None:
            total = total + self.auxiliary_weight * self.of_labels(auxiliary, targets)
        return loss, total
