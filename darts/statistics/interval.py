"""A value with the bounds of its confidence interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A value and the bounds of its confidence interval (95 % by default).

    Attributes:
        low: Lower bound.
        middle: The value.
        high: Upper bound.
    """

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, values: ArrayLike, confidence: float = CONFIDENCE) -> Interval:
        """Median and percentile interval of resampled values `[repeats]`.

        >>> Interval.of(np.arange(5.0), confidence=0.5)
        Interval(low=1.0, middle=2.0, high=3.0)
        """
        tail = (1 - confidence) / 2
        return cls(
            *(float(v) for v in np.quantile(np.asarray(values, np.float64), (tail, 0.5, 1 - tail)))
        )

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside the bounds.

        >>> Interval(0.1, 0.5, 0.9).excludes_zero, Interval(-0.1, 0.5, 1.1).excludes_zero
        (True, False)
        """
        return self.low > 0 or self.high < 0

    def as_dict(self) -> dict[str, float]:
        """Plain values."""
        return {"low": self.low, "middle": self.middle, "high": self.high}
