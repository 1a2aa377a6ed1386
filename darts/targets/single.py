"""One label for each image: cross-entropy, accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from darts.system import distributed
from darts.targets.scores import ClassScores
from darts.targets.target import TaskKind, constant_share

BEST = 5


@dataclass(frozen=True)
class SingleLabel:
    """Each image has one of the classes.

    >>> logits, labels = torch.tensor([[2.0, 0.0], [2.0, 0.0]]), torch.tensor([0, 1])
    >>> SINGLE.batch_score(logits, labels)
    tensor(50.)
    """

    kind: ClassVar[TaskKind] = "single-label"
    measure: ClassVar[str] = "accuracy"
    key: ClassVar[str] = "accuracy"
    activation: ClassVar[str] = "softmax"
    step_measure: ClassVar[str] = "accuracy"

    def loss(
        self,
        logits: Tensor,
        targets: Tensor,
        *,
        label_smoothing: float = 0.0,
        weights: Tensor | None = None,
    ) -> Tensor:
        """Cross-entropy; with weights w, the mean of w[label] times the one of each image.

        The mean is over the images, not over their weights, so the parts of a batch add up.
        """
        if weights is None:
            return functional.cross_entropy(logits, targets, label_smoothing=label_smoothing)
        each = functional.cross_entropy(
            logits,
            targets,
            weight=weights.to(logits),
            label_smoothing=label_smoothing,
            reduction="none",
        )
        return each.mean()

    def divergence(self, logits: Tensor, teachers: Tensor) -> Tensor:
        return functional.kl_div(
            logits.log_softmax(1), teachers.log_softmax(1), reduction="batchmean", log_target=True
        )

    def batch_score(self, logits: Tensor, labels: Tensor) -> Tensor:
        return (logits.argmax(1) == labels).float().mean() * 100

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.float().softmax(1)

    def named(self, probabilities: Tensor, best: int) -> list[int]:
        return probabilities.topk(min(best, len(probabilities))).indices.tolist()

    def soft(self, labels: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
        return functional.one_hot(labels, classes).to(dtype)

    def hard(self, targets: Tensor) -> Tensor:
        return targets.argmax(1)

    def random_labels(self, images: int, classes: int, generator: torch.Generator) -> Tensor:
        return torch.randint(classes, (images,), generator=generator)

    def class_weights(self, labels: Tensor, classes: int) -> Tensor:
        """N / (C · n) for each of C classes with n of N images; its mean over the images is 1.

        >>> SINGLE.class_weights(torch.tensor([0, 0, 0, 1]), 2)
        tensor([0.6667, 2.0000])
        """
        counts = labels.bincount(minlength=classes).float()
        present = (counts > 0).sum()
        return torch.where(counts > 0, len(labels) / (present * counts.clamp(min=1)), 0.0)

    def tally(self, classes: Sequence[str]) -> SingleTally:
        return SingleTally(classes)

    def chance(self, classes: int) -> float:
        return 100 / classes


SINGLE = SingleLabel()
"""Each image has one of the classes."""

uncounted_tally = partial(SINGLE.tally, ())
"""A new tally without the scores of each class."""


@dataclass(frozen=True)
class SingleScores:
    """Scores on images with one label each.

    Attributes:
        loss: Mean cross-entropy.
        accuracy: Share of images whose largest logit is that of their label, in %.
        top5_accuracy: Share of images, in %, whose label is among the five largest logits.
        balanced_accuracy: Mean recall of the classes that have images, in %: the accuracy if all
            classes had equally many.
        classes: The scores of each class.
    """

    loss: float
    accuracy: float
    top5_accuracy: float
    balanced_accuracy: float
    classes: tuple[ClassScores, ...] = ()

    @property
    def quality(self) -> float:
        return self.accuracy

    @property
    def majority(self) -> float:
        """Accuracy in % of always naming the most frequent class."""
        return constant_share([one.images for one in self.classes])

    def as_dict(self) -> dict[str, float]:
        return {
            "loss": self.loss,
            "accuracy": self.accuracy,
            "top5_accuracy": self.top5_accuracy,
            "balanced_accuracy": self.balanced_accuracy,
        }

    def lines(self) -> list[tuple[str, str]]:
        best = [("top 5", f"{self.top5_accuracy:.2f} %")] if len(self.classes) > BEST else []
        return [
            ("accuracy", f"{self.accuracy:.2f} %"),
            *best,
            ("balanced", f"{self.balanced_accuracy:.2f} %"),
        ]

    def remarks(self) -> list[str]:
        if self.accuracy > self.majority:
            return []
        return [
            f"Always naming the most frequent class would reach {self.majority:.2f} % accuracy: "
            "the network does not beat that. Compare the balanced accuracy."
        ]


class SingleTally:
    """Counts right answers, of all images and of each class.

    >>> tally = SINGLE.tally(("cat", "dog"))
    >>> tally.add(torch.tensor([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0]]), torch.tensor([0, 0, 1]))
    >>> round(tally.scores().accuracy, 2), tally.scores().balanced_accuracy
    (66.67, 50.0)

    Args:
        classes: Names of the classes; without, the scores of each class are left out, which cost a
            little time.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes
        self._sums = [0.0] * 4  # Images, loss, right, among the best five.
        self._counts = torch.zeros(3, len(classes), dtype=torch.int64)  # Right, given, present.

    def add(self, logits: Tensor, labels: Tensor) -> None:
        best = logits.topk(min(BEST, logits.shape[1]), dim=1).indices == labels[:, None]
        given = logits.argmax(1)
        right = given == labels
        values = (
            float(len(labels)),
            functional.cross_entropy(logits, labels, reduction="sum").item(),
            right.sum().item(),
            best.any(dim=1).sum().item(),
        )
        self._sums = [total + value for total, value in zip(self._sums, values, strict=True)]
        for row, chosen in enumerate((labels[right], given, labels) if self._classes else ()):
            self._counts[row] += chosen.bincount(minlength=len(self._classes)).cpu()

    def scores(self) -> SingleScores:
        numbers = distributed.total([*self._sums, *self._counts.flatten().tolist()])
        (images, loss, correct, best), counts = numbers[:4], numbers[4:]
        of_class = torch.tensor(counts).round().long().view(3, -1).T.tolist()
        classes = tuple(map(ClassScores.counted, self._classes, of_class))
        recalls = [one.recall for one in classes if one.recall is not None]
        return SingleScores(
            loss / images,
            100 * correct / images,
            100 * best / images,
            sum(recalls) / len(recalls) if recalls else math.nan,
            classes,
        )
