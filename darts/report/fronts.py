"""Error or accuracy over cost: single networks with intervals, and the front of the best ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import ArrayLike

from darts.report.frame import dress
from darts.report.style import CURVES, INK, MUTED, plain_text

COST_LABELS = {
    "macs": "multiply-adds",
    "params": "parameters",
    "activations": "activations",
    "latency": "latency (ms)",
}
# Seconds are drawn as milliseconds.
_FACTORS = {"latency": 1e3}
# If values differ by more than this factor, their axis is logarithmic.
_WIDE = 8
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


@dataclass(frozen=True, kw_only=True)
class FrontPoint:
    """A network in a plot.

    Attributes:
        label: Entry of the legend.
        value: Its error or accuracy (%).
        low: Lower bound of the value, if known.
        high: Upper bound of the value, if known.
        costs: Its costs by name, such as `macs`; the latency in seconds.
    """

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    costs: Mapping[str, float] = field(default_factory=dict)


def front_of(
    points: Sequence[FrontPoint], cost: str, *, smaller_is_better: bool = False
) -> list[int]:
    """The indices of the points that no other point beats, from the cheapest to the dearest.

    A point is beaten by one that costs no more and is better, or costs less and is no worse.

    >>> known = [(2, 9), (1, 7), (3, 8)]
    >>> front_of([FrontPoint(label="", value=v, costs={"macs": c}) for c, v in known], "macs")
    [1, 0]
    """
    sign = 1.0 if smaller_is_better else -1.0
    known = [
        (one.costs[cost], sign * one.value, index)
        for index, one in enumerate(points)
        if one.costs.get(cost) is not None and math.isfinite(one.value)
    ]
    found: list[int] = []
    best = math.inf
    for _, value, index in sorted(known):
        if value < best:
            found.append(index)
            best = value
    return found


def plot_fronts(
    points: Sequence[FrontPoint],
    costs: Sequence[str],
    *,
    y_label: str,
    smaller_is_better: bool = False,
    clouds: Sequence[tuple[str, Mapping[str, ArrayLike], ArrayLike]] = (),
) -> Figure:
    """Plot values over costs, one panel per cost; a dotted line joins the front.

    Args:
        points: The networks.
        costs: Names of the costs; a point without one is left out of its panel.
        y_label: What the values are.
        smaller_is_better: True for errors, False for accuracies.
        clouds: Populations as faint dots behind: name, costs of all networks by name, values.
    """
    rows = math.ceil((len(points) + len(clouds)) / 2)
    figure = Figure(figsize=(0.8 + 3.1 * len(costs), 3.2 + 0.2 * rows), layout="constrained")
    panels = figure.subplots(1, len(costs), sharey=True, squeeze=False)[0]
    colours = [colour for colour, _ in zip(cycle(CURVES), points, strict=False)]
    faint = [colour for colour, _ in zip(cycle(reversed(CURVES)), clouds, strict=False)]
    for axes, cost in zip(panels, costs, strict=True):
        factor = _FACTORS.get(cost, 1.0)
        shown = [one.costs[cost] * factor for one in points if one.costs.get(cost) is not None]
        for (_, properties, values), colour in zip(clouds, faint, strict=True):
            if cost in properties:
                x = np.asarray(properties[cost], np.float64) * factor
                axes.scatter(x, values, s=9, color=colour, alpha=0.35, linewidths=0)
                shown += x[np.isfinite(x)].tolist()
        _draw_points(axes, points, colours, cost, factor)
        front = [points[i] for i in front_of(points, cost, smaller_is_better=smaller_is_better)]
        if len(front) > 1:
            axes.plot(
                [one.costs[cost] * factor for one in front],
                [one.value for one in front],
                color=MUTED,
                linestyle=":",
                linewidth=1.4,
                zorder=1,
            )
        _dress_costs(axes, shown)
        axes.set_xlabel(COST_LABELS.get(cost, plain_text(cost)), fontsize=9)
    panels[0].set_ylabel(y_label, fontsize=9)
    _legend(figure, points, colours, [name for name, _, _ in clouds], faint)
    return figure


def _draw_points(
    axes: Axes, points: Sequence[FrontPoint], colours: Sequence[str], cost: str, factor: float
) -> None:
    for one, colour, marker in zip(points, colours, cycle(_MARKERS), strict=False):
        if one.costs.get(cost) is None:
            continue
        low = one.value if one.low is None else one.low
        high = one.value if one.high is None else one.high
        axes.errorbar(
            [one.costs[cost] * factor],
            [one.value],
            yerr=[[one.value - low], [high - one.value]],
            color=colour,
            marker=marker,
            markersize=7,
            linewidth=1.4,
            capsize=3,
            zorder=3,
        )


def _dress_costs(axes: Axes, values: Sequence[float]) -> None:
    """Scale the horizontal axis: logarithmic if costs differ much; 2e5 is written 200k."""
    known = np.asarray(values, np.float64)
    dress(axes)
    axes.tick_params(labelsize=8)
    if len(known) and known.min() > 0 and known.max() / known.min() > _WIDE:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
    large = len(known) > 0 and known.max() >= 1000
    axes.xaxis.set_major_formatter(EngFormatter(sep="") if large else "{x:g}")


def _legend(
    figure: Figure,
    points: Sequence[FrontPoint],
    colours: Sequence[str],
    clouds: Sequence[str],
    faint: Sequence[str],
) -> None:
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="")
        for _, colour, marker in zip(points, colours, cycle(_MARKERS), strict=False)
    ]
    handles += [
        Line2D([], [], color=colour, marker="o", markersize=4, alpha=0.5, linestyle="")
        for colour in faint
    ]
    figure.legend(
        handles,
        [plain_text(one.label) for one in points] + [plain_text(name) for name in clouds],
        loc="outside lower left",
        frameon=False,
        labelcolor=INK,
        fontsize=9,
        ncols=2,
    )
