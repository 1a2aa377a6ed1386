"""Any number of labels for each image: binary cross-entropy, mean average precision, F1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from darts.system import distributed
from darts.targets.measures import f1_of_counts, precision_over_recall
from darts.targets.scores import ClassScores
from darts.targets.target import TaskKind

THRESHOLD = 0.5


@dataclass(frozen=True)
class MultiLabel:
    """Each image has any number of the classes; each class is a question of its own.

    >>> logits, labels = torch.tensor([[2.0, -1.0]]), torch.tensor([[1, 1]])
    >>> MULTI.batch_score(logits, labels)
    tensor(66.6667)
    """

    kind: ClassVar[TaskKind] = "multi-label"
    measure: ClassVar[str] = "mean average precision"
    key: ClassVar[str] = "map"
    activation: ClassVar[str] = "sigmoid"
    step_measure: ClassVar[str] = "f1"

    def loss(
        self,
        logits: Tensor,
        targets: Tensor,
        *,
        label_smoothing: float = 0.0,
        weights: Tensor | None = None,
    ) -> Tensor:
        """Binary cross-entropy of the sigmoid, the mean over images and classes.

        Smoothing moves each target to (1 - s) · target + s / 2. The weights multiply the positive
        part of each class.
        """
        wanted = targets.to(logits.dtype)
        if label_smoothing:
            wanted = (1 - label_smoothing) * wanted + label_smoothing / 2
        return functional.binary_cross_entropy_with_logits(
            logits, wanted, pos_weight=None if weights is None else weights.to(logits)
        )

    def divergence(self, logits: Tensor, teachers: Tensor) -> Tensor:
        """Of the two Bernoulli distributions of each class, the mean over images and classes."""
        wanted = teachers.sigmoid()
        loss = functional.binary_cross_entropy_with_logits
        return loss(logits, wanted) - loss(teachers, wanted)

    def batch_score(self, logits: Tensor, labels: Tensor) -> Tensor:
        """F1 of all labels of the batch at the threshold 0.5, in %."""
        given, present = logits > 0, labels > 0
        right = (given & present).sum()
        return 200 * right / (given.sum() + present.sum()).clamp(min=1)

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.float().sigmoid()

    def named(self, probabilities: Tensor, best: int) -> list[int]:
        order = probabilities.argsort(descending=True)
        return order[probabilities[order] > THRESHOLD].tolist()

    def soft(self, labels: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
        return labels.to(dtype)

    def hard(self, targets: Tensor) -> Tensor:
        return (targets > THRESHOLD).to(torch.uint8)

    def random_labels(self, images: int, classes: int, generator: torch.Generator) -> Tensor:
        return torch.randint(2, (images, classes), generator=generator, dtype=torch.uint8)

    def class_weights(self, labels: Tensor, classes: int) -> Tensor:
        """Images without a label over images with it, for each class.

        With these, having and lacking a label weigh the same in total.

        >>> MULTI.class_weights(torch.tensor([[1, 0], [0, 0], [0, 1], [0, 1]]), 2)
        tensor([3., 1.])
        """
        present = labels.sum(0, dtype=torch.int64)
        return torch.where(present > 0, (len(labels) - present) / present.clamp(min=1), 1.0)

    def tally(self, classes: Sequence[str]) -> MultiTally:
        return MultiTally(classes)

    def chance(self, classes: int) -> float:
        return 0.0


MULTI = MultiLabel()
"""Each image has any number of the classes."""


@dataclass(frozen=True)
class MultiScores:
    """Scores on images with any number of labels. A label is given if its probability is above 0.5.

    Attributes:
        loss: Mean binary cross-entropy.
        mean_average_precision: Mean over the classes that some image has of
            `darts.targets.measures.precision_over_recall`, in %.
        micro_f1: F1 of all decisions together, in %.
        macro_f1: Mean over all classes of their F1, in %.
        subset_accuracy: Share of images of which each label is right, in %.
        classes: The scores of each class.
    """

    loss: float
    mean_average_precision: float
    micro_f1: float
    macro_f1: float
    subset_accuracy: float
    classes: tuple[ClassScores, ...] = ()

    @property
    def quality(self) -> float:
        return self.mean_average_precision

    def as_dict(self) -> dict[str, float]:
        return {
            "loss": self.loss,
            "map": self.mean_average_precision,
            "micro_f1": self.micro_f1,
            "macro_f1": self.macro_f1,
            "subset_accuracy": self.subset_accuracy,
        }

    def lines(self) -> list[tuple[str, str]]:
        return [
            ("mAP", f"{self.mean_average_precision:.2f} %"),
            ("micro F1", f"{self.micro_f1:.2f} %"),
            ("macro F1", f"{self.macro_f1:.2f} %"),
            ("all labels right", f"{self.subset_accuracy:.2f} %"),
        ]

    def remarks(self) -> list[str]:
        absent, number = sum(one.images == 0 for one in self.classes), len(self.classes)
        return [f"No image has {absent} of the {number} labels; mAP leaves them out."] * (
            absent > 0
        )


class MultiTally:
    """Keeps all logits and labels: the order of an average precision is that of all images.

    >>> tally = MULTI.tally(("sun", "rain"))
    >>> logits = torch.tensor([[2.0, -1.0], [1.0, 1.0], [-1.0, 0.5]])
    >>> tally.add(logits, torch.tensor([[1, 0], [0, 1], [1, 1]]))
    >>> scores = tally.scores()
    >>> round(scores.mean_average_precision, 2), round(scores.micro_f1, 2)
    (91.67, 75.0)

    Args:
        classes: Names of the classes.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes
        self._batches: list[Tensor] = []

    def add(self, logits: Tensor, labels: Tensor) -> None:
        pair = (logits.detach().double(), labels.double())
        self._batches.append(torch.cat(pair, dim=1).cpu())

    def scores(self) -> MultiScores:
        empty = torch.zeros(0, 2 * len(self._classes), dtype=torch.float64)
        logits, labels = distributed.gathered(torch.cat([empty, *self._batches])).chunk(2, dim=1)
        given, present = logits > 0, labels > 0
        counts = [(given & present).sum(0), given.sum(0), present.sum(0)]
        precisions = [
            precision_over_recall(*pair) for pair in zip(logits.T, present.T, strict=True)
        ]
        known = [one for one in precisions if one is not None]
        classes = tuple(
            ClassScores.counted(name, row, None if one is None else 100 * one)
            for name, row, one in zip(
                self._classes, torch.stack(counts, 1).tolist(), precisions, strict=True
            )
        )
        loss = functional.binary_cross_entropy_with_logits(logits, labels)
        return MultiScores(
            loss.item(),
            100 * sum(known) / max(1, len(known)),
            100 * f1_of_counts(*(int(count.sum()) for count in counts)),
            sum(one.f1 for one in classes) / len(classes),
            100 * (given == present).all(1).double().mean().item(),
            classes,
        )
