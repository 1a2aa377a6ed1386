"""Evaluation of a network on batches of images, shared by all processes of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from darts.targets.scores import Scores
from darts.targets.target import Tally


@torch.no_grad()
def tallied(
    network: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    forward: Callable[[Tensor], Tensor],
    tally: Tally,
) -> Scores:
    """Evaluate a network in evaluation mode.

    >>> from darts.targets.single import SINGLE
    >>> batches = [(torch.eye(2), torch.tensor([0, 0]))]
    >>> tallied(nn.Identity(), batches, lambda images: images, SINGLE.tally(("cat", "dog"))).quality
    50.0

    Args:
        network: It is in evaluation mode meanwhile.
        batches: The images and labels of this process.
        forward: Images -> logits `[B, C]`.
        tally: A new tally of the task.

    Returns:
        The scores of all batches of all processes.
    """
    was_training = network.training
    network.eval()
    for images, labels in batches:
        tally.add(forward(images), labels)
    network.train(was_training)
    return tally.scores()
