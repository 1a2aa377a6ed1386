"""The kind of a task: its loss, its measures and its predictions.

Everything that differs between images with one label and images with several is behind
`LearningTask`; nothing else in the toolkit asks which of them it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import torch
from torch import Tensor

from darts.targets.scores import Scores

TaskKind = Literal["single-label", "multi-label"]


class Tally(Protocol):
    """Adds up what scores need, batch by batch."""

    def add(self, logits: Tensor, labels: Tensor) -> None:
        """Count a batch: logits `[B, C]` and its labels."""

    def scores(self) -> Scores:
        """The scores of all batches of all processes. Every process must call it."""


class LearningTask(Protocol):
    """What a network learns.

    Labels are class numbers `[B]` or, with several labels for an image, 0 and 1 `[B, C]`; targets
    are labels or probabilities `[B, C]`.

    Attributes:
        kind: Name of the kind of task.
        measure: The main measure of a network, by which networks are chosen, in words.
        key: Its name in files.
        activation: What turns logits into probabilities.
        step_measure: Name of the measure of a single batch that a training logs.
    """

    @property
    def kind(self) -> TaskKind: ...

    @property
    def measure(self) -> str: ...

    @property
    def key(self) -> str: ...

    @property
    def activation(self) -> str: ...

    @property
    def step_measure(self) -> str: ...

    def loss(
        self,
        logits: Tensor,
        targets: Tensor,
        *,
        label_smoothing: float = 0.0,
        weights: Tensor | None = None,
    ) -> Tensor:
        """The loss, the mean over a batch: a scalar.

        Args:
            logits: `[B, C]`.
            targets: Labels or probabilities.
            label_smoothing: Share of the target that is spread.
            weights: Weights of the classes `[C]`, from `class_weights`.
        """

    def divergence(self, logits: Tensor, teachers: Tensor) -> Tensor:
        """Kullback-Leibler divergence of a network from its teacher, the mean over a batch."""

    def batch_score(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The measure of a batch in %: a scalar on the device."""

    def probabilities(self, logits: Tensor) -> Tensor:
        """Logits `[B, C]` as probabilities of the classes."""

    def named(self, probabilities: Tensor, best: int) -> list[int]:
        """The classes that a prediction names, the most probable first.

        Args:
            probabilities: Of the classes of one image, `[C]`.
            best: How many classes are named at most; only where each image has one.
        """

    def soft(self, labels: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
        """Labels as probabilities `[B, C]`, which can be mixed."""

    def hard(self, targets: Tensor) -> Tensor:
        """The labels that probabilities `[B, C]` are closest to."""

    def random_labels(self, images: int, classes: int, generator: torch.Generator) -> Tensor:
        """Random labels of some images, to try a network."""

    def class_weights(self, labels: Tensor, classes: int) -> Tensor:
        """Weights `[C]` that make up for the different numbers of images of the classes."""

    def tally(self, classes: Sequence[str]) -> Tally:
        """A new tally for networks with these classes."""

    def chance(self, classes: int) -> float:
        """The main measure in % of a network that has learnt nothing."""


def constant_share(counts: Sequence[int]) -> float:
    """Share of the most frequent class, in %; 0 without images.

    >>> constant_share([53, 3])
    94.64285714285714
    """
    return 100 * max(counts, default=0) / max(1, sum(counts))
