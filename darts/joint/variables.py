"""A variable of a search space: what it may be, and how it looks to a predictor.

Inside a search a variable is one number, its *gene*: the index of the value where there are
finitely many, and a position in [0, 1] where there are not. Whole generations are arrays of genes,
so that drawing, mutating and comparing need no look at the values.

Features are what the predictor sees (FBNetV3, arXiv 2006.02049, §4): one-hot for categories,
min-max for numbers (of the logarithm, where the range is logarithmic). A variable with one value
has none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darts.errors import UserError

Floats = NDArray[np.float64]
Part = Literal["architecture", "recipe"]
# A step such as 0.001 is no binary number: 0.021000000000000001 is meant as 0.021.
_DIGITS = 12


@dataclass(frozen=True)
class CategoricalDomain:
    """One of some values without an order; features are one-hot."""

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise UserError("a choice needs values")
        kinds = {type(value) for value in self.values}
        if not (kinds <= {int, float} or kinds in ({str}, {bool})):
            raise UserError(
                "the values of a choice are all numbers, all words or all true or false, not "
                f"{list(self.values)}"
            )
        if len(set(self.values)) < len(self.values):
            raise UserError(f"a value comes twice in {list(self.values)}")

    @property
    def levels(self) -> int | None:
        """Number of values; None for infinitely many."""
        return len(self.values)

    @property
    def width(self) -> int:
        """Number of features."""
        return len(self.values) if len(self.values) > 1 else 0

    def decode(self, genes: Floats) -> NDArray:
        """The values of genes, of any shape."""
        return np.array(self.values)[genes.astype(np.int64)]

    def genes(self, values: ArrayLike) -> Floats:
        """The genes of values [N].

        Raises:
            UserError: A value is none of the variable's.
        """
        known = {value: index for index, value in enumerate(self.values)}
        given = np.asarray(values).tolist()
        if wrong := [value for value in given if value not in known]:
            raise UserError(f"{wrong[0]!r} is none of {', '.join(map(str, self.values))}")
        return np.array([known[value] for value in given], np.float64)

    def features(self, genes: Floats) -> Floats:
        """Features [N, width] of genes [N]."""
        return (genes[:, None] == np.arange(self.width)).astype(np.float64)

    def nearest(self, features: Floats) -> Floats:
        """Genes [N] whose features [N, width] come nearest; exact for those of genes."""
        if not self.width:
            return np.zeros(len(features))
        return features.argmax(axis=1).astype(np.float64)

    def __str__(self) -> str:
        return "one of " + ", ".join(map(str, self.values))


@dataclass(frozen=True)
class GridDomain:
    """Numbers from `low` to `high` by `step`, both ends included; whole where `whole`."""

    low: float
    high: float
    step: float
    whole: bool = True

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise UserError(f"the range {self.low:g} to {self.high:g} is empty")
        if not self.step > 0:
            raise UserError(f"a step is above 0, not {self.step:g}")
        steps = (self.high - self.low) / self.step
        if abs(steps - round(steps)) > 1e-9 * max(1.0, steps):
            raise UserError(
                f"steps of {self.step:g} from {self.low:g} do not arrive at {self.high:g}"
            )
        if self.whole and any(n != int(n) for n in (self.low, self.high, self.step)):
            raise UserError("integer: low, high and step are whole numbers")

    @property
    def levels(self) -> int | None:
        return round((self.high - self.low) / self.step) + 1

    @property
    def width(self) -> int:
        return int(self.high > self.low)

    @property
    def _last(self) -> int:
        return round((self.high - self.low) / self.step)

    def decode(self, genes: Floats) -> NDArray:
        values = self.low + genes * self.step
        return np.rint(values).astype(np.int64) if self.whole else np.round(values, _DIGITS)

    def genes(self, values: ArrayLike) -> Floats:
        given = np.asarray(values, np.float64)
        genes = np.rint((given - self.low) / self.step)
        off = np.abs(self.low + genes * self.step - given) > 1e-9 * max(1.0, abs(self.high))
        if (wrong := off | (genes < 0) | (genes > self._last)).any():
            raise UserError(f"{given[wrong][0]:g} is not {self}")
        return genes

    def features(self, genes: Floats) -> Floats:
        return (genes / max(self._last, 1))[:, None][:, : self.width]

    def nearest(self, features: Floats) -> Floats:
        if not self.width:
            return np.zeros(len(features))
        return np.clip(np.rint(features[:, 0] * self._last), 0, self._last)

    def __str__(self) -> str:
        steps = "" if self.whole and self.step == 1 else f" by {self.step:g}"
        return f"{self.low:g} to {self.high:g}{steps}"


@dataclass(frozen=True)
class ContinuousDomain:
    """Any real number from `low` to `high`; evenly spread in the logarithm where `log`."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise UserError(f"the range {self.low:g} to {self.high:g} is empty")
        if self.log and self.low <= 0:
            raise UserError(f"a logarithmic range begins above 0, not at {self.low:g}")

    levels: None = None
    width: int = 1

    def decode(self, genes: Floats) -> NDArray:
        if self.log:
            start, end = math.log(self.low), math.log(self.high)
            values = np.exp(start + genes * (end - start))
        else:
            values = self.low + genes * (self.high - self.low)
        return np.clip(values, self.low, self.high)

    def genes(self, values: ArrayLike) -> Floats:
        given = np.asarray(values, np.float64)
        if (wrong := ~((self.low <= given) & (given <= self.high))).any():
            raise UserError(f"{given[wrong][0]:g} is not {self}")
        if self.log:
            return np.log(given / self.low) / math.log(self.high / self.low)
        return (given - self.low) / (self.high - self.low)

    def features(self, genes: Floats) -> Floats:
        return genes[:, None]

    def nearest(self, features: Floats) -> Floats:
        return np.clip(features[:, 0], 0, 1)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}{', logarithmic' if self.log else ''}"


Domain = CategoricalDomain | GridDomain | ContinuousDomain


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One draw of a space.

    Attributes:
        name: What it is called.
        part: Whether it belongs to the architecture or to the recipe.
        domain: What it may be.
        sets: What it decides: by default what it is called; a shared variable decides several.
    """

    name: str
    part: Part
    domain: Domain
    sets: tuple[str, ...]

    def extremes(self) -> list[Any]:
        """All values of a choice; both ends of a range."""
        levels = self.domain.levels
        if isinstance(self.domain, CategoricalDomain):
            genes = np.arange(len(self.domain.values), dtype=np.float64)
        else:
            genes = np.array([0.0, 1.0 if levels is None else levels - 1.0])
        return self.domain.decode(genes).tolist()

    def draw(self, uniform: Floats) -> Floats:
        """Genes of numbers uniform in [0, 1), of any shape."""
        levels = self.domain.levels
        return uniform if levels is None else np.floor(uniform * levels)
