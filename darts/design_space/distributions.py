"""Distributions of the parameters of a design space, given by their quantile functions.

A quantile function maps numbers uniform in [0, 1) to values, so that any generator can be used, for
many samples at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import torch

from darts.models.arrays import FloatArray

Generator: TypeAlias = np.random.Generator | torch.Generator


class Distribution(Protocol):
    """A distribution over a finite set of values."""

    @property
    def levels(self) -> int:
        """Number of values."""

    def quantile(self, uniform: FloatArray) -> FloatArray:
        """The values for `uniform`, numbers in [0, 1), of the same shape."""


@dataclass(frozen=True)
class LogUniform:
    """Log-uniform over the multiples of `step` from `low` to `high`.

    A continuous log-uniform number in (low - min(step, low / 2), high] is rounded up to a multiple
    of `step`, as in the RegNet authors' code (facebookresearch/pycls):

        P(v) ∝ log(v) - log(v - step), for the lowest value log(low) - log(low - min(step, low / 2))

    Attributes:
        low: Smallest value, a multiple of `step`.
        high: Largest value, a multiple of `step`.
        step: Distance of neighbouring values.

    >>> widths = LogUniform(8, 1024, 8)
    >>> widths.levels, widths.quantile(np.array([0.0, 0.5, 0.999])).tolist()
    (128, [8.0, 64.0, 1024.0])
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
        # A step such as 0.1 is not a binary fraction: turn 36.400000000000006 into 36.4.
        values = np.round(np.ceil(drawn / self.step) * self.step, 9)
        return np.clip(values, self.low, self.high)


@dataclass(frozen=True)
class Choice:
    """One of several values, all equally likely.

    >>> Choice((1, 2, 4)).quantile(np.array([0.1, 0.5, 0.9])).tolist()
    [1.0, 2.0, 4.0]
    """

    values: tuple[float, ...]

    @property
    def levels(self) -> int:
        return len(self.values)

    def quantile(self, uniform: FloatArray) -> FloatArray:
        return np.array(self.values, np.float64)[(uniform * len(self.values)).astype(np.int64)]


def uniforms(generator: Generator, *shape: int) -> FloatArray:
    """Numbers uniform in [0, 1), float64 of this shape, from a NumPy or torch generator."""
    if isinstance(generator, np.random.Generator):
        return generator.random(shape)
    drawn = torch.rand(shape, generator=generator, dtype=torch.float64, device=generator.device)
    return drawn.cpu().numpy()
