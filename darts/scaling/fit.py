"""The coefficient phi, and the rounding, that meet a budget."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from darts.errors import UserError
from darts.scaling.bases import Base, Rung
from darts.scaling.coefficients import Coefficients, Factors

Quantity = Callable[[Rung], float]

# How far a dimension is followed, up and down.
_LIMIT = 64.0


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A rung that meets a budget, or the nearest one that rounding allows.

    Attributes:
        phi: Where the cost of the rounded network crosses the budget.
        factors: What phi means before rounding and adjustment.
        amount: The rung's quantity.
        target: What was asked for; None where phi was given.
        within: Whether it is met within the tolerance.
    """

    rung: Rung
    phi: float
    factors: Factors
    amount: float
    target: float | None = None
    within: bool = True

    @property
    def off(self) -> float:
        """How far the amount is from the target, as a share of it."""
        return self.amount / self.target - 1 if self.target else 0.0


def fit(
    base: Base,
    coefficients: Coefficients,
    target: float,
    quantity: Quantity,
    *,
    tolerance: float = 0.02,
    adjust: bool = True,
) -> Fit:
    """Find the network of `base` that costs `target`.

    Bisection finds the phi where the cost of the rounded network crosses the target. Rounding may
    leap over it; then each dimension that grows may take a step of its own, and the width whatever
    the target needs. Of what lies within the tolerance the network nearest to the unrounded shape
    wins (mean square of the logarithms), else the nearest cost.

    Args:
        quantity: What is budgeted of a rung; it grows with each dimension.
        adjust: Whether dimensions may leave phi; not where a quantity is slow or noisy.

    Raises:
        UserError: The smallest network costs more, or the budget is beyond all reason.
    """
    growing = [value for value in vars(coefficients).values() if value > 1]
    # Downwards until each dimension has come to its end, upwards until one has grown enough.
    lowest = -math.log(_LIMIT) / math.log(min(growing))
    highest = math.log(_LIMIT) / math.log(max(growing))

    def at(phi: float) -> Rung:
        return base.rung(coefficients.factors(phi))

    low, high = _bracket(lambda phi: quantity(at(phi)), target, lowest, highest)
    if low is None:
        smallest = at(lowest)
        raise UserError(
            f"The budget of {target:,.4g} is infeasible: the smallest network of this kind "
            f"({_words(smallest)}) has {quantity(smallest):,.4g}. Raise the budget, or take a "
            "smaller base."
        )
    if high is None:
        raise UserError(
            f"The budget of {target:,.4g} is out of reach: {_LIMIT:.0f} times the base in a "
            f"dimension has {quantity(at(highest)):,.4g}. Take a larger base."
        )
    low, high = _bisect(lambda phi: quantity(at(phi)), target, low, high, 1e-4 * highest)
    phi = (low + high) / 2
    ideal = coefficients.factors(phi)
    candidates = [at(low), at(high)]
    if adjust:
        candidates += _adjusted(base, coefficients, ideal, target, quantity)

    def merit(rung: Rung) -> tuple[bool, float]:
        off = abs(math.log(quantity(rung) / target))
        beyond = not _within(quantity(rung), target, tolerance)
        return beyond, off if beyond else _distance(base, rung, ideal)

    best = min(candidates, key=merit)
    amount = quantity(best)
    return Fit(
        rung=best,
        phi=phi,
        factors=ideal,
        amount=amount,
        target=target,
        within=_within(amount, target, tolerance),
    )


def _within(amount: float, target: float, tolerance: float) -> bool:
    return abs(amount / target - 1) <= tolerance


def _bracket(
    cost: Callable[[float], float], target: float, lowest: float, highest: float
) -> tuple[float | None, float | None]:
    """Ends between which the cost crosses the target; None where none does within the limits."""
    low = high = 0.0
    step = 1.0
    while cost(low) > target:
        if low <= lowest:
            return None, high
        high, low = low, max(low - step, lowest)
        step *= 2
    while cost(high) < target:
        if high >= highest:
            return low, None
        low, high = high, min(high + step, highest)
        step *= 2
    return low, high


def _bisect(
    cost: Callable[[float], float], target: float, low: float, high: float, precision: float
) -> tuple[float, float]:
    """Ends closer than `precision` with cost(low) <= target <= cost(high)."""
    while high - low > precision:
        middle = (low + high) / 2
        amount = cost(middle)
        if amount == target:
            return middle, middle
        low, high = (middle, high) if amount < target else (low, middle)
    return low, high


def _adjusted(
    base: Base, coefficients: Coefficients, ideal: Factors, target: float, quantity: Quantity
) -> Iterator[Rung]:
    """Networks a step of depth or resolution away, each with the widths that suit the target."""
    depths = _steps(ideal.depth, base.unit_depth, coefficients.alpha > 1)
    resolutions = _steps(ideal.resolution, base.unit_resolution, coefficients.gamma > 1)
    for depth, resolution in itertools.product(depths, resolutions):
        factors = Factors(depth, ideal.width, resolution)
        if coefficients.beta == 1:
            yield base.rung(factors)
            continue

        def at(width: float, factors: Factors = factors) -> Rung:
            return base.rung(replace(factors, width=width))

        low, high = ideal.width / 2, ideal.width * 2
        if quantity(at(low)) <= target <= quantity(at(high)):
            ends = _bisect(lambda w: quantity(at(w)), target, low, high, 1e-3 * ideal.width)
            yield from map(at, ends)


def _steps(factor: float, unit: float, grows: bool) -> tuple[float, ...]:
    if not grows:
        return (factor,)
    return tuple(value for value in (factor - unit, factor, factor + unit) if value > 0)


def _distance(base: Base, rung: Rung, ideal: Factors) -> float:
    """How far a rung is from the shape that phi means: mean square of the logarithms."""
    ratios = (
        rung.depth / base.depth / ideal.depth,
        rung.width / ideal.width,
        rung.resolution / base.resolution / ideal.resolution,
    )
    return sum(math.log(ratio) ** 2 for ratio in ratios) / len(ratios)


def _words(rung: Rung) -> str:
    return f"depth {rung.depth}, {rung.channels} channels, {rung.resolution} pixels"
