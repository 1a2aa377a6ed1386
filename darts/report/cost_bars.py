"""Costs of several models as bars, one panel per cost; accuracies play no role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from darts.report.frame import dress
from darts.report.fronts import COST_LABELS
from darts.report.style import CURVES, INK, plain_text


def plot_cost_bars(
    names: Sequence[str], costs: Mapping[str, Sequence[float]], labels: Mapping[str, str]
) -> Figure:
    """Horizontal bars: one row per model, one panel per cost, each with its number.

    Args:
        names: The models, from top to bottom.
        costs: The values of all models by cost.
        labels: Axis labels of costs that differ from `COST_LABELS`.
    """
    figure = Figure(figsize=(1.6 + 2.6 * len(costs), 1.0 + 0.42 * len(names)), layout="constrained")
    panels = figure.subplots(1, len(costs), sharey=True, squeeze=False)[0]
    rows = range(len(names))
    for axes, (cost, values), colour in zip(panels, costs.items(), cycle(CURVES), strict=False):
        axes.barh(rows, values, color=colour, height=0.62)
        dress(axes)
        axes.grid(visible=False, axis="y")
        large = max(values) >= 1000
        number = EngFormatter(sep="", places=1) if large else (lambda value: f"{value:.3g}")
        for row, value in zip(rows, values, strict=True):
            axes.annotate(
                number(value), (value, row), (3, 0), textcoords="offset points",
                va="center", fontsize=8, color=INK,
            )  # fmt: skip
        axes.set_xlim(0, 1.28 * max(values))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=3))
        if large:
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.set_xlabel(labels.get(cost) or COST_LABELS.get(cost, cost), fontsize=9)
        axes.tick_params(labelsize=8)
    panels[0].set_yticks(list(rows), [plain_text(name) for name in names])
    panels[0].invert_yaxis()
    return figure
