"""Curves of a run as inline SVG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from cells.topology import INPUTS, Topology
from darts.report.chart import Chart, LegendEntry, Scale, dots, padded
from darts.report.panels import Panel, PanelGrid, Trace
from darts.report.style import (
    INK,
    OPERATION_COLOURS,
    cell_title,
    operation_label,
    state_name,
)
from darts.report.svg_shapes import svg_path
from genotypes.genotype import Genotype
from genotypes.search_space import NONE


@dataclass(frozen=True)
class Curve:
    """One line of a plot.

    Attributes:
        x: Horizontal positions.
        y: Values at these positions.
        label: Entry of the legend.
        colour: A colour that SVG knows.
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
    curves = [_thinned(curve) for curve in curves]

    def marks(across: Scale, up: Scale) -> Iterator[str]:
        for curve in curves:
            points = [(across(x), up(y)) for x, y in zip(curve.x, curve.y, strict=True)]
            if len(points) > 1:
                width = 0.8 if curve.faint else 2.0
                yield svg_path(points, curve.colour, width, faint=curve.faint)
            # A single point is invisible without a dot.
            if curve.marked or len(points) == 1:
                yield from dots(points, curve.colour, 2.2)

    entries = [LegendEntry(one.label, one.colour, faint=one.faint) for one in curves]
    chart = Chart(
        padded(x for curve in curves for x in curve.x),
        padded(y for curve in curves for y in curve.y),
        x_label,
        y_label,
        entries if len(curves) > 1 else (),
    )
    return chart.svg(marks)


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
    inputs = topology.inputs
    values = [value for table in tables for row in table for value in row]
    room = 0.06 * (max(values) - min(values)) + 1e-3
    panels = []
    for edge in topology.edges:
        chosen = kept.get((edge.target, edge.source))
        first = edge.target == max(edge.source + 1, inputs)
        panels.append(
            Panel(
                row=edge.target - inputs,
                column=edge.source,
                traces=[
                    Trace(
                        [table[edge.index][column] for table in tables],
                        OPERATION_COLOURS.get(operation, INK),
                        bold=operation == chosen,
                        dotted=operation == NONE,
                    )
                    for column, operation in enumerate(operations)
                ],
                title=f"from {state_name(edge.source, inputs)}" if first else "",
                label=f"node {edge.target - inputs}" if edge.source == 0 else "",
                framed=chosen is not None,
            )
        )
    legend = [
        (operation_label(name), OPERATION_COLOURS.get(name, INK), name == NONE)
        for name in operations
    ]
    name = f"Softmax of alpha of each edge of the {cell_title(kind)} over the epochs"
    low, high = min(values) - room, max(values) + room
    labels = ("epoch", "softmax of alpha")
    return PanelGrid(name, epochs, panels, legend, low, high, *labels, frozen).svg()


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
    panels = [
        Panel(
            row=0,
            column=target - topology.inputs,
            traces=[
                Trace(
                    [table[edge.index] for table in tables],
                    colours[edge.source % len(colours)],
                    bold=(target, edge.source) in kept,
                )
                for edge in topology.incoming(target)
            ],
            title=f"node {target - topology.inputs}",
        )
        for target in topology.inner
    ]
    legend = [
        (f"from {state_name(source, topology.inputs)}", colours[source % len(colours)], False)
        for source in range(topology.inner[-1])
    ]
    name = f"Softmax of beta of the inputs of each node of the {cell_title(kind)} over the epochs"
    high = 1.06 * max(value for table in tables for value in table)
    labels, size = ("epoch", "softmax of beta"), (200.0, 140.0)
    return PanelGrid(name, epochs, panels, legend, 0, high, *labels, frozen, size).svg()


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
