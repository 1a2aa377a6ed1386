"""The diagnostics of a search on its page: warnings, and plots of what it recorded by epoch.

Runs of earlier versions have none of this; then there are no warnings and no plots.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from darts.report.curves import Curve, plot
from darts.report.frame import dress, inline_svg
from darts.report.record import RunRecord
from darts.report.style import (
    CURVES,
    INK,
    MUTED,
    OPERATION_FAMILIES,
    POOL,
    SKIP,
    OperationFamily,
    cell_title,
    operation_family,
)
from genotypes import KINDS
from genotypes.search_space import NONE

_NO_EDGE = OperationFamily("no edge", "#9ca3af", "#ffffff")
_FAMILIES = (SKIP, POOL, *(one for one in OPERATION_FAMILIES if one not in (SKIP, POOL)), _NO_EDGE)
"""In the order of the bars, from below."""


def warnings(record: RunRecord) -> list[str]:
    """The texts of all warnings of a search, with their epochs."""
    texts = []
    for line in record.epochs:
        given = line.get("warnings")
        for one in given if isinstance(given, list) else []:
            if isinstance(one, Mapping) and isinstance(one.get("text"), str):
                texts.append(f"After epoch {line['epoch'] + 1}: {one['text']}")
    return texts


def diagnostic_plots(record: RunRecord) -> Iterator[tuple[str, Markup]]:
    """Title and plot of each measure that the search has recorded."""
    for kind in KINDS:
        epochs, counts = _counts(record, kind)
        if epochs:
            yield (
                f"Operations of the derived {cell_title(kind)}",
                plot_counts(epochs, counts, f"Edges of the {cell_title(kind)}"),
            )
    for title, label, lines in _LINES:
        curves = []
        for (name, words), colour in zip(lines.items(), CURVES, strict=False):
            x, y = record.series(name)
            curves.append(Curve(x, y, words, colour, marked=len(x) < 12))
        picture = plot(curves, x_label="epoch", y_label=label)
        if picture is not None:
            yield title, picture


def plot_counts(epochs: Sequence[int], counts: Sequence[Mapping[str, int]], label: str) -> Markup:
    """Plot how many edges of a cell have an operation of each family: one bar per epoch.

    Skip connections and poolings, which win when a search collapses, are drawn solid and below.

    Args:
        epochs: Numbers of finished epochs.
        counts: By epoch the number of edges by operation.
        label: Label of the vertical axis.
    """
    figure = Figure(figsize=(6.2, 3.3), layout="constrained")
    axes = figure.add_subplot()
    bottom, shown = [0] * len(epochs), []
    for family in _FAMILIES:
        heights = [
            sum(count for name, count in one.items() if _family(name) is family) for one in counts
        ]
        if not any(heights):
            continue
        solid = family in (SKIP, POOL)
        style: dict[str, Any] = {
            "facecolor": family.line if solid else family.fill,
            "edgecolor": family.line,
        }
        axes.bar(epochs, heights, 0.9, bottom, linewidth=0.4, **style)
        shown.append(Patch(label=family.label, linewidth=0.8, **style))
        bottom = [below + height for below, height in zip(bottom, heights, strict=True)]
    dress(axes)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
    axes.set_xlabel("epoch", color=MUTED)
    axes.set_ylabel(label, color=MUTED)
    legend: dict[str, Any] = {"frameon": False, "labelcolor": INK, "fontsize": 8}
    figure.legend(handles=shown, loc="outside upper left", ncols=3, **legend)
    return inline_svg(figure, label)


def _family(name: str) -> OperationFamily:
    return _NO_EDGE if name == NONE else operation_family(name)


def _counts(record: RunRecord, kind: str) -> tuple[list[int], list[Mapping[str, int]]]:
    """The epochs that have counts of a kind of cell, and the counts."""
    epochs, counts = [], []
    for line in record.epochs:
        every = line.get("operation_counts")
        given: Any = every.get(kind) if isinstance(every, Mapping) else None
        if isinstance(given, Mapping) and all(type(count) is int for count in given.values()):
            epochs.append(line["epoch"] + 1)
            counts.append(given)
    return epochs, counts


_LINES: Sequence[tuple[str, str, Mapping[str, str]]] = (
    (
        "Entropy: 1 is undecided, 0 decided",
        "Entropy",
        {
            "normal_entropy": "operations, normal cell",
            "reduce_entropy": "operations, reduction cell",
            "normal_edge_entropy": "edges, normal cell",
            "reduce_edge_entropy": "edges, reduction cell",
        },
    ),
    (
        "Discretisation gap: supernet and its derived cell, same weights and images",
        "Accuracy on a few images (%)",
        {"supernet_accuracy": "supernet", "derived_accuracy": "derived cell"},
    ),
    (
        "Loss of the supernet and of its derived cell",
        "Loss on a few images",
        {"supernet_loss": "supernet", "derived_loss": "derived cell"},
    ),
    (
        "Changes of the derived cell since the last epoch",
        "Changes",
        {"edge_changes": "other edges", "operation_changes": "other operations on the same edges"},
    ),
    (
        "Cost of the derived network",
        "Multiply-adds",
        {"derived_macs": "derived now", "expected_macs": "expected"},
    ),
    (
        "Dominant eigenvalue of the validation loss in alpha",
        "Eigenvalue",
        {"eigenvalue": "eigenvalue"},
    ),
    (
        "Known accuracy of the derived cell: looked up, not used by the search",
        "Accuracy in the table (%)",
        {"table_test": "test", "table_valid": "validation"},
    ),
    (
        "Alignment of the normal cells: mean cosine of their gradients",
        "Alignment",
        {"alignment": "alignment"},
    ),
)
"""Title, label of the vertical axis, and by measure the words of the legend, for each plot."""
