"""The shape of networks: properties that follow from their configs, and trends of the stages.

Source: RegNet (arXiv 2003.13678, §3.2): in good networks, widths and depths grow from stage to
stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np

from darts.design_space.linear_fit import fit_lines
from darts.design_space.population import Population
from darts.models.anynet.config import AnyNetConfig
from darts.models.arrays import FloatArray

TRENDS = ("growing", "constant", "falling", "mixed")


def with_structure(population: Population) -> Population:
    """The population with the properties that follow from its configs; present ones are kept.

    They are depth, bottleneck and group_width (means over the stages), w1, w2, … and d1, d2, …
    (widths and depths of the stages), and fit_error (e_fit, see `darts.design_space.linear_fit`).
    """
    if not population.configs:
        return population
    implied = _structure(population.configs)
    return replace(population, properties={**implied, **population.properties})


def _structure(configs: tuple[AnyNetConfig, ...]) -> dict[str, FloatArray]:
    stages = max(len(config.stages) for config in configs)
    columns: dict[str, FloatArray] = {
        "depth": np.array([config.depth for config in configs], np.float64),
        "fit_error": np.array([fit.error for fit in fit_lines(configs)]),
    }
    for name in ("bottleneck", "group_width"):
        values = [[getattr(stage, name) for stage in config.stages] for config in configs]
        columns[name] = np.array([np.mean(row) for row in values])
    for letter, name in (("w", "width"), ("d", "depth")):
        for index in range(stages):
            columns[f"{letter}{index + 1}"] = np.array(
                [
                    getattr(config.stages[index], name) if index < len(config.stages) else np.nan
                    for config in configs
                ],
                np.float64,
            )
    return columns


def trend_of(config: AnyNetConfig, axis: Literal["width", "depth"]) -> str:
    """The trend of the stages' widths or depths, one of `TRENDS`; growing: never falling."""
    steps = np.diff([getattr(stage, axis) for stage in config.stages])
    if not steps.any():
        return "constant"
    return "growing" if (steps >= 0).all() else "falling" if (steps <= 0).all() else "mixed"


def by_trend(population: Population, axis: Literal["width", "depth"]) -> Mapping[str, Population]:
    """The non-empty parts of a population with the same trend, in the order of `TRENDS`."""
    trends = np.array([trend_of(config, axis) for config in population.configs])
    return {
        trend: population.select(trends == trend, f"{axis} {trend}")
        for trend in TRENDS
        if (trends == trend).any()
    }
