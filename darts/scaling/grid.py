"""Finding alpha, beta and gamma: the paper's small grid search (EfficientNet, §3.3, step 1)."""

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
from darts.scaling.fit import Fit, fit
from darts.scaling.ladder import row
from darts.scaling.training import Measured, rung_key


def triples(step: float, tolerance: float, growth: float = 2.0) -> tuple[Coefficients, ...]:
    """All alpha, beta, gamma of at least 1 on a grid with alpha · beta² · gamma² near `growth`.

    The paper gives neither its grid nor its tolerance; its own (1.2, 1.1, 1.15) has 1.92.

    Args:
        step: Of the grid, from 1.
        tolerance: Largest distance of the product from `growth`.

    Raises:
        UserError: The grid holds none.
    """
    if not 0 < step < growth:
        raise UserError(f"--step {step}: a number between 0 and {growth:g} is needed.")
    if not tolerance > 0:
        raise UserError(f"--tolerance {tolerance}: a positive number is needed.")
    numbers = range(math.floor((growth + tolerance - 1) / step + 1e-9) + 1)
    values = [round(1 + step * number, 10) for number in numbers]
    if len(values) > 200:
        raise UserError(f"--step {step}: a grid of {len(values)} values a dimension is too fine.")
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
    """A network for each candidate, all with `growth` times the multiply-adds of the base.

    Departure: the paper trains the networks of phi = 1 as rounding leaves them. Here phi is what
    gives each the same cost within 2 %, where rounding allows, because unequal costs would decide
    the comparison; it comes out near 1.
    """
    target = growth * base.rung(Factors(1, 1, 1)).cost.macs
    return [fit(base, each, target, lambda rung: rung.cost.macs) for each in candidates]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a grid search found.

    Attributes:
        rows: A row a network, the best first; networks that several candidates round to once.
        noise: Standard deviation over seeds, pooled over networks; None with one seed.
        error: Standard error of the difference of two means; None with one seed.
        gap: Of the winner to the next network, in points; None with one network.
        equals: Networks, the winner among them, within two standard errors of the winner.
    """

    rows: list[dict[str, Any]]
    noise: float | None
    error: float | None
    gap: float | None
    equals: int | None

    def as_dict(self) -> dict[str, Any]:
        return dict(vars(self))


def judge(
    candidates: tuple[Coefficients, ...], fits: list[Fit], measured: Mapping[str, Measured]
) -> Verdict:
    """Rank the networks by mean accuracy, and set the gaps beside the noise of seeds.

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
        raise UserError("No training of the grid succeeded; the store says why each failed.")
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
