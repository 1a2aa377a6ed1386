"""Comparison of scaling strategies at equal budgets: one dimension against all three.

Source: EfficientNet (arXiv 1905.11946, §3.2, §5.3, Figs 3 and 8).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from darts.scaling.bases import Base
from darts.scaling.coefficients import Coefficients, find_coefficients
from darts.scaling.fit import Fit, fit_budget
from darts.scaling.ladder import at_phi, row
from darts.scaling.training import Measured, rung_key
from darts.settings.quantities import format_count

# The other strategies are compared with this one.
COMPOUND = "compound"


def plan_study(
    base: Base,
    strategies: Sequence[str],
    budgets: Sequence[float],
    compound: Coefficients,
    tolerance: float = 0.02,
) -> dict[tuple[str, str], Fit]:
    """Networks of a study by (strategy, budget); the first budget of each strategy is "base".

    Raises:
        UserError: A strategy is unknown, or a budget is infeasible.
    """
    planned = {}
    for strategy in strategies:
        coefficients = find_coefficients(strategy, compound)
        planned[strategy, "base"] = at_phi(base, coefficients, 0.0)
        for budget in budgets:
            planned[strategy, format_count(budget)] = fit_budget(
                base, coefficients, budget, lambda rung: rung.cost.macs, tolerance=tolerance
            )
    return planned


def tabulate(
    planned: Mapping[tuple[str, str], Fit], measured: Mapping[str, Measured]
) -> list[dict[str, Any]]:
    """One row per network: shape, cost, accuracies, and the advantage of compound scaling.

    `advantage` is the mean accuracy of the compound network of the same budget minus that of this
    network; `error` is the standard error of this difference, sqrt(s1² / n1 + s2² / n2) for
    deviations s over n seeds. Each is None if it is unknown.
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
