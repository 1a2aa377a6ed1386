"""What a parameter of a design space may be, and how likely: given by quantile functions.

The quantile function turns a number uniform in [0, 1) into a value, so that samples come from any
generator, many at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import torch

from darts.models.anynet.config import FloatArray

Generator: TypeAlias = np.random.Generator | torch.Generator


class Distribution(Protocol):
    """A distribution over finitely many values."""

    @property
    def levels(self) -> int:
        """Number of values."""

    def quantile(self, uniform: FloatArray) -> FloatArray:
        """Values that belong to numbers in [0, 1), of any shape."""


@dataclass(frozen=True)
class LogUniform:
    """Multiples of `step` from `low` to `high`, each as likely as its logarithmic interval.

    A value v stands for (v - step, v], as in pycls; the lowest one for (low - min(step, low / 2),
    low]. `low` and `high` are multiples of `step`.
    """

    low: float
    high: float
    step: float = 1.0

    @property
    def levels(self) -> int:
        return round((self.high - self.low) / self.step) + 1

    def quantile(self, uniform: FloatArray) -> FloatArray:
        start = np.log(self.low - min(self.step, self.low / 2))
        drawn = np.exp(start + (np.log(self.high) - start) * uniform)
        # A step such as 0.1 is no binary number: 36.400000000000006 is meant as 36.4.
        values = np.round(np.ceil(drawn / self.step) * self.step, 9)
        return np.clip(values, self.low, self.high)


@dataclass(frozen=True)
class Choice:
    """One of some values, all equally likely."""

    values: tuple[float, ...]

    @property
    def levels(self) -> int:
        return len(self.values)

    def quantile(self, uniform: FloatArray) -> FloatArray:
        return np.array(self.values, np.float64)[(uniform * len(self.values)).astype(np.int64)]


def uniforms(generator: Generator, *shape: int) -> FloatArray:
    """Numbers uniform in [0, 1) of a generator of numpy or torch."""
    if isinstance(generator, np.random.Generator):
        return generator.random(shape)
    drawn = torch.rand(shape, generator=generator, dtype=torch.float64, device=generator.device)
    return drawn.cpu().numpy()
