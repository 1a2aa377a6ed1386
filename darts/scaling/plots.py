"""Plots of compound scaling: ladders, comparisons of strategies, and grid searches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from darts.report.frame import dress
from darts.report.style import CURVES, INK, MUTED, plain_text

_MARKERS = ("o", "s", "^", "D", "v", "P")


def plot_ladder(title: str, base: Mapping[str, Any], rungs: Sequence[Mapping[str, Any]]) -> Figure:
    """Plot the factors of depth, width and resolution, and the parameters, over multiply-adds.

    Args:
        title: Title of the figure.
        base: Row of the base, from `darts.scaling.ladder.row`.
        rungs: Rows of the rungs, in any order.
    """
    rows = sorted(rungs, key=lambda row: row["macs"])
    macs = [row["macs"] for row in rows]
    figure = Figure(figsize=(8.6, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    factors = {
        "depth": [row["depth"] / base["depth"] for row in rows],
        "width": [row["width"] for row in rows],
        "resolution": [row["resolution"] / base["resolution"] for row in rows],
    }
    for (name, values), colour, marker in zip(factors.items(), CURVES, _MARKERS, strict=False):
        left.plot(macs, values, color=colour, marker=marker, markersize=5, label=name)
    left.axhline(1, color=MUTED, linewidth=0.8, linestyle=":")
    left.legend(frameon=False, labelcolor=INK, fontsize=9)
    left.set_ylabel("times the base")
    params = [row["params"] for row in rows]
    right.plot(macs, params, color=CURVES[0], marker="o", markersize=5)
    for row in rows:
        place = (row["macs"], row["params"])
        right.annotate(
            row["name"],
            place,
            (-6, 5),
            textcoords="offset points",
            fontsize=8,
            color=MUTED,
            ha="right",
        )
    right.set_ylabel("parameters")
    right.set_yscale("log")
    _amounts(right.yaxis, params)
    right.margins(x=0.2, y=0.1)
    for axes in (left, right):
        _macs_axis(axes, macs)
        dress(axes)
    figure.suptitle(plain_text(title), fontsize=11, color=INK)
    return figure


def plot_strategies(title: str, points: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Plot accuracy over multiply-adds, one curve per strategy.

    Bars are standard deviations over seeds.

    Args:
        title: Title of the figure.
        points: Rows of each strategy, with `macs`, `accuracy` and `deviation` (None: one seed).
    """
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    everywhere = sorted({row["macs"] for rows in points.values() for row in rows})
    looks = zip(cycle(CURVES), cycle(_MARKERS), strict=False)
    for (strategy, rows), (colour, marker) in zip(points.items(), looks, strict=False):
        rows = sorted(rows, key=lambda row: row["macs"])
        axes.errorbar(
            [row["macs"] for row in rows],
            [row["accuracy"] for row in rows],
            yerr=[row["deviation"] or 0.0 for row in rows],
            color=colour,
            marker=marker,
            markersize=5,
            linewidth=1.6,
            capsize=3,
            label=plain_text(strategy),
        )
    _macs_axis(axes, everywhere)
    dress(axes)
    axes.set_ylabel("accuracy (%)")
    axes.legend(frameon=False, labelcolor=INK)
    axes.set_title(plain_text(title), fontsize=11, color=INK)
    return figure


def plot_grid(title: str, rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Plot the accuracy of each network of a grid search, best on the left.

    Bars are standard deviations over seeds.

    Args:
        title: Title of the figure.
        rows: Rows of a `darts.scaling.grid.Verdict`.
    """
    figure = Figure(figsize=(1.6 + 0.42 * max(len(rows), 6), 4.2), layout="constrained")
    axes = figure.add_subplot()
    places = range(len(rows))
    axes.errorbar(
        places,
        [row["accuracy"] for row in rows],
        yerr=[row["deviation"] or 0.0 for row in rows],
        color=CURVES[0],
        marker="o",
        markersize=5,
        linestyle="none",
        capsize=3,
    )
    dress(axes)
    labels = ["  ".join(f"{value:g}" for value in row["coefficients"][0]) for row in rows]
    axes.set_xticks(list(places), labels, rotation=90, fontsize=8)
    axes.set_xlabel("alpha  beta  gamma", labelpad=8)
    axes.set_ylabel("accuracy (%)")
    axes.set_title(plain_text(title), fontsize=11, color=INK)
    return figure


def _macs_axis(axes: Axes, macs: Sequence[float]) -> None:
    """Label the x axis with multiply-adds, on a logarithmic scale."""
    axes.set_xscale("log")
    _amounts(axes.xaxis, macs)
    axes.set_xlabel("multiply-adds")


def _amounts(axis: Axis, values: Sequence[float]) -> None:
    """Put ticks at the values, except where two labels would overlap."""
    ticks: list[float] = []
    for value in sorted(values):
        if not ticks or value > 1.2 * ticks[-1]:
            ticks.append(value)
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axis.set_minor_locator(NullLocator())


def _short(value: float) -> str:
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= factor:
            return f"{value / factor:.3g}{unit}"
    return f"{value:.3g}"
