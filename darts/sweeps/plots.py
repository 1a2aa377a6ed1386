"""Plots of a sweep: the accuracies of each configuration, and their ranks by seed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from darts.report.frame import dress
from darts.report.style import CURVES, INK, MUTED, plain_text
from darts.sweeps.options import CONTROL
from darts.sweeps.sweep_outcome import ConfigurationOutcome, SweepOutcome

_DASHES = (":", "--", "-.", (0, (8, 3)))
_BOX = 5  # With fewer values, quartiles mean little.


def plot_accuracies(outcome: SweepOutcome) -> Figure | None:
    """Plot each accuracy as a dot, with mean and interval, and a box if there are enough of them.

    Dashed lines are what random search finds in the table.

    Returns:
        None while no accuracy is known.
    """
    shown = [one for one in outcome.configurations.values() if one.accuracy is not None]
    if not shown:
        return None
    figure, axes = _rows([one.label for one in shown])
    for row, (one, colour) in enumerate(zip(shown, cycle(CURVES), strict=False)):
        _draw_row(axes, row, one, colour)
    values = [value for one in shown for value in one.accuracies.values()]
    for base, style in zip(outcome.baselines, cycle(_DASHES), strict=False):
        label = "a random cell" if base.n == 1 else f"best of {base.n} random cells"
        axes.axvline(base.test, color=MUTED, linewidth=1.1, linestyle=style, zorder=0, label=label)
        values.append(base.test)
    # Intervals of few values are wide; the axis shows the values.
    room = 0.08 * max(max(values) - min(values), 1.0)
    axes.set_xlim(min(values) - room, max(values) + room)
    if outcome.baselines:
        figure.legend(
            loc="outside lower center", ncols=2, frameon=False, labelcolor=INK, fontsize=8
        )
    axes.set(xlabel=_axis_label(outcome))
    return figure


def _draw_row(axes: Axes, row: int, one: ConfigurationOutcome, colour: str) -> None:
    values = np.array(list(one.accuracies.values()))
    if len(values) >= _BOX:
        box = axes.boxplot(
            values,
            positions=[row],
            orientation="horizontal",
            widths=0.5,
            showfliers=False,
            manage_ticks=False,  # The rows have names.
        )
        for part in (line for lines in box.values() for line in lines):
            part.set(color=colour, linewidth=1, alpha=0.5)
    # A fixed vertical jitter keeps equal values visible.
    aside = 0.13 * np.sin(np.arange(len(values)) * 2.4)
    axes.scatter(values, row + aside, s=16, color=colour, alpha=0.75, linewidths=0, zorder=3)
    known = one.accuracy
    assert known is not None
    if known.interval is not None:
        ends = [known.interval.low, known.interval.high]
        axes.plot(ends, [row + 0.33] * 2, color=colour, linewidth=1.6, solid_capstyle="butt")
    axes.scatter([known.mean], [row + 0.33], s=26, marker="D", color=colour, zorder=4)


def plot_ranks(outcome: SweepOutcome) -> Figure | None:
    """Plot the rank of each configuration for every seed, and the mean rank.

    Returns:
        None if there is one configuration, or no seed that all of them have.
    """
    ranks = {label: values for label, values in outcome.ranks.items() if values}
    if len(ranks) < 2:
        return None
    ordered = sorted(ranks, key=lambda label: sum(ranks[label]))
    figure, axes = _rows(ordered)
    labels = [label for label in outcome.configurations if label != CONTROL]
    for row, label in enumerate(ordered):
        values = np.array(ranks[label])
        colour = CURVES[labels.index(label) % len(CURVES)]
        aside = 0.16 * np.sin(np.arange(len(values)) * 2.4)
        axes.scatter(values, row + aside, s=16, color=colour, alpha=0.7, linewidths=0)
        mean = float(values.mean())
        axes.scatter([mean], [row], s=60, marker="|", color=colour, linewidths=2.4, zorder=4)
        axes.annotate(
            f"{mean:.2f}",
            (mean, row),
            xytext=(0, 8),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=INK,
        )
    axes.set_xlim(0.7, len(ranks) + 0.3)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="rank by accuracy among the configurations with the same seed")
    return figure


def _rows(labels: Sequence[str]) -> tuple[Figure, Axes]:
    """A plot with one row for each label, the first at the top."""
    figure = Figure(figsize=(6.4, 1.2 + 0.42 * len(labels)), layout="constrained")
    axes = figure.add_subplot()
    dress(axes)
    axes.set_yticks(range(len(labels)), [plain_text(label) for label in labels])
    axes.tick_params(axis="y", labelcolor=INK, length=0)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    return figure, axes


def _axis_label(outcome: SweepOutcome) -> str:
    return {
        "table": "test accuracy of the cell in the table (%)",
        "retrain": "accuracy of the retrained cell on set-aside training images (%)",
        "supernet": "accuracy of the supernet, not of the cell (%)",
    }[outcome.judge]
