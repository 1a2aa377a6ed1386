"""Balanced sampling: an epoch in which each class has equally many images."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from darts.errors import UserError

EpochOrder = Callable[[torch.Generator], Tensor]
"""Samples the order of an epoch: N numbers from 0 to N - 1, from a generator."""


def balanced_order(labels: Tensor) -> EpochOrder:
    """An order of N images in which each of the C classes that have images occurs N / C times.

    If C does not divide N, some classes, another choice in each epoch, occur once more. A small
    class is gone through several times, each time in a new order; of a large one each epoch samples
    other images.

    >>> order = balanced_order(torch.tensor([0, 0, 0, 0, 0, 1]))(torch.Generator())
    >>> (order == 5).sum().item(), len(order[order != 5].unique())
    (3, 3)

    Args:
        labels: Class numbers `[N]` of the images.

    Raises:
        UserError: The images have several labels.
    """
    if labels.ndim != 1:
        raise UserError(
            "--class-sampling balanced: an image with several labels belongs to no one class. Use "
            "--class-weights balanced."
        )
    members = [(labels == number).nonzero().flatten() for number in labels.unique()]

    def order(generator: torch.Generator) -> Tensor:
        each, rest = divmod(len(labels), len(members))
        more = set(torch.randperm(len(members), generator=generator)[:rest].tolist())
        chosen = [
            _repeated(images, each + (number in more), generator)
            for number, images in enumerate(members)
        ]
        joined = torch.cat(chosen)
        return joined[torch.randperm(len(joined), generator=generator)]

    return order


def _repeated(images: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """`count` of the images, in random orders of all of them, one after the other."""
    times = -(-count // len(images))
    orders = [images[torch.randperm(len(images), generator=generator)] for _ in range(times)]
    return torch.cat(orders)[:count] if orders else images[:0]
