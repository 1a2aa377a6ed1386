"""The analysis of one or more trained populations, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from darts.design_space.population import Population
from darts.design_space.search_efficiency import best_of_curve
from darts.design_space.statistics import (
    SMALLEST,
    Difference,
    best_values,
    compare_populations,
)
from darts.design_space.trends import by_trend, with_structure
from darts.errors import UserError
from darts.models.arrays import FloatArray
from darts.statistics.interval import Interval

# Settings that define the population rather than its training. The seed is not one of them: it also
# selects the images if not all are used.
_OWN = frozenset(
    ("space", "stages", "macs", "like", "max_params", "max_activations", "channels", "layers")
)
# Populations whose mean multiply-adds differ by less than this factor have the same cost.
_SAME_COST = 1.1


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The analysis of one population.

    Attributes:
        population: The population, with the properties that follow from its configs.
        best_values: Most likely best value of each property; empty for too few networks.
        trends: For "width" and "depth": mean error and number of networks by trend of the stages
            (growing, constant, falling, mixed).
    """

    population: Population
    best_values: Mapping[str, Interval]
    trends: Mapping[str, Mapping[str, tuple[float, int]]]

    @property
    def best(self) -> int:
        """Index of the network with the smallest error."""
        return int(self.population.errors.argmin())

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        population, errors = self.population, self.population.errors
        return {
            "name": population.name,
            "networks": len(population),
            "missing": population.missing,
            "min": float(errors.min()),
            "mean": float(errors.mean()),
            "median": float(np.median(errors)),
            "standard_deviation": float(errors.std(ddof=1)),
            "best": population.label(self.best),
            "best_of": [one.as_dict() for one in best_of_curve(errors)],
            "best_values": {name: found.as_dict() for name, found in self.best_values.items()},
            "mean_fit_error": _mean(population.properties.get("fit_error")),
            "trends": {
                axis: {
                    trend: {"mean_error": mean, "networks": count}
                    for trend, (mean, count) in parts.items()
                }
                for axis, parts in self.trends.items()
            },
            "recipe": dict(population.recipe),
        }


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """The analysis of several populations.

    Attributes:
        summaries: One for each population.
        differences: One for each pair of populations.
        notes: Caveats for the reader.
        seed: Seed of the resampling.
    """

    summaries: tuple[Summary, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    seed: int

    @property
    def populations(self) -> tuple[Population, ...]:
        return tuple(summary.population for summary in self.summaries)

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "populations": [summary.as_dict() for summary in self.summaries],
            "differences": [
                {
                    "first": one.first,
                    "second": one.second,
                    "ks_statistic": one.statistic,
                    "p_value": one.p_value,
                    "adjusted_p_value": one.adjusted,
                    "mean_difference": one.mean.as_dict(),
                    "superiority": one.superiority.as_dict(),
                }
                for one in self.differences
            ],
            "notes": list(self.notes),
            "seed": self.seed,
        }


def analyse(populations: Sequence[Population], seed: int = 0) -> Analysis:
    """Summarise populations and compare all pairs.

    Args:
        populations: One or more populations.
        seed: Seed of the resampling.

    Raises:
        UserError: There is no population, or one has fewer than two networks.

    >>> found = analyse([Population(name="a", errors=np.array([9.0, 8.0, 7.0]))])
    >>> found.summaries[0].as_dict()["median"]
    8.0
    """
    if not populations:
        raise UserError("An analysis needs at least one population.")
    for population in populations:
        if len(population) < 2:
            raise UserError(
                f"Population {population.name} has {len(population)} trained networks"
                f"{f' and {population.missing} without a result' if population.missing else ''}; "
                "a distribution needs at least 2, a bootstrap "
                f"{SMALLEST}. Train more with: python -m darts space train."
            )
    named = [with_structure(population) for population in _distinct(populations)]
    generator = np.random.default_rng(seed)
    summaries = tuple(_summarise(population, generator) for population in named)
    errors = {population.name: population.errors for population in named}
    return Analysis(
        summaries=summaries,
        differences=compare_populations(errors, generator),
        notes=tuple(_notes(named)),
        seed=seed,
    )


def _distinct(populations: Sequence[Population]) -> list[Population]:
    """The populations, with numbers appended to names that occur several times."""
    names = [population.name for population in populations]
    return [
        replace(one, name=f"{one.name} ({names[: index + 1].count(one.name)})")
        if names.count(one.name) > 1
        else one
        for index, one in enumerate(populations)
    ]


def _summarise(population: Population, generator: np.random.Generator) -> Summary:
    best = (
        best_values(population.errors, population.properties, generator)
        if len(population) >= SMALLEST
        else {}
    )
    axes: tuple[Literal["width", "depth"], ...] = ("width", "depth")
    trends: dict[str, Mapping[str, tuple[float, int]]] = {
        axis: {
            trend: (float(part.errors.mean()), len(part))
            for trend, part in by_trend(population, axis).items()
        }
        for axis in axes
        if population.configs
    }
    return Summary(population=population, best_values=best, trends=trends)


def _notes(populations: Sequence[Population]) -> list[str]:
    notes = []
    for population in populations:
        if population.missing:
            notes.append(
                f"{population.name}: {population.missing} of "
                f"{population.missing + len(population)} trials have no result (failed or not "
                "finished) and are left out. If bad networks fail more often, the distribution "
                "looks better than it is."
            )
        if len(population) < SMALLEST:
            notes.append(
                f"{population.name}: {len(population)} networks are too few for the bootstrap of "
                f"the best (it needs {SMALLEST})."
            )
    keys = sorted({key for population in populations for key in population.recipe} - _OWN)
    differing = [
        key for key in keys if len({repr(p.recipe.get(key)) for p in populations if p.recipe}) > 1
    ]
    if differing:
        notes.append(
            f"The populations were not trained alike: {', '.join(differing)} differ. Their errors "
            "are compared nevertheless."
        )
    costs = mean_costs(populations)
    if len(costs) == len(populations) and max(costs) > _SAME_COST * min(costs):
        notes.append(
            f"The populations differ in cost: {_millions(min(costs))} to "
            f"{_millions(max(costs))} multiply-adds on average."
        )
    return notes


def mean_costs(populations: Sequence[Population]) -> list[float]:
    """Mean multiply-adds of each population, where known."""
    costs = [_mean(population.properties.get("macs")) for population in populations]
    return [cost for cost in costs if cost is not None]


def _millions(macs: float) -> str:
    # Three digits tell the means of small networks apart, too.
    return f"{macs / 1e6:.3g} M" if macs < 1e9 else f"{macs / 1e6:,.0f} M"


def _mean(values: FloatArray | None) -> float | None:
    known = values[np.isfinite(values)] if values is not None else np.empty(0)
    return float(known.mean()) if len(known) else None
