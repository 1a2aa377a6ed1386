"""Learning rates as pure functions of the epoch, which counts from 0."""

from __future__ import annotations

import math


def cosine(start: float, end: float, epoch: int, epochs: int) -> float:
    """Cosine annealing: `end + (start - end)(1 + cos(pi·epoch/epochs))/2`.

    Epoch 0 has `start`; `end` would be reached after the last epoch.

    >>> cosine(0.1, 0.0, epoch=25, epochs=50)
    0.05
    """
    return end + (start - end) * (1 + math.cos(math.pi * epoch / epochs)) / 2


def linear(start: float, epoch: int, epochs: int, tail: int = 5) -> float:
    """Linear decay to 0 as in `train_imagenet.py` of the PC-DARTS code.

    While more than `tail` epochs are left, the line aims at 0 in epoch `epochs - tail`:
    `start·(epochs - tail - epoch)/(epochs - tail)`. The last `tail` epochs descend by smaller
    steps: `start·(epochs - epoch)/((epochs - tail)·tail)`.

    >>> [round(linear(0.5, epoch, 250), 4) for epoch in (0, 100, 244, 249)]
    [0.5, 0.2959, 0.002, 0.0004]
    """
    if epochs <= tail:
        return start * (epochs - epoch) / epochs
    left = epochs - epoch
    if left > tail:
        return start * (left - tail) / (epochs - tail)
    return start * left / ((epochs - tail) * tail)


def exponential(start: float, epoch: int, factor: float, every: float) -> float:
    """Step decay by `factor` every `every` epochs: `start·factor^floor(epoch/every)`.

    EfficientNet (arXiv 1905.11946, §5.2) uses 0.97 every 2.4 epochs, FBNetV3 (arXiv 2006.02049)
    0.9875 every epoch. The rate changes only between epochs: a step within an epoch takes effect at
    the next one.

    >>> [exponential(1.0, epoch, factor=0.5, every=2.4) for epoch in range(6)]
    [1.0, 1.0, 1.0, 0.5, 0.5, 0.25]
    """
    return start * factor ** math.floor(epoch / every + 1e-9)


def between(start: float, end: float, epoch: int, epochs: int) -> float:
    """A straight line from `start` in the first epoch to `end` in the last one.

    >>> [between(0.0, 0.2, epoch, epochs=3) for epoch in range(3)]
    [0.0, 0.1, 0.2]
    """
    return start + (end - start) * epoch / max(epochs - 1, 1)


def warm_up(rate: float, start: float, epoch: int, warmup_epochs: int) -> float:
    """Linear warm-up: `start·(epoch + 1)/warmup_epochs` in the warm-up epochs, then `rate`.

    >>> [warm_up(0.4, 0.4, epoch, warmup_epochs=2) for epoch in range(3)]
    [0.2, 0.4, 0.4]
    """
    return start * (epoch + 1) / warmup_epochs if epoch < warmup_epochs else rate
