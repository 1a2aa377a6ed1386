"""Rounding of scaled sizes."""

from __future__ import annotations

import math


def nearest_multiple(value: float, multiple: int) -> int:
    """Nearest multiple of `multiple` to `value`; halves round up, the minimum is `multiple`.

    >>> nearest_multiple(36.0, 8), nearest_multiple(3.0, 8)
    (40, 8)
    """
    return max(1, math.floor(value / multiple + 0.5)) * multiple
