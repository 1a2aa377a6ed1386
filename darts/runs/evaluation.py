"""Evaluation of a network on batches of images, shared by all processes of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from darts.system import distributed

Measure = Callable[[Tensor, Tensor], Tensor]
"""(logits, labels) -> a scalar, a sum over the batch."""


@torch.no_grad()
def sums_over_batches(
    network: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    forward: Callable[[Tensor], Tensor],
    measures: Sequence[Measure],
) -> list[float]:
    """Evaluate a network in evaluation mode, and add up some measures of its logits.

    >>> batches = [(torch.eye(2), torch.tensor([0, 0]))]
    >>> sums_over_batches(nn.Identity(), batches, lambda images: images, [number_correct])
    [1.0]

    Args:
        network: It is in evaluation mode meanwhile.
        batches: The images and labels of this process.
        forward: Images -> logits `[B, classes]`.
        measures: What is added up.

    Returns:
        The sum of each measure over all batches of all processes.
    """
    was_training = network.training
    network.eval()
    sums = [0.0] * len(measures)
    for images, labels in batches:
        logits = forward(images)
        values = [measure(logits, labels).item() for measure in measures]
        sums = [total + value for total, value in zip(sums, values, strict=True)]
    network.train(was_training)
    return distributed.total(sums)


def loss_sum(logits: Tensor, labels: Tensor) -> Tensor:
    """Sum of the cross entropies of a batch."""
    return nn.functional.cross_entropy(logits, labels, reduction="sum")


def number_correct(logits: Tensor, labels: Tensor) -> Tensor:
    """Number of images whose largest logit belongs to their label."""
    return (logits.argmax(1) == labels).sum()
