"""A study as text and as a plot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from darts.correlation.outcome import Correlation, OrderAgreement, StudiedRun
from darts.report.frame import dress, write_figure
from darts.report.style import CURVES, INK, MUTED, plain_text
from darts.report.tables import aligned
from darts.statistics.estimates import Estimate
from darts.statistics.interval import Interval

PLOT = "one-shot"
_HEAD = ("", "Kendall", "Spearman", "Kendall, top tenth", "Spearman, top tenth")


def correlation_text(correlation: Correlation) -> str:
    """The outcome as tables and sentences."""
    rows: list[tuple[str, ...]] = [_HEAD]
    rows += [_row(f"one-shot, {run.path}", run.agreement) for run in correlation.runs]
    if len(correlation.runs) > 1:
        rows.append(_mean_row(correlation))
    rows += [_row(name, one) for name, one in correlation.baselines.items()]
    if correlation.ceiling is not None:
        retrained = bool(correlation.cells[0].retrained)
        name = (
            "second retraining, by the first" if retrained else "validation accuracy of the table"
        )
        rows.append(_row(name, correlation.ceiling))
    lines = [*correlation.sentences, "", *aligned(rows), ""]
    lines += [_choice_sentence(run, correlation) for run in correlation.runs]
    regret = correlation.over_runs["regret"]
    if regret.deviation is not None:
        lines.append(f"Regret over {regret.n} runs: {_estimated(regret)} points.")
    lines.append(f"A cell chosen at random has a mean regret of {correlation.random:.2f} points.")
    if (top := correlation.runs[0].agreement.top.n) < 3:
        lines.append(
            f"The top tenth has {top} cells, too few for a correlation: give more --cells."
        )
    if undefined := [run.path for run in correlation.runs if run.agreement.all.kendall is None]:
        lines.append(
            f"No correlation is defined for {', '.join(undefined)}: all cells have the same "
            "accuracy there."
        )
    return "\n".join(lines)


def _row(name: str, one: OrderAgreement) -> tuple[str, ...]:
    return (
        name,
        _interval(one.all.kendall),
        _interval(one.all.spearman),
        _interval(one.top.kendall),
        _interval(one.top.spearman),
    )


def _mean_row(correlation: Correlation) -> tuple[str, ...]:
    known = correlation.over_runs
    names = ("kendall", "spearman", "kendall_top", "spearman_top")
    means = (_estimated(known[name]) if name in known else "–" for name in names)
    return (f"one-shot, {len(correlation.runs)} runs", *means)


def _interval(interval: Interval | None) -> str:
    if interval is None:
        return "–"
    return f"{interval.middle:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _estimated(one: Estimate) -> str:
    return f"{one.mean:.3f}" if one.deviation is None else f"{one.mean:.3f} ± {one.deviation:.3f}"


def _choice_sentence(run: StudiedRun, correlation: Correlation) -> str:
    chosen = run.choice
    cell = correlation.cells[chosen.cell]
    table = "" if chosen.table_rank is None else f", rank {chosen.table_rank:,} of the table"
    return (
        f"Best one-shot cell of {run.path} ({run.accuracies[chosen.cell]:.2f} %): {cell.name}; "
        f"true accuracy {chosen.truth:.2f} %, rank {chosen.rank} of {len(correlation.cells)}"
        f"{table}, regret {chosen.regret:.2f} points."
    )


def plot_correlation(correlation: Correlation) -> Figure:
    """True accuracies over one-shot accuracies: all cells, and the top tenth if it is not tiny."""
    truth = np.array([cell.truth for cell in correlation.cells])
    top = np.argsort(-truth, kind="stable")[: correlation.runs[0].agreement.top.n]
    panels = [(np.arange(len(truth)), f"all {len(truth)} cells")]
    if len(top) >= 3:
        panels.append((top, f"top tenth: {len(top)} cells"))
    figure = Figure(figsize=(4.6 * len(panels), 3.8), layout="constrained")
    for place, (chosen, title) in enumerate(panels, 1):
        axes = figure.add_subplot(1, len(panels), place)
        for number, run in enumerate(correlation.runs):
            _scatter(axes, np.array(run.accuracies)[chosen], truth[chosen], number, run)
        dress(axes)
        axes.set_title(title, fontsize=10, color=INK)
        axes.set(xlabel="one-shot accuracy (%)", ylabel="true accuracy (%)")
        if place == 1 and len(correlation.runs) > 1:
            axes.legend(frameon=False, labelcolor=INK, fontsize=7)
    return figure


def _scatter(
    axes: Axes, one_shot: np.ndarray, truth: np.ndarray, number: int, run: StudiedRun
) -> None:
    colour = CURVES[number % len(CURVES)]
    name = plain_text(f"{run.method}, seed {run.seed}")
    axes.scatter(one_shot, truth, s=14, color=colour, alpha=0.65, linewidths=0, label=name)
    best = int(np.argmax(one_shot))
    axes.scatter(
        one_shot[best], truth[best], s=60, facecolors="none", edgecolors=colour, linewidths=1.2
    )
    axes.axhline(truth.max(), color=MUTED, linewidth=0.6, linestyle="--", zorder=0)


def write_plot(correlation: Correlation, directory: Path) -> Path:
    """Draw the plot into a directory as SVG and PNG; return the SVG."""
    write_figure(plot_correlation(correlation), directory / PLOT)
    return directory / f"{PLOT}.svg"
