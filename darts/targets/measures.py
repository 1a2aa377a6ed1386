"""Measures of networks that give an image several labels."""

from __future__ import annotations

import torch
from torch import Tensor


def precision_over_recall(scores: Tensor, labels: Tensor) -> float | None:
    """Average precision of one class: the area below its steps of precision over recall.

        AP = sum over k of (R_k - R_{k-1}) · P_k

    Images are sorted by score, highest first. P_k and R_k are precision and recall of the images
    whose score is at least the k-th of the different scores; so equal scores count together. There
    is no interpolation. (`sklearn.metrics.average_precision_score` computes the same.)

    >>> precision_over_recall(torch.tensor([0.9, 0.8, 0.3]), torch.tensor([1, 0, 1]))
    0.8333333333333333

    Args:
        scores: `[N]`; larger is more probable.
        labels: 0 and 1, `[N]`.

    Returns:
        A number in 0..1; None if no image has the label.
    """
    positives = int(labels.sum())
    if positives == 0:
        return None
    ordered, order = scores.sort(descending=True, stable=True)
    found = labels[order].double().cumsum(0)
    last = torch.ones(len(ordered), dtype=torch.bool)  # The last image of each different score.
    last[:-1] = ordered[1:] != ordered[:-1]
    ranks = last.nonzero().flatten()
    found = found[ranks]
    precision, recall = found / (ranks + 1), found / positives
    steps = torch.diff(recall, prepend=torch.zeros(1, dtype=torch.float64))
    return float((steps * precision).sum())


def f1_of_counts(right: int, given: int, present: int) -> float:
    """F1 = 2 TP / (2 TP + FP + FN), in 0..1; 0 where this is 0 / 0.

    >>> f1_of_counts(right=2, given=3, present=3)
    0.6666666666666666

    Args:
        right: Labels that were given and are right (TP).
        given: Labels that were given (TP + FP).
        present: Labels that should have been given (TP + FN).
    """
    return 2 * right / (given + present) if given + present else 0.0
