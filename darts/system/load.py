"""Whether this process has a processor to itself."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]


def busy_delay(
    seconds: float = 0.5,
    clock: Clock = time.perf_counter,
    processor: Clock = time.process_time,
) -> float:
    """Seconds that pass for each second of processor time of one thread, at least 1.

    >>> busy_delay(0.01) >= 1
    True

    Args:
        seconds: Processor time of the measurement.
        clock: Returns seconds.
        processor: Returns seconds of processor time.
    """
    begun, worked = clock(), processor()
    value = 1
    while processor() - worked < seconds:
        for _ in range(1000):
            value = (value * 1103515245 + 12345) % 2147483648
    return max(1.0, (clock() - begun) / (processor() - worked))
