"""Learning rates as pure functions of the epoch, counted from 0."""

from __future__ import annotations

import math


def cosine(start: float, end: float, epoch: int, epochs: int) -> float:
    """`end + (start - end)(1 + cos(pi·epoch/epochs))/2`: epoch 0 has `start`, none has `end`."""
    return end + (start - end) * (1 + math.cos(math.pi * epoch / epochs)) / 2


def linear(start: float, epoch: int, epochs: int, tail: int = 5) -> float:
    """Linear decay to 0 as in PC-DARTS' train_imagenet.py.

    It aims at 0 in epoch `epochs - tail`, and shares what the last `tail` epochs would overshoot:
    `start·(epochs - tail - epoch)/(epochs - tail)` while more than `tail` epochs are left, then
    `start·(epochs - epoch)/((epochs - tail)·tail)`.
    """
    if epochs <= tail:
        return start * (epochs - epoch) / epochs
    left = epochs - epoch
    if left > tail:
        return start * (left - tail) / (epochs - tail)
    return start * left / ((epochs - tail) * tail)


def exponential(start: float, epoch: int, factor: float, every: float) -> float:
    """Stairs: times `factor` after each `every` epochs, `start·factor^floor(epoch/every)`.

    EfficientNet has 0.97 every 2.4 epochs, FBNetV3 0.9875 each epoch. As the rate changes between
    epochs only, a stair that falls into an epoch comes with the next one.
    """
    return start * factor ** math.floor(epoch / every + 1e-9)


def warm_up(rate: float, start: float, epoch: int, warmup_epochs: int) -> float:
    """`start·(epoch + 1)/warmup_epochs` in the warm-up epochs, `rate` after them."""
    return start * (epoch + 1) / warmup_epochs if epoch < warmup_epochs else rate
