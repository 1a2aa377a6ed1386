"""The first lines of every task: device, number format, threads, memory, random streams."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import torch

from darts.system import distributed
from darts.system.device import check_precision, keep_memory, resolve_device
from darts.system.randomness import RandomStreams
from darts.system.threads import set_threads


class MachineSettings(Protocol):
    """The options that say where and how a task computes; `RunOptions` has them."""

    @property
    def device(self) -> str: ...

    @property
    def precision(self) -> str: ...

    @property
    def threads(self) -> int: ...

    @property
    def seed(self) -> int: ...


def prepare_task(
    settings: MachineSettings, streams: Iterable[str]
) -> tuple[torch.device, RandomStreams]:
    """Set up this process for a task; return its device and its random streams.

    Args:
        settings: Device, precision, threads and seed.
        streams: Names of the random streams.

    Raises:
        UserError: There is no such device, it lacks the number format, or `threads` is negative.
    """
    device = resolve_device(settings.device, distributed.local_rank())
    check_precision(settings.precision, device)
    set_threads(settings.threads)
    keep_memory()
    return device, RandomStreams(settings.seed, streams)
