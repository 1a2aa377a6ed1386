"""How fast this machine trains: a few steps of the real tasks, timed.

A step is the one of the task itself (`darts.training.task`, `darts.searching.task`), with the
user's images and their augmentation, so that nothing has to be modelled.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from darts.costs.count import count
from darts.data.dataset import Dataset
from darts.models.registry import Model
from darts.runs.checkpoints import save_checkpoint
from darts.searching.options import SearchOptions
from darts.searching.task import SearchTask
from darts.system.device import peak_memory, synchronise
from darts.system.load import Clock
from darts.training.options import TrainingOptions
from darts.training.task import TrainingTask

_LEAST, _MOST = 3, 40
"""Fewest and most steps that are timed."""


@dataclass(frozen=True, kw_only=True)
class TrainingRate:
    """How fast one network is trained.

    Attributes:
        family: Its kind: cells, regnet, efficientnet.
        macs: Its multiply-adds for one image.
        image_seconds: Seconds of a training step for one image.
        memory: Largest memory in use so far, in bytes.
        setup_seconds: Seconds that opening the data and building the network took.
        closing_seconds: Seconds that the end of an epoch takes: its checkpoint.
    """

    family: str
    macs: int
    image_seconds: float
    memory: int = 0
    setup_seconds: float = 0.0
    closing_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class SearchRate:
    """How fast a search runs.

    Attributes:
        weight_seconds: Seconds of a step that trains the weights alone (warm-up).
        step_seconds: Seconds of a step that trains weights and architecture.
        steps: Steps of an epoch.
        backend: What computes the cells.
        closing_seconds: Seconds that the end of an epoch takes.
        memory: Largest memory in use so far, in bytes.
        setup_seconds: Seconds that opening the data and building the supernet took.
    """

    weight_seconds: float
    step_seconds: float
    steps: int
    backend: str
    closing_seconds: float = 0.0
    memory: int = 0
    setup_seconds: float = 0.0

    def seconds(self, epochs: int, warmup: int) -> float:
        """Seconds of a search of so many epochs.

        >>> SearchRate(weight_seconds=1, step_seconds=2, steps=10, backend="torch").seconds(3, 1)
        50.0
        """
        steps = warmup * self.weight_seconds + (epochs - warmup) * self.step_seconds
        return float(self.steps * steps + epochs * self.closing_seconds)


def measure_training(
    options: TrainingOptions,
    model: Model,
    dataset: Dataset,
    family: str,
    *,
    seconds: float = 1.5,
    closing: bool = False,
    clock: Clock = time.perf_counter,
) -> TrainingRate:
    """Time training steps of a network, after one step that compiles and allocates.

    Args:
        options: The recipe.
        model: The network.
        dataset: The images.
        family: The kind of the network.
        seconds: No further step begins after so long, once three were timed.
        closing: Also time a checkpoint, which is written to a temporary directory.
        clock: Returns seconds.

    Raises:
        UserError: The network cannot take the images.
    """
    begun = clock()
    task = TrainingTask(options, model, dataset)
    setup = clock() - begun
    task.begin_epoch(0)
    took = _timed(task.step, task.device, seconds, clock)
    return TrainingRate(
        family=family,
        macs=count(task.network, dataset.image_size).macs,
        image_seconds=took / options.batch_size,
        memory=peak_memory(task.device),
        setup_seconds=setup,
        closing_seconds=_checkpoint_seconds(task.state_dict, clock) if closing else 0.0,
    )


def measure_search(
    options: SearchOptions,
    *,
    seconds: float = 3.0,
    closing: bool = False,
    clock: Clock = time.perf_counter,
) -> SearchRate:
    """Time steps of a search before and after its warm-up.

    Args:
        options: The settings of the search.
        seconds: No further step begins after so long, once a few were timed.
        closing: Also time a checkpoint, which is written to a temporary directory.
        clock: Returns seconds.

    Raises:
        UserError: A setting or the data are wrong.
    """
    begun = clock()
    task = SearchTask(options)
    setup = clock() - begun
    task.begin_epoch(0)
    weights = _timed(task.step, task.device, seconds / 2, clock)
    both = weights
    if options.arch_warmup_epochs < options.epochs:
        task.begin_epoch(options.arch_warmup_epochs)
        both = _timed(task.step, task.device, seconds / 2, clock)
    return SearchRate(
        weight_seconds=weights,
        step_seconds=both,
        steps=task.steps_per_epoch,
        backend=task.options.backend,
        memory=peak_memory(task.device),
        setup_seconds=setup,
        closing_seconds=_checkpoint_seconds(task.state_dict, clock) if closing else 0.0,
    )


def _checkpoint_seconds(state: Callable[[], dict[str, Any]], clock: Clock) -> float:
    """Seconds of writing a checkpoint, the second of two."""
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            begun = clock()
            save_checkpoint({"step": 1, "task": state()}, folder)
            took = clock() - begun
    return took


def _timed(step: Callable[[], Any], device: torch.device, seconds: float, clock: Clock) -> float:
    """Median seconds of a step."""
    step()
    synchronise(device)
    times: list[float] = []
    while len(times) < _LEAST or (sum(times) < seconds and len(times) < _MOST):
        begun = clock()
        step()
        synchronise(device)
        times.append(clock() - begun)
        if sum(times) > 4 * seconds:
            break
    return statistics.median(times)


@dataclass(frozen=True)
class Rates:
    """Measured networks of several families and sizes; interpolates between the sizes.

    >>> rates = Rates([TrainingRate(family="cells", macs=m, image_seconds=m / 1e9)
    ...                for m in (10**6, 10**7)])
    >>> round(rates.image_seconds("cells", 4e6), 4), rates.families
    (0.004, ('cells',))

    Attributes:
        measured: The measured networks.
    """

    measured: Sequence[TrainingRate]

    @property
    def families(self) -> tuple[str, ...]:
        """The families, in the order in which they were measured."""
        return tuple(dict.fromkeys(one.family for one in self.measured))

    def image_seconds(self, family: str, macs: float) -> float:
        """Seconds of a training step for one image, for a network of this family and size.

        Between two measured sizes the logarithm of the time is linear in that of the
        multiply-adds. Beyond them the time follows the same line, but never falls below that of
        the smallest network and never grows faster than the multiply-adds.
        """
        known = sorted(
            (one.macs, one.image_seconds) for one in self.measured if one.family == family
        )
        if not known:
            return max(self.image_seconds(other, macs) for other in self.families)
        first, last = known[0], known[-1]
        if len(known) == 1 or first[0] == last[0]:
            return last[1] * max(1.0, macs / last[0])
        if macs <= first[0]:
            return first[1]
        slope = math.log(last[1] / first[1]) / math.log(last[0] / first[0])
        slope = min(1.0, max(0.0, slope))
        return float(first[1] * (macs / first[0]) ** slope)

    def as_list(self) -> list[dict[str, Any]]:
        """Plain values."""
        return [asdict(one) for one in self.measured]

    @classmethod
    def from_list(cls, values: Sequence[Mapping[str, Any]]) -> Rates:
        """The inverse of `as_list`."""
        return cls([TrainingRate(**one) for one in values])
