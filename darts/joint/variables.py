"""Variables of a search space: their values, their genes and their features.

Inside a search each variable is one number, its *gene*. For a finite set of values the gene is the
index of the value; for an interval of real numbers it is a position in [0, 1]. A generation of
candidates is an array of genes, so sampling, mutation and comparison work on whole arrays.

The *features* are what the predictor sees (FBNetV3, arXiv 2006.02049, §4): one-hot for categories,
min-max normalised for numbers (of the logarithm if the range is logarithmic). A variable with a
single value has no features.
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
# A step such as 0.001 has no exact binary form: 0.021000000000000001 is rounded to 0.021.
_DIGITS = 12


@dataclass(frozen=True)
class CategoricalDomain:
    """A finite set of values without an order.

    The gene g is the index of the value; the features are one-hot: φ_i(g) = 1 if i = g, else 0.

    >>> domain = CategoricalDomain(("sgd", "rmsprop", "adamw"))
    >>> domain.decode(np.array([1.0]))
    array(['rmsprop'], dtype='<U7')
    >>> domain.features(domain.genes(["rmsprop"]))
    array([[0., 1., 0.]])

    Attributes:
        values: All values, of one type.

    Raises:
        UserError: There are no values, a value is listed twice, or the types are mixed.
    """

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
            raise UserError(f"a value is listed twice in {list(self.values)}")

    @property
    def levels(self) -> int | None:
        """Number of values; None if there are infinitely many."""
        return len(self.values)

    @property
    def width(self) -> int:
        """Number of features."""
        return len(self.values) if len(self.values) > 1 else 0

    def decode(self, genes: Floats) -> NDArray:
        """Convert genes of any shape to values."""
        return np.array(self.values)[genes.astype(np.int64)]

    def genes(self, values: ArrayLike) -> Floats:
        """Convert values `[N]` to genes `[N]`.

        Raises:
            UserError: A value does not belong to the domain.
        """
        known = {value: index for index, value in enumerate(self.values)}
        given = np.asarray(values).tolist()
        if wrong := [value for value in given if value not in known]:
            raise UserError(f"{wrong[0]!r} is none of {', '.join(map(str, self.values))}")
        return np.array([known[value] for value in given], np.float64)

    def features(self, genes: Floats) -> Floats:
        """Convert genes `[N]` to features `[N, width]`."""
        return (genes[:, None] == np.arange(self.width)).astype(np.float64)

    def nearest(self, features: Floats) -> Floats:
        """Convert features `[N, width]` to the nearest genes `[N]`; the inverse of `features`."""
        if not self.width:
            return np.zeros(len(features))
        return features.argmax(axis=1).astype(np.float64)

    def __str__(self) -> str:
        return "one of " + ", ".join(map(str, self.values))


@dataclass(frozen=True)
class GridDomain:
    """Numbers from `low` to `high` in equal steps, both ends included.

    The gene g is the number of steps above `low`: value = low + g·step. The feature is
    g / ((high - low) / step), in [0, 1].

    >>> domain = GridDomain(16, 24, 2)
    >>> domain.decode(np.array([0.0, 2.0, 4.0]))
    array([16, 20, 24])
    >>> domain.features(domain.genes([20]))
    array([[0.5]])

    Attributes:
        low: Smallest value.
        high: Largest value.
        step: Distance of neighbouring values.
        whole: Whether the values are integers.

    Raises:
        UserError: The range is empty, the step is not positive, or the steps do not end at `high`.
    """

    low: float
    high: float
    step: float
    whole: bool = True

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise UserError(f"the range {self.low:g} to {self.high:g} is empty")
        if not self.step > 0:
            raise UserError(f"a step must be above 0, not {self.step:g}")
        steps = (self.high - self.low) / self.step
        if abs(steps - round(steps)) > 1e-9 * max(1.0, steps):
            raise UserError(f"steps of {self.step:g} from {self.low:g} do not end at {self.high:g}")
        if self.whole and any(n != int(n) for n in (self.low, self.high, self.step)):
            raise UserError("integer: low, high and step must be whole numbers")

    @property
    def levels(self) -> int | None:
        """Number of values."""
        return self._last + 1

    @property
    def width(self) -> int:
        """Number of features."""
        return int(self.high > self.low)

    @property
    def _last(self) -> int:
        """Gene of `high`."""
        return round((self.high - self.low) / self.step)

    def decode(self, genes: Floats) -> NDArray:
        """Convert genes of any shape to values."""
        values = self.low + genes * self.step
        return np.rint(values).astype(np.int64) if self.whole else np.round(values, _DIGITS)

    def genes(self, values: ArrayLike) -> Floats:
        """Convert values `[N]` to genes `[N]`.

        Raises:
            UserError: A value does not belong to the domain.
        """
        given = np.asarray(values, np.float64)
        genes = np.rint((given - self.low) / self.step)
        off = np.abs(self.low + genes * self.step - given) > 1e-9 * max(1.0, abs(self.high))
        if (wrong := off | (genes < 0) | (genes > self._last)).any():
            raise UserError(f"{given[wrong][0]:g} is not {self}")
        return genes

    def features(self, genes: Floats) -> Floats:
        """Convert genes `[N]` to features `[N, width]`."""
        return (genes / max(self._last, 1))[:, None][:, : self.width]

    def nearest(self, features: Floats) -> Floats:
        """Convert features `[N, width]` to the nearest genes `[N]`; the inverse of `features`."""
        if not self.width:
            return np.zeros(len(features))
        return np.clip(np.rint(features[:, 0] * self._last), 0, self._last)

    def __str__(self) -> str:
        steps = "" if self.whole and self.step == 1 else f" by {self.step:g}"
        return f"{self.low:g} to {self.high:g}{steps}"


@dataclass(frozen=True)
class ContinuousDomain:
    """Any real number from `low` to `high`.

    The gene g is a position in [0, 1], and the feature is the gene itself: value =
    low + g·(high - low), or low^(1-g)·high^g if `log`.

    >>> domain = ContinuousDomain(0.01, 1.0, log=True)
    >>> domain.decode(np.array([0.5])).round(6)
    array([0.1])

    Attributes:
        low: Smallest value.
        high: Largest value.
        log: Whether values are spread evenly in the logarithm.

    Raises:
        UserError: The range is empty, or logarithmic and not above 0.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise UserError(f"the range {self.low:g} to {self.high:g} is empty")
        if self.log and self.low <= 0:
            raise UserError(f"a logarithmic range must begin above 0, not at {self.low:g}")

    levels: None = None
    width: int = 1

    def decode(self, genes: Floats) -> NDArray:
        """Convert genes of any shape to values."""
        if self.log:
            start, end = math.log(self.low), math.log(self.high)
            values = np.exp(start + genes * (end - start))
        else:
            values = self.low + genes * (self.high - self.low)
        return np.clip(values, self.low, self.high)

    def genes(self, values: ArrayLike) -> Floats:
        """Convert values `[N]` to genes `[N]`.

        Raises:
            UserError: A value lies outside the range.
        """
        given = np.asarray(values, np.float64)
        if (wrong := ~((self.low <= given) & (given <= self.high))).any():
            raise UserError(f"{given[wrong][0]:g} is not {self}")
        if self.log:
            return np.log(given / self.low) / math.log(self.high / self.low)
        return (given - self.low) / (self.high - self.low)

    def features(self, genes: Floats) -> Floats:
        """Convert genes `[N]` to features `[N, 1]`."""
        return genes[:, None]

    def nearest(self, features: Floats) -> Floats:
        """Convert features `[N, 1]` to the nearest genes `[N]`; the inverse of `features`."""
        return np.clip(features[:, 0], 0, 1)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}{', logarithmic' if self.log else ''}"


Domain = CategoricalDomain | GridDomain | ContinuousDomain


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One variable of a search space.

    >>> domain = CategoricalDomain(("sgd", "adamw"))
    >>> variable = Variable(name="optimiser", part="recipe", domain=domain, sets=("optimiser",))
    >>> variable.draw(np.array([0.2, 0.7]))
    array([0., 1.])

    Attributes:
        name: Name of the variable.
        part: Whether it belongs to the architecture or to the recipe.
        domain: Its possible values.
        sets: Names of the settings that take its value; by default its own name. A variable that
            is shared sets several.
    """

    name: str
    part: Part
    domain: Domain
    sets: tuple[str, ...]

    def extremes(self) -> list[Any]:
        """All values of a categorical variable; both ends of any other range."""
        levels = self.domain.levels
        if isinstance(self.domain, CategoricalDomain):
            genes = np.arange(len(self.domain.values), dtype=np.float64)
        else:
            genes = np.array([0.0, 1.0 if levels is None else levels - 1.0])
        return self.domain.decode(genes).tolist()

    def draw(self, uniform: Floats) -> Floats:
        """Convert uniform numbers in [0, 1), of any shape, to genes."""
        levels = self.domain.levels
        return uniform if levels is None else np.floor(uniform * levels)
