"""Scaling one dimension against scaling all, at equal budgets (EfficientNet, Figs 3 and 8)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from darts.scaling.bases import Base
from darts.scaling.coefficients import Coefficients, find_coefficients
from darts.scaling.fit import Fit, fit
from darts.scaling.ladder import at_phi, row
from darts.scaling.training import Measured, rung_key
from darts.settings.quantities import format_count

# The one strategy that the others are compared with.
COMPOUND = "compound"


def plan_study(
    base: Base,
    strategies: Sequence[str],
    budgets: Sequence[float],
    compound: Coefficients,
    tolerance: float = 0.02,
) -> dict[tuple[str, str], Fit]:
    """The networks of a study, by strategy and budget; all strategies begin with the base.

    Raises:
        UserError: There is no such strategy, or a budget is infeasible.
    """
    planned = {}
    for strategy in strategies:
        coefficients = find_coefficients(strategy, compound)
        planned[strategy, "base"] = at_phi(base, coefficients, 0.0)
        for budget in budgets:
            planned[strategy, format_count(budget)] = fit(
                base, coefficients, budget, lambda rung: rung.cost.macs, tolerance=tolerance
            )
    return planned


def tabulate(
    planned: Mapping[tuple[str, str], Fit], measured: Mapping[str, Measured]
) -> list[dict[str, Any]]:
    """A row a network: its shape, its cost, its accuracies, and by how much compound is better.

    `advantage` is the mean accuracy of the compound network of the same budget less that of this
    one, `error` the standard error of that difference; both None where they are unknown.
    """
    rows = []
    for (strategy, budget), found in planned.items():
        own = measured[rung_key(found.rung)]
        values = {"strategy": strategy, **row(budget, found), **own.as_dict()}
        other = planned.get((COMPOUND, budget))
        rival = None if other is None else measured[rung_key(other.rung)]
        if strategy != COMPOUND and budget != "base" and rival is not None:
            values["advantage"], values["error"] = _difference(rival, own)
        rows.append(values)
    return rows


def _difference(first: Measured, second: Measured) -> tuple[float | None, float | None]:
    if not first.accuracies or not second.accuracies:
        return None, None
    difference = first.mean - second.mean
    if first.deviation is None or second.deviation is None:
        return difference, None
    variances = (
        each.deviation**2 / len(each.accuracies)
        for each in (first, second)
        if each.deviation is not None
    )
    return difference, math.sqrt(sum(variances))
