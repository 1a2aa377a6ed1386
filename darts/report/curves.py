"""Curves of a run as inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from cells.topology import INPUTS, Topology
from darts.report.frame import dress, inline_svg
from darts.report.style import (
    INK,
    MUTED,
    OPERATION_COLOURS,
    operation_label,
    plain_text,
    state_name,
)
from genotypes.genotype import Genotype
from genotypes.search_space import NONE

_Entry = tuple[str, str, Literal["-", ":"]]


@dataclass(frozen=True)
class Curve:
    """One line of a plot.

    Attributes:
        x: Horizontal positions.
        y: Values at these positions.
        label: Entry of the legend.
        colour: A colour that matplotlib knows.
        faint: Draw it thin.
        marked: Draw a dot at each point.
    """

    x: Sequence[float]
    y: Sequence[float]
    label: str
    colour: str
    faint: bool = False
    marked: bool = False


def plot(curves: Sequence[Curve], *, x_label: str, y_label: str) -> Markup | None:
    """Plot curves in one frame; None if none of them has a point.

    Args:
        curves: Drawn in this order.
        x_label: Label of the horizontal axis.
        y_label: What is plotted, with its unit.
    """
    curves = [curve for curve in curves if len(curve.x)]
    if not curves:
        return None
    figure = Figure(figsize=(6.2, 3.3), layout="constrained")
    axes = figure.add_subplot()
    lines = []
    for curve in map(_thinned, curves):
        # A single point is invisible without a marker.
        marker = "o" if curve.marked or len(curve.x) == 1 else None
        lines += axes.plot(
            curve.x,
            curve.y,
            color=curve.colour,
            marker=marker,
            markersize=4,
            linewidth=0.8 if curve.faint else 2.0,
            alpha=0.4 if curve.faint else 1.0,
        )
    _dress(axes)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    if len(curves) > 1:
        labels = [plain_text(curve.label) for curve in curves]
        axes.legend(lines, labels, frameon=False, labelcolor=INK)
    return inline_svg(figure, y_label)


def plot_operations(
    epochs: Sequence[float],
    tables: Sequence[Sequence[Sequence[float]]],
    operations: Sequence[str],
    genotype: Genotype | None,
    kind: str,
    frozen: float = 0,
) -> Markup:
    """Plot softmax(alpha) of every edge over the epochs: one row per node, one column per input.

    Args:
        epochs: Numbers of finished epochs, `[E]`.
        tables: softmax(alpha), `[E, edges, operations]`.
        operations: Names of the operations.
        genotype: Its kept edges are framed, and their operations are drawn bold.
        kind: normal or reduce.
        frozen: Number of epochs, shaded, in which alpha and beta were frozen.
    """
    topology = topology_of(len(tables[0]), _inputs(genotype))
    kept = operations_by_edge(genotype, kind)
    inputs, columns = topology.inputs, topology.inner[-1]
    values = [value for table in tables for row in table for value in row]
    room = 0.06 * (max(values) - min(values)) + 1e-3
    figure = Figure(figsize=(1.0 + 2.1 * columns, 0.9 + 1.35 * topology.nodes))
    margins = {"left": 0.06, "bottom": 0.13, "right": 0.995, "top": 0.95}
    grid = figure.add_gridspec(topology.nodes, columns, wspace=0.08, hspace=0.12, **margins)
    shared: Axes | None = None
    for edge in topology.edges:
        axes = figure.add_subplot(
            grid[edge.target - inputs, edge.source], sharex=shared, sharey=shared
        )
        shared = axes
        chosen = kept.get((edge.target, edge.source))
        for column, operation in enumerate(operations):
            axes.plot(
                epochs,
                [table[edge.index][column] for table in tables],
                color=OPERATION_COLOURS.get(operation, INK),
                linestyle=":" if operation == NONE else "-",
                linewidth=2.6 if operation == chosen else 1.0,
                marker="o" if len(epochs) == 1 else None,
            )
        _dress(axes, frozen)
        axes.set_ylim(min(values) - room, max(values) + room)
        axes.tick_params(labelsize=7, labelbottom=edge.target == topology.inner[-1])
        axes.tick_params(labelleft=edge.source == 0)
        if edge.target == max(edge.source + 1, inputs):
            axes.set_title(f"from {state_name(edge.source, inputs)}", fontsize=9, color=MUTED)
        if edge.source == 0:
            axes.set_ylabel(f"node {edge.target - inputs}", fontsize=9, color=INK)
        if chosen:
            axes.patch.set_facecolor("#f6f8fa")
            for side in axes.spines.values():
                side.set(visible=True, color=INK, linewidth=1.2)
    entries: list[_Entry] = [
        (operation_label(name), OPERATION_COLOURS.get(name, INK), ":" if name == NONE else "-")
        for name in operations
    ]
    _legend(figure, entries)
    return inline_svg(figure, f"operations {kind}")


def plot_edges(
    epochs: Sequence[float],
    tables: Sequence[Sequence[float]],
    genotype: Genotype | None,
    kind: str,
    colours: Sequence[str],
    frozen: float = 0,
) -> Markup:
    """Plot softmax(beta) over each node's incoming edges, one panel per node.

    Args:
        epochs: Numbers of finished epochs, `[E]`.
        tables: softmax(beta), `[E, edges]`.
        genotype: Its kept edges are drawn bold.
        kind: normal or reduce.
        colours: One for each input state.
        frozen: Number of epochs, shaded, in which alpha and beta were frozen.
    """
    topology = topology_of(len(tables[0]), _inputs(genotype))
    kept = operations_by_edge(genotype, kind)
    figure = Figure(figsize=(1.0 + 2.6 * topology.nodes, 2.6))
    panels = figure.subplots(1, topology.nodes, sharey=True, squeeze=False)[0]
    figure.subplots_adjust(0.06, 0.24, 0.995, 0.9, wspace=0.08)
    for target, axes in zip(topology.inner, panels, strict=True):
        for edge in topology.incoming(target):
            axes.plot(
                epochs,
                [table[edge.index] for table in tables],
                color=colours[edge.source % len(colours)],
                linewidth=2.6 if (target, edge.source) in kept else 1.0,
                marker="o" if len(epochs) == 1 else None,
            )
        _dress(axes, frozen)
        axes.set_ylim(0, 1.06 * max(value for table in tables for value in table))
        axes.set_title(f"node {target - topology.inputs}", fontsize=9, color=INK)
        axes.tick_params(labelsize=7)
    sources = range(topology.inner[-1])
    entries: list[_Entry] = [
        (f"from {state_name(source, topology.inputs)}", colours[source % len(colours)], "-")
        for source in sources
    ]
    _legend(figure, entries)
    return inline_svg(figure, f"edges {kind}")


def _thinned(curve: Curve, most: int = 2000) -> Curve:
    """The curve, thinned evenly to at most `most` points."""
    stride = -(-len(curve.x) // most)
    return replace(curve, x=curve.x[::stride], y=curve.y[::stride])


def _inputs(genotype: Genotype | None) -> int:
    return INPUTS if genotype is None else genotype.rules.inputs


def topology_of(edges: int, inputs: int = INPUTS) -> Topology:
    """The topology of the cell with this number of edges and of input states.

    Raises:
        ValueError: There is no such cell.

    >>> topology_of(14).nodes
    4
    """
    for nodes in range(1, edges + 1):
        if len(Topology(nodes, inputs).edges) == edges:
            return Topology(nodes, inputs)
    raise ValueError(f"No cell has {edges} edges.")


def operations_by_edge(genotype: Genotype | None, kind: str) -> Mapping[tuple[int, int], str]:
    """The operation on each kept edge, by (target, source)."""
    nodes = genotype.cell(kind)[0] if genotype else ()
    return {
        (target, source): operation
        for target, node in enumerate(nodes, start=_inputs(genotype))
        for operation, source in node
    }


def _legend(figure: Figure, entries: Sequence[_Entry]) -> None:
    """Add a legend below the panels; entries are (label, colour, line style)."""
    handles = [Line2D([], [], color=colour, linestyle=style) for _, colour, style in entries]
    labels = [label for label, *_ in entries]
    style = {"frameon": False, "fontsize": 8, "labelcolor": INK}
    figure.legend(handles, labels, loc="lower center", ncols=len(entries), **style)


def _dress(axes: Axes, frozen: float = 0) -> None:
    if frozen:
        axes.axvspan(0, frozen, color="#eef1f5", linewidth=0, zorder=0)
    dress(axes)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
