"""Plots of a joint search: rounds, predictions, rank correlations, front and importance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from darts.joint.iterate import Round
from darts.joint.variables import Floats
from darts.report.frame import dress
from darts.report.style import CURVES, INK, MUTED, plain_text

_SIZE = (6.2, 3.5)
_MILLION = 1e6


def plot_rounds(rounds: Sequence[Round], epoch: int) -> Figure:
    """Plot the accuracies of each round, with their median and their best."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.add_subplot()
    for number, part in enumerate(rounds, 1):
        values = part.accuracies(epoch)
        values = values[np.isfinite(values)]
        if not len(values):
            continue
        # A fixed horizontal jitter keeps equal values visible.
        aside = 0.16 * np.sin(np.arange(len(values)) * 2.4)
        colour = _colour(number)
        axes.scatter(number + aside, values, s=16, color=colour, alpha=0.65, linewidths=0)
        axes.hlines(np.median(values), number - 0.32, number + 0.32, color=colour, linewidth=2.2)
        axes.annotate(
            f"{values.max():.1f}",
            (number, values.max()),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=INK,
        )
    dress(axes)
    axes.set_xticks(range(1, len(rounds) + 1))
    axes.set(xlabel="round", ylabel=f"accuracy at epoch {epoch} (%)")
    axes.margins(y=0.12)
    return figure


def plot_predictions(rounds: Sequence[Round], epoch: int) -> Figure | None:
    """Plot measured over predicted accuracies; None if nothing was predicted and measured."""
    points = [(n, p.predicted, p.accuracies(epoch)) for n, p in enumerate(rounds, 1)]
    points = [(n, p[known], m[known]) for n, p, m in points if (known := np.isfinite(p + m)).any()]
    if not points:
        return None
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.add_subplot()
    for number, predicted, measured in points:
        colour = _colour(number)
        axes.scatter(predicted, measured, s=20, color=colour, alpha=0.75, label=f"round {number}")
    everything = np.concatenate([part for _, p, m in points for part in (p, m)])
    ends = [everything.min(), everything.max()]
    axes.plot(ends, ends, color=MUTED, linewidth=1, linestyle="--", zorder=0)
    dress(axes)
    axes.set(xlabel="predicted accuracy (%)", ylabel="measured accuracy (%)")
    axes.legend(frameon=False, labelcolor=INK, fontsize=8)
    return figure


def plot_correlations(correlations: Sequence[float], threshold: float, stop: int) -> Figure:
    """Plot the rank correlation of each epoch with the last, and the early-stop epoch."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.add_subplot()
    epochs = range(1, len(correlations) + 1)
    axes.plot(epochs, correlations, "o-", color=CURVES[0], markersize=4, linewidth=2)
    axes.axhline(threshold, color=MUTED, linewidth=1, linestyle="--")
    axes.axvline(stop, color=CURVES[1], linewidth=1.5)
    axes.annotate(
        f"stop: epoch {stop}",
        (stop, min(correlations)),
        xytext=(-5 if stop > len(correlations) / 2 else 5, 0),
        textcoords="offset points",
        ha="right" if stop > len(correlations) / 2 else "left",
        fontsize=9,
        color=CURVES[1],
    )
    dress(axes)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.set(xlabel="epoch", ylabel="rank correlation with the last epoch")
    return figure


def pareto(costs: Floats, accuracies: Floats) -> np.ndarray:
    """Indices of the Pareto front, by increasing cost.

    A point is on the front if no point that costs at most as much has a higher accuracy.

    >>> pareto(np.array([3.0, 1.0, 2.0]), np.array([9.0, 5.0, 4.0]))
    array([1, 0])
    """
    order = np.lexsort((-accuracies, costs))
    best = np.maximum.accumulate(accuracies[order])
    first = np.concatenate([[True], best[1:] > best[:-1]])
    return order[first]


def plot_front(rounds: Sequence[Round], epoch: int) -> Figure:
    """Plot accuracy over multiply-adds, and the Pareto front."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.add_subplot()
    macs = np.concatenate([part.costs.macs for part in rounds]) / _MILLION
    values = np.concatenate([part.accuracies(epoch) for part in rounds])
    numbers = np.repeat(np.arange(1, len(rounds) + 1), [len(part.curves) for part in rounds])
    known = np.isfinite(values)
    for number in np.unique(numbers):
        chosen = known & (numbers == number)
        axes.scatter(
            macs[chosen],
            values[chosen],
            s=18,
            color=_colour(int(number)),
            alpha=0.7,
            linewidths=0,
            label=f"round {number}",
        )
    front = pareto(macs[known], values[known])
    axes.step(
        macs[known][front], values[known][front], where="post", color=INK, linewidth=1.2, zorder=0
    )
    dress(axes)
    axes.set(xlabel="multiply-adds (millions)", ylabel=f"accuracy at epoch {epoch} (%)")
    axes.legend(frameon=False, labelcolor=INK, fontsize=8)
    return figure


def plot_importance(names: Sequence[str], values: Floats, most: int = 24) -> Figure:
    """Plot the most important variables as bars."""
    order = np.argsort(values, kind="stable")[-most:]
    figure = Figure(figsize=(6.2, 0.9 + 0.24 * len(order)), layout="constrained")
    axes = figure.add_subplot()
    axes.barh([plain_text(names[n]) for n in order], values[order], color=CURVES[0], height=0.62)
    dress(axes)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", labelcolor=INK, length=0)
    axes.set(xlabel="RMS change of the prediction when shuffled (points)")
    return figure


def _colour(number: int) -> str:
    return CURVES[(number - 1) % len(CURVES)]
