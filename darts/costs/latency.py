"""Latency of a module for a batch, measured on a device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import torch
from torch import nn

from darts.system.device import synchronise


@torch.no_grad()
def measure_latency(
    module: nn.Module,
    shape: Sequence[int],
    device: torch.device | str = "cpu",
    *,
    repeats: int = 10,
    budget: float = 0.5,
    dtype: torch.dtype = torch.float32,
) -> float:
    """Median time in seconds of a forward pass in evaluation mode, in channels_last layout.

    Three passes warm up. Then at least three passes are timed, and at most `repeats` until `budget`
    seconds have passed. The input is random, because zeros can be faster.

    >>> measure_latency(nn.Conv2d(3, 8, 3), (1, 3, 8, 8), repeats=3) > 0
    True

    Args:
        module: The module; it is moved to `device` and set to evaluation mode.
        shape: The shape `[B, C, H, W]` of the input.
        device: The device to measure on.
        repeats: The maximum number of timed passes.
        budget: Seconds after which no further pass starts.
        dtype: The number type of parameters and input.
    """
    device = torch.device(device)
    module = module.to(device, dtype).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(tuple(shape), generator=generator, dtype=dtype).to(device)
    images = images.contiguous(memory_format=torch.channels_last)
    times: list[float] = []
    for number in range(3 + repeats):
        synchronise(device)
        started = time.perf_counter()
        module(images)
        synchronise(device)
        if number >= 3:
            times.append(time.perf_counter() - started)
        if len(times) >= 3 and sum(times) > budget:
            break
    return statistics.median(times)
