"""Types of NumPy arrays, and of numbers that may be arrays."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Number = TypeVar("Number", int, IntArray)
"""An integer for one network, or an array `[N]` for N networks."""
