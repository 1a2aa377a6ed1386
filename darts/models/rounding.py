"""Rounding of scaled sizes."""

from __future__ import annotations

import math


def nearest_multiple(value: float, multiple: int) -> int:
    """The multiple of `multiple` nearest to `value`, halves up, at least `multiple` itself.

    >>> nearest_multiple(36.0, 8), nearest_multiple(3.0, 8)
    (40, 8)
    """
    return max(1, math.floor(value / multiple + 0.5)) * multiple
