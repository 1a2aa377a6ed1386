"""The diagnostics of a search on its page: warnings, and plots of what it recorded by epoch.

Runs of earlier versions have none of this; then there are no warnings and no plots.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from darts.report.chart import Chart, LegendEntry, Scale
from darts.report.curves import Curve, plot
from darts.report.record import RunRecord
from darts.report.style import (
    CURVES,
    OPERATION_FAMILIES,
    POOL,
    SKIP,
    OperationFamily,
    cell_title,
    operation_family,
)
from darts.report.svg_shapes import svg_box
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
    shown = [
        (family, heights)
        for family in _FAMILIES
        if any(heights := [_count(one, family) for one in counts])
    ]

    def marks(across: Scale, up: Scale) -> Iterator[str]:
        bottom = [0] * len(epochs)
        for family, heights in shown:
            fill = _fill(family)
            for index, (epoch, height) in enumerate(zip(epochs, heights, strict=True)):
                if height:
                    left, top = across(epoch - 0.45), up(bottom[index] + height)
                    size = across(epoch + 0.45) - left, up(bottom[index]) - top
                    yield svg_box(left, top, *size, fill, family.line, 0.4)
                    bottom[index] += height

    most = max(sum(one.values()) for one in counts)
    chart = Chart(
        (epochs[0] - 0.5, epochs[-1] + 0.5),
        (0, 1.05 * most),
        "epoch",
        label,
        [LegendEntry(family.label, family.line, _fill(family)) for family, _ in shown],
        whole=True,
    )
    return chart.svg(marks)


def _count(counts: Mapping[str, int], family: OperationFamily) -> int:
    return sum(count for name, count in counts.items() if _family(name) is family)


def _fill(family: OperationFamily) -> str:
    return family.line if family in (SKIP, POOL) else family.fill


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
        {
            "supernet_accuracy": "supernet",
            "derived_accuracy": "derived cell",
            "supernet_map": "supernet (mAP)",
            "derived_map": "derived cell (mAP)",
        },
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
