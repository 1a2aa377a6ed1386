"""Search for the coefficient phi, and the rounding, that meet a budget."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from darts.errors import UserError
from darts.scaling.bases import Base, Rung
from darts.scaling.coefficients import Coefficients, Factors

Quantity = Callable[[Rung], float]

# A dimension is scaled by at most this factor, up or down.
_LIMIT = 64.0


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A rung that meets a budget, or the nearest one that rounding allows.

    Attributes:
        rung: The network.
        phi: The phi at which the cost of the rounded network crosses the budget.
        factors: Factors of this phi, before rounding and adjustment.
        amount: The rung's value of the budgeted quantity.
        target: The budget; None if phi was given.
        within: Whether the amount meets the budget within the tolerance.
    """

    rung: Rung
    phi: float
    factors: Factors
    amount: float
    target: float | None = None
    within: bool = True

    @property
    def off(self) -> float:
        """Relative deviation from the budget: amount / target - 1; 0 without a budget."""
        return self.amount / self.target - 1 if self.target else 0.0


def fit_budget(
    base: Base,
    coefficients: Coefficients,
    target: float,
    quantity: Quantity,
    *,
    tolerance: float = 0.02,
    adjust: bool = True,
) -> Fit:
    """Find the rung of `base` that costs `target`.

    Bisection finds the phi at which the cost of the rounded network crosses the target. Because
    of rounding, no phi may meet the target. With `adjust`, depth and resolution may therefore
    move one step each, and the width is then solved for. Among the candidates within the
    tolerance, the one nearest to the unrounded shape wins: the smallest mean of
    log²(d'/d), log²(w'/w), log²(r'/r). If none is within, the nearest cost wins.

    EfficientNet (arXiv 1905.11946) only states its phi; this search is ours.

    >>> from darts.models.registry import find_model
    >>> from darts.scaling.bases import create_base
    >>> base = create_base(find_model("efficientnet_b0"))
    >>> fit_budget(base, Coefficients(), 8e8, lambda rung: rung.cost.macs).within
    True

    Args:
        base: The network to scale.
        coefficients: alpha, beta and gamma.
        target: The budget.
        quantity: Returns the budgeted quantity of a rung; it must grow with each dimension.
        tolerance: Largest relative deviation that meets the budget.
        adjust: Allow single dimensions to deviate from phi. Turn it off if the quantity is slow
            to compute or noisy.

    Raises:
        UserError: The smallest network exceeds the budget, or even the largest does not reach it.
    """
    growing = [value for value in vars(coefficients).values() if value > 1]
    # Scale down until every dimension reaches the limit, and up until the first one does.
    lowest = -math.log(_LIMIT) / math.log(min(growing))
    highest = math.log(_LIMIT) / math.log(max(growing))

    def at(phi: float) -> Rung:
        return base.rung(coefficients.factors(phi))

    low, high = _bracket(lambda phi: quantity(at(phi)), target, lowest, highest)
    if low is None:
        smallest = at(lowest)
        raise UserError(
            f"The budget of {target:,.4g} is infeasible: the smallest network of this kind "
            f"({_describe(smallest)}) has {quantity(smallest):,.4g}. Raise the budget, or take a "
            "smaller base."
        )
    if high is None:
        raise UserError(
            f"The budget of {target:,.4g} is out of reach: with a dimension scaled by "
            f"{_LIMIT:.0f} the network has {quantity(at(highest)):,.4g}. Take a larger base."
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
    """Interval in which the cost crosses the target; None for an end beyond the limits."""
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
    """Shrink an interval to `precision`, keeping cost(low) <= target <= cost(high)."""
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
    """Rungs up to one step away in depth and resolution, with the widths that meet the target."""
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
    """Distance of a rung from the unrounded shape: mean squared log ratio of the dimensions."""
    ratios = (
        rung.depth / base.depth / ideal.depth,
        rung.width / ideal.width,
        rung.resolution / base.resolution / ideal.resolution,
    )
    return sum(math.log(ratio) ** 2 for ratio in ratios) / len(ratios)


def _describe(rung: Rung) -> str:
    return f"depth {rung.depth}, {rung.channels} channels, {rung.resolution} pixels"
