"""Text and plot of cells judged by a table of known accuracies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from darts.nasbench.found import FoundCell
from darts.nasbench.judgement import CellJudgement, MethodResult, interval_words
from darts.nasbench.table import KnownCell
from darts.report.frame import dress
from darts.report.style import CURVES, INK, MUTED, plain_text
from darts.report.tables import Row, aligned

_NOTHING = "–"
_COLUMNS = 8  # Epochs of a table with several searches.
_SHORT = {
    "none": "none",
    "skip_connect": "skip",
    "nor_conv_1x1": "1x1",
    "nor_conv_3x3": "3x3",
    "avg_pool_3x3": "avg",
}


def judgement_text(judged: CellJudgement) -> str:
    """What the command prints."""
    table = judged.table
    blocks = [
        aligned(
            [
                ("table", f"{table.path} ({table.form}), {table.dataset}, {table.known:,} cells"),
                ("valid", table.valid_protocol or _NOTHING),
                ("test", table.test_protocol or _NOTHING),
                *(("note", note) for note in judged.notes),
            ]
        )
    ]
    if judged.cells:
        blocks.append(aligned(_cell_rows(judged)))
    blocks.append(_trajectories([found for found in judged.cells if found.trajectory]))
    if len(judged.methods) and any(len(one.runs) > 1 for one in judged.methods):
        blocks.append(aligned(_method_rows(judged.methods)))
    if judged.baselines:
        rows: list[Row] = [("random search: best by valid of", "valid", "test", "deviation")]
        for one in judged.baselines:
            name = "1 cell" if one.n == 1 else f"{one.n} cells"
            rows.append((name, f"{one.valid:.2f}", f"{one.test:.2f}", f"{one.deviation:.2f}"))
        blocks.append(aligned(rows))
    blocks.append([one.sentence for one in judged.methods])
    return "\n\n".join("\n".join(block) for block in blocks if block)


def short_cell(cell: KnownCell) -> str:
    """A cell in few characters.

    >>> from darts.nasbench.cell_names import strings
    >>> short_cell(KnownCell(strings()[6111], 6111, None, None, None, None, None))
    '3x3|3x3,3x3|skip,3x3,1x1'
    """
    nodes = [node.split("|") for node in cell.arch.strip("|").split("|+|")]
    return "|".join(",".join(_SHORT[term.split("~")[0]] for term in node) for node in nodes)


def known_words(cell: KnownCell) -> str:
    """A cell's known accuracy in one line.

    >>> known_words(KnownCell("", 0, 91.5, 94.3, 3, 99.0, 0.1))
    '94.30 % test (rank 3, regret 0.10), 91.50 % validation'
    """
    if cell.test is None and cell.valid is None:
        return "not in the table"
    parts = []
    if cell.test is not None:
        parts.append(f"{cell.test:.2f} % test (rank {cell.rank:,}, regret {cell.regret:.2f})")
    if cell.valid is not None:
        parts.append(f"{cell.valid:.2f} % validation")
    return ", ".join(parts)


def _numbers(cell: KnownCell) -> tuple[str, ...]:
    rank = _NOTHING if cell.rank is None else f"{cell.rank:,}"
    return (_number(cell.valid), _number(cell.test), rank)


def _number(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.2f}"


def _cell_rows(judged: CellJudgement) -> list[Row]:
    rows: list[Row] = [("number", "cell", "valid", "test", "rank", "percentile", "regret", "from")]
    for found in judged.cells:
        cell = found.cell
        origin = found.source
        if found.method:
            origin += f" ({found.method}, seed {found.seed})"
        percentile, regret = _number(cell.percentile), _number(cell.regret)
        plain = (f"nb201-{cell.number}", short_cell(cell))
        rows.append((*plain, *_numbers(cell), percentile, regret, origin))
    return rows


def _trajectories(runs: Sequence[FoundCell]) -> list[str]:
    """One search: a row per change of the cell. Several: test accuracy after a few epochs."""
    if len(runs) == 1:
        rows: list[Row] = [("after epochs", "valid", "test", "rank", "cell")]
        for first, end, cell in runs[0].spans:
            span = str(first) if first == end else f"{first}–{end}"
            rows.append((span, *_numbers(cell), short_cell(cell)))
        return aligned(rows)
    epochs = sorted({epoch for run in runs for epoch in run.trajectory})
    if not epochs:
        return []
    last = len(epochs) - 1
    shown = sorted({epochs[round(last * part / (_COLUMNS - 1))] for part in range(_COLUMNS)})
    table: list[Row] = [("test after epoch", *map(str, shown))]
    for run in runs:
        cells = [run.trajectory.get(epoch) for epoch in shown]
        name = run.source if run.seed is None else f"{run.method}, seed {run.seed}"
        table.append((name, *(_NOTHING if cell is None else _number(cell.test) for cell in cells)))
    return aligned(table)


def _method_rows(methods: Sequence[MethodResult]) -> list[Row]:
    head = ("method", "searches", "valid", "test", "deviation", "95 % interval", "best by valid")
    rows: list[Row] = [(*head, "random search", "equals random cells")]
    for one in methods:
        interval = one.test.interval
        rows.append(
            (
                one.method,
                str(len(one.runs)),
                _number(one.valid.mean),
                _number(one.test.mean),
                _number(one.test.deviation),
                interval_words(interval) if interval else _NOTHING,
                _number(one.best.cell.test),
                _number(one.random.test),
                "more than all" if one.equivalent is None else f"{one.equivalent:,}",
            )
        )
    return rows


def plot_trajectories(judged: CellJudgement) -> Figure | None:
    """Known accuracies of the cell of every epoch; None if no run is among the cells.

    Solid lines are test accuracies, dotted ones validation accuracies. Dashed grey lines show the
    test accuracy of random search, and the best cell. The axis is logarithmic in the error, so
    that good cells are told apart.
    """
    runs = [found for found in judged.cells if found.trajectory]
    if not runs:
        return None
    figure = Figure(figsize=(7.2, 4.0), layout="constrained")
    axes = figure.add_subplot()
    methods = list(dict.fromkeys(run.method for run in runs))
    single = len(methods) == 1
    handles: list[Line2D] = []
    for place, run in enumerate(runs):
        colour = CURVES[(place if single else methods.index(run.method)) % len(CURVES)]
        epochs = list(run.trajectory)
        for name, style, width in (("test", "-", 1.8), ("valid", ":", 1.0)):
            values = [getattr(cell, name) for cell in run.trajectory.values()]
            numbers = [float("nan") if value is None else value for value in values]
            marker = "o" if len(epochs) == 1 else None
            axes.plot(epochs, numbers, style, color=colour, linewidth=width, marker=marker)
        label = f"seed {run.seed}" if single else run.method
        if single or run.method not in [one.get_label() for one in handles]:
            handles.append(Line2D([], [], color=colour, label=plain_text(label)))
    _reference_lines(axes, judged)
    dress(axes)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.set_yscale("function", functions=(_stretch, _shrink))
    axes.set_yticks([10, 20, 30, 40, 50, 60, 70, 80, 85, 90, 92, 93, 94])
    lowest = min((c.valid or c.test or 0.0) for run in runs for c in run.trajectory.values())
    highest = judged.table.best_test if judged.table.known else 94.0
    axes.set_ylim(max(lowest - 2, 5), highest + 0.07 * (100 - highest))
    axes.set_xlabel("finished epochs")
    axes.set_ylabel(f"known accuracy on {judged.table.dataset} (%)")
    handles += [
        Line2D([], [], color=INK, label="test"),
        Line2D([], [], color=INK, linestyle=":", label="validation"),
    ]
    look: dict[str, Any] = {"frameon": False, "labelcolor": INK, "fontsize": 8}
    figure.legend(handles=handles, loc="outside upper left", ncols=6, **look)
    return figure


def _stretch(accuracy: Any) -> Any:
    return -np.log(np.maximum(100 - np.asarray(accuracy), 1e-3))


def _shrink(height: Any) -> Any:
    return 100 - np.exp(-np.asarray(height))


def _reference_lines(axes: Axes, judged: CellJudgement) -> None:
    """Dashed lines with their meaning: random search, and the best cell of the table."""
    lines = [(one.test, f"{one.n} random") for one in judged.baselines if one.n != 3]
    if judged.table.known:
        lines.append((judged.table.best_test, "best cell"))
    for value, words in lines:
        axes.axhline(value, color=MUTED, linewidth=0.8, linestyle="--", zorder=0)
        axes.annotate(
            words,
            (1, value),
            xycoords=("axes fraction", "data"),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            color=MUTED,
            annotation_clip=False,
        )
