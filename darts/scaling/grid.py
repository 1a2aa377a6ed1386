"""Grid search for alpha, beta and gamma (EfficientNet, arXiv 1905.11946, §3.3, step 1)."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from darts.errors import UserError
from darts.scaling.bases import Base
from darts.scaling.coefficients import Coefficients, Factors
from darts.scaling.fit import Fit, fit_budget
from darts.scaling.ladder import row
from darts.scaling.training import Measured, rung_key


def triples(step: float, tolerance: float, growth: float = 2.0) -> tuple[Coefficients, ...]:
    """All alpha, beta, gamma >= 1 on a grid with alpha · beta² · gamma² close to `growth`.

    Source: EfficientNet, §3.3, Eq. 3. The paper gives neither its grid nor its tolerance; its
    result (1.2, 1.1, 1.15) has the product 1.92.

    >>> triples(step=0.5, tolerance=0.1)
    (Coefficients(alpha=2.0, beta=1.0, gamma=1.0),)

    Args:
        step: Step of the grid, which starts at 1.
        tolerance: Largest absolute deviation of the product from `growth`.
        growth: Wanted factor of the multiply-adds for phi = 1.

    Raises:
        UserError: An argument is out of range, or no point of the grid qualifies.
    """
    if not 0 < step < growth:
        raise UserError(f"--step {step}: the step must lie between 0 and {growth:g}.")
    if not tolerance > 0:
        raise UserError(f"--tolerance {tolerance}: the tolerance must be positive.")
    numbers = range(math.floor((growth + tolerance - 1) / step + 1e-9) + 1)
    values = [round(1 + step * number, 10) for number in numbers]
    if len(values) > 200:
        raise UserError(f"--step {step}: a grid of {len(values)} values per dimension is too fine.")
    found = tuple(
        Coefficients(alpha, beta, gamma)
        for alpha, beta, gamma in itertools.product(values, repeat=3)
        if abs(alpha * beta**2 * gamma**2 - growth) <= tolerance + 1e-9
    )
    if not found:
        raise UserError(
            f"No alpha, beta, gamma in steps of {step} come within {tolerance} of {growth:g}. "
            "Take smaller steps or a larger tolerance."
        )
    return found


def plan_grid(base: Base, candidates: tuple[Coefficients, ...], growth: float = 2.0) -> list[Fit]:
    """One network per candidate, all with `growth` times the multiply-adds of the base.

    Departure: the paper trains the networks of phi = 1, whose costs differ by rounding. Unequal
    costs would decide the comparison, so here phi, which is close to 1, is chosen to give all
    networks the same cost within 2 %, where rounding allows.
    """
    target = growth * base.rung(Factors(1, 1, 1)).cost.macs
    return [fit_budget(base, each, target, lambda rung: rung.cost.macs) for each in candidates]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Result of a grid search.

    Attributes:
        rows: One row per network, best first. Candidates that round to the same network share it.
        noise: Standard deviation over seeds, pooled over networks; None with one seed.
        error: Standard error of the difference of two means, noise · sqrt(2 / seeds); None with
            one seed.
        gap: Accuracy of the winner minus that of the next network, in percentage points; None
            with one network.
        equals: Number of networks, including the winner, within two standard errors of it; None
            with one seed.
    """

    rows: list[dict[str, Any]]
    noise: float | None
    error: float | None
    gap: float | None
    equals: int | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dict(vars(self))


def judge(
    candidates: tuple[Coefficients, ...], fits: list[Fit], measured: Mapping[str, Measured]
) -> Verdict:
    """Rank the networks by mean accuracy and compare the gaps with the noise of the seeds.

    Raises:
        UserError: No training succeeded.
    """
    by_network: dict[str, dict[str, Any]] = {}
    for each, found in zip(candidates, fits, strict=True):
        key = rung_key(found.rung)
        values = by_network.setdefault(
            key, {**row(key, found), **measured[key].as_dict(), "coefficients": []}
        )
        values["coefficients"].append([each.alpha, each.beta, each.gamma])
    rows = [values for values in by_network.values() if values["accuracy"] is not None]
    if not rows:
        raise UserError(
            "No training of the grid succeeded; the trial store records why each failed."
        )
    rows.sort(key=lambda values: -values["accuracy"])
    deviations = [values["deviation"] for values in rows if values["deviation"] is not None]
    noise = error = equals = None
    if deviations:
        noise = math.sqrt(statistics.fmean(value**2 for value in deviations))
        error = noise * math.sqrt(2 / max(values["seeds"] for values in rows))
        best = rows[0]["accuracy"]
        equals = sum(best - values["accuracy"] <= 2 * error for values in rows)
    gap = rows[0]["accuracy"] - rows[1]["accuracy"] if len(rows) > 1 else None
    return Verdict(rows=rows, noise=noise, error=error, gap=gap, equals=equals)
