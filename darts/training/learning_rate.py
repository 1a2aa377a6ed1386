"""The learning rate of a retraining, epoch by epoch."""

from __future__ import annotations

from darts.runs.schedules import cosine, exponential, linear, warm_up
from darts.training.options import TrainingOptions


def learning_rate_of(options: TrainingOptions, epoch: int) -> float:
    """Learning rate of an epoch (from 0): the schedule, after a warm-up.

    >>> options = TrainingOptions(epochs=10, learning_rate=0.1)
    >>> [round(learning_rate_of(options, epoch), 3) for epoch in (0, 5, 9)]
    [0.1, 0.05, 0.002]
    """
    start = options.learning_rate
    if options.schedule == "cosine":
        rate = cosine(start, 0.0, epoch, options.epochs)
    elif options.schedule == "linear":
        rate = linear(start, epoch, options.epochs)
    else:
        rate = exponential(start, epoch, options.lr_decay, options.lr_decay_epochs)
    return warm_up(rate, start, epoch, options.lr_warmup_epochs)
