"""Plots of trained populations: error distributions, and errors over properties of networks.

As in RegNet (arXiv 2003.13678, Figs 2, 5, 9 and 11).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullLocator

from darts.design_space.population import Population
from darts.design_space.statistics import distribution_band
from darts.models.arrays import FloatArray
from darts.report.frame import Margins, dress
from darts.report.style import CURVES, INK, MUTED, plain_text
from darts.statistics.interval import Interval

_LABELS = {
    "params": "parameters",
    "macs": "multiply-adds",
    "activations": "activations",
    "latency": "latency (ms)",
    "seconds": "training time (s)",
    "depth": "depth (blocks)",
    "bottleneck": "bottleneck ratio b",
    "group_width": "group width g",
    "w0": "initial width w₀",
    "wa": "slope wₐ",
    "wm": "width ratio wₘ",
    "fit_error": "e_fit of a quantised line",
    **{f"w{stage}": f"width of stage {stage}" for stage in range(1, 10)},
    **{f"d{stage}": f"depth of stage {stage}" for stage in range(1, 10)},
}
PROPERTY_SCALES = {"latency": 1e3}
# If values differ by more than this factor, their axis is logarithmic.
_WIDE = 8
# More dots than this take less space in the file as pixels than as vectors.
_MANY = 200
# More bands than this are fainter, to stay legible.
_LEGIBLE = 3


@dataclass(frozen=True)
class Mark:
    """A single network in a plot of distributions.

    Attributes:
        label: Entry of the legend.
        error: Test error (%).
        low: Lower bound of the error, if known.
        high: Upper bound of the error, if known.
    """

    label: str
    error: float
    low: float | None = None
    high: float | None = None


def property_label(name: str) -> str:
    """A property in words."""
    return _LABELS.get(name) or plain_text(name.replace("_", " "))


def legend_entry(population: Population) -> str:
    """Legend entry of a population: name, [min | mean] of the errors, number of networks."""
    errors = population.errors
    name = plain_text(population.name)
    return f"{name}  [{errors.min():.1f} | {errors.mean():.1f}]  n = {len(errors)}"


def shown_range(errors: Sequence[FloatArray]) -> tuple[float, float]:
    """Limits of the error axis that leave out very bad networks.

    The upper limit is m + 4·(m - min), with the smallest error of all populations and the largest
    of their medians m.
    """
    low = min(values.min() for values in errors)
    high = max(values.max() for values in errors)
    # The largest median, so that each curve shows at least its lower half.
    middle = max(float(np.median(values)) for values in errors)
    high = min(high, middle + 4 * max(middle - low, 0.5))
    room = 0.03 * max(high - low, 0.1)
    return low - room, high + room


def plot_distributions(populations: Sequence[Population], marks: Sequence[Mark] = ()) -> Figure:
    """Plot distribution functions with pointwise 95 % bands, and marks as vertical lines."""
    # Room for one row of the legend per entry.
    entries = len(populations) + len(marks)
    figure = Figure(figsize=(6.6, 3.9 + 0.22 * entries), layout="constrained")
    axes = figure.add_subplot()
    low, high = shown_range([population.errors for population in populations])
    for mark in marks:
        low, high = min(low, mark.error - 0.2), max(high, mark.error + 0.2)
    beyond = 0
    for population, colour in zip(populations, cycle(CURVES), strict=False):
        errors = np.sort(population.errors)
        beyond += int((errors > high).sum())
        steps = np.concatenate([[low], errors, [high]])
        # F counts errors strictly below e, so each step is just above an error.
        after = np.concatenate([errors[1:], [math.inf]])
        share = np.concatenate([[0], np.arange(1, len(errors) + 1) / len(errors), [1]])
        axes.plot(
            steps,
            share,
            drawstyle="steps-post",
            color=colour,
            linewidth=2,
            label=legend_entry(population),
        )
        lower, upper = (
            np.concatenate([[0], bound, bound[-1:]]) for bound in distribution_band(errors, after)
        )
        alpha = 0.14 if len(populations) <= _LEGIBLE else 0.06
        axes.fill_between(steps, lower, upper, step="post", color=colour, alpha=alpha, linewidth=0)
    for mark, style in zip(marks, cycle(("--", ":", "-.")), strict=False):
        if mark.low is not None and mark.high is not None:
            axes.axvspan(mark.low, mark.high, color=INK, alpha=0.1, linewidth=0)
        label = f"{plain_text(mark.label)}  {mark.error:.2f} %"
        axes.axvline(mark.error, color=INK, linestyle=style, linewidth=1.6, label=label)
    dress(axes)
    axes.set(xlim=(low, high), ylim=(0, 1.02), ylabel="share of networks with error < e")
    cut = f";  {beyond} beyond {high:.0f} %" if beyond else ""
    axes.set_xlabel(f"test error e (%){cut}")
    figure.legend(loc="outside lower left", frameon=False, labelcolor=INK, fontsize=9, ncols=1)
    return figure


def plot_properties(
    population: Population,
    names: Sequence[str],
    intervals: Mapping[str, Interval],
    colour: str = CURVES[0],
    columns: int = 4,
) -> Figure:
    """Plot error over properties: one dot per network, and the most likely best value.

    Args:
        population: Has the networks.
        names: Names of the properties.
        intervals: Most likely best values and their intervals, drawn as line and band; see
            `darts.design_space.statistics.best_values`. May lack properties.
        colour: Colour of the plot.
        columns: Number of panels in a row.
    """
    rows = -(-len(names) // columns)
    columns = min(columns, len(names))
    figure = Figure(figsize=(0.6 + 2.6 * columns, 0.05 + 2.25 * rows))
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    Margins().apply(figure, rows, columns)
    low, high = shown_range([population.errors])
    for index, axes in enumerate(panels.flat):
        if index >= len(names):
            axes.set_axis_off()
            continue
        name = names[index]
        scale = PROPERTY_SCALES.get(name, 1.0)
        _scatter(axes, population.properties[name] * scale, population.errors, colour)
        if interval := intervals.get(name):
            low_x, high_x = interval.low * scale, interval.high * scale
            axes.axvspan(low_x, high_x, color=colour, alpha=0.15, linewidth=0)
            axes.axvline(interval.middle * scale, color=colour, linewidth=2)
        axes.set(ylim=(low, high))
        axes.set_xlabel(property_label(name), fontsize=9)
        if index % columns == 0:
            axes.set_ylabel("test error (%)", fontsize=9)
    return figure


def plot_costs(
    populations: Sequence[Population],
    name: str,
    error: float,
    properties: Mapping[str, float],
    names: Sequence[str],
) -> Figure:
    """Plot error over costs: one dot per network, and a star for the network under comparison.

    Args:
        populations: Have the networks.
        name: Name of the star.
        error: Its test error (%).
        properties: Its costs.
        names: Names of the costs.
    """
    figure = Figure(
        figsize=(0.6 + 2.9 * len(names), 2.9 + 0.22 * len(populations)), layout="constrained"
    )
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    low, high = shown_range([population.errors for population in populations])
    for axes, cost in zip(panels, names, strict=True):
        scale = PROPERTY_SCALES.get(cost, 1.0)
        for population, colour in zip(populations, cycle(CURVES), strict=False):
            if cost in population.properties:
                _scatter(axes, population.properties[cost] * scale, population.errors, colour)
        known = [p.properties[cost] for p in populations if cost in p.properties]
        _scale(axes, np.concatenate([*known, [properties[cost]]]) * scale)
        star = {"s": 130, "marker": "*", "color": INK, "zorder": 3, "clip_on": False}
        axes.scatter(properties[cost] * scale, error, linewidths=0, **star)
        axes.set(ylim=(min(low, error - 0.5), max(high, error + 0.5)))
        axes.set_xlabel(property_label(cost), fontsize=9)
    panels[0].set_ylabel("test error (%)", fontsize=9)
    handles = [
        Line2D([], [], color=colour, marker="o", linestyle="")
        for _, colour in zip(populations, cycle(CURVES), strict=False)
    ]
    handles.append(Line2D([], [], color=INK, marker="*", markersize=10, linestyle=""))
    labels = [plain_text(population.name) for population in populations] + [plain_text(name)]
    figure.legend(
        handles, labels, loc="outside lower left", frameon=False, labelcolor=INK, fontsize=9
    )
    return figure


def _scatter(axes: Axes, values: FloatArray, errors: FloatArray, colour: str) -> None:
    many = len(values) > _MANY
    size = 7 if many else 12 if len(values) > 50 else 26
    axes.scatter(values, errors, s=size, color=colour, alpha=0.55, linewidths=0, rasterized=many)
    _scale(axes, values[np.isfinite(values)])
    dress(axes)
    axes.tick_params(labelsize=8)


def _scale(axes: Axes, values: FloatArray) -> None:
    """Scale the horizontal axis: logarithmic if values differ much; 2e5 is written 200k."""
    if len(values) and values.min() > 0 and values.max() / values.min() > _WIDE:
        axes.set_xscale("log")
        decades = math.log10(values.max() / values.min())
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 1.5 else (1, 3)))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        whole = bool((values == np.round(values)).all())
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=whole))
    _number_ticks(axes.xaxis, values)


def _number_ticks(axis: Axis, values: FloatArray) -> None:
    """Write 2e5 as 200k, and small numbers in full."""
    large = len(values) > 0 and values.max() >= 1000
    axis.set_major_formatter(EngFormatter(sep="") if large else "{x:g}")


def plot_trends(
    costs: Sequence[float], intervals: Sequence[Mapping[str, Interval]], names: Sequence[str]
) -> Figure:
    """Plot the most likely best value of properties over the cost of several populations (§4).

    Args:
        costs: Mean multiply-adds of each population.
        intervals: Most likely best values of each population, by property.
        names: Names of the properties.
    """
    columns = min(4, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(0.6 + 2.6 * columns, 0.35 + 2.25 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    order = np.argsort(costs)
    for index, axes in enumerate(panels.flat):
        if index >= len(names):
            axes.set_axis_off()
            continue
        found = [
            (costs[i], intervals[i][names[index]]) for i in order if names[index] in intervals[i]
        ]
        x, middle = [cost for cost, _ in found], [interval.middle for _, interval in found]
        low, high = [one.low for _, one in found], [one.high for _, one in found]
        axes.fill_between(x, low, high, color=CURVES[0], alpha=0.15, linewidth=0)
        axes.plot(x, middle, color=CURVES[0], marker="o", markersize=4, linewidth=2)
        _scale(axes, np.array(x))
        _number_ticks(axes.yaxis, np.array(high))
        dress(axes)
        axes.tick_params(labelsize=8)
        axes.set_title(property_label(names[index]), fontsize=9, color=MUTED)
        axes.set_xlabel("multiply-adds", fontsize=9)
    return figure
