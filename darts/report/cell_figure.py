"""A cell drawn by matplotlib; it looks like graphviz's picture but does not need `dot`.

One unit of the axes is one point (1/72 inch), so that boxes can be sized to fit their text.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from darts.report.cell_graph import CellGraph, Pill, Strengths, cell_graph, output_label
from darts.report.layout import Key, Layout, Point, layered_layout
from darts.report.style import INK, LINE, MUTED, PAPER, cell_title, plain_text
from genotypes.genotype import Genotype

_MARGIN, _HEAD, _FOOT = 18.0, 46.0, 34.0
_NODE, _STATE, _PILL = 30.0, (42.0, 28.0), 22.0
_SYMBOLS = ("$c_{k{-}2}$", "$c_{k{-}1}$", "$c_k$")


def cell_figure(genotype: Genotype, kind: str, strengths: Strengths | None = None) -> Figure:
    """The cell as a matplotlib figure of the size it needs, with title and legend.

    Args:
        genotype: The genotype.
        kind: `normal` or `reduce`.
        strengths: See `darts.report.cell_dot.cell_source`.
    """
    graph = cell_graph(genotype, kind, strengths)
    layout = _place(graph)
    legend, legend_width = _legend_entries(graph)
    title_width = _width(graph.name, 17, "bold") + 16 + _width(cell_title(graph.kind), 15)
    width = max(layout.width, legend_width, title_width) + 2 * _MARGIN
    height = layout.height + _HEAD + _FOOT + 2 * _MARGIN
    figure = Figure(figsize=(width / 72, height / 72), facecolor=PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    left = (width - layout.width) / 2
    axes.set(xlim=(-left, width - left))
    axes.set(ylim=(-_FOOT - _MARGIN, height - _FOOT - _MARGIN))

    _draw_edges(axes, graph, layout)
    _draw_boxes(axes, graph, layout)
    x, y = (layout.width - title_width) / 2, layout.height + _HEAD - 14
    _text(axes, (x, y), graph.name, 17, INK, weight="bold", ha="left")
    _text(axes, (x + title_width, y), cell_title(graph.kind), 15, MUTED, ha="right")
    x = (layout.width - legend_width) / 2
    for colour, label, step in legend:
        if colour:
            _box(axes, (x + 7, -_FOOT), (14, 10), colour, colour)
        _text(axes, (x + (20 if colour else 0), -_FOOT), label, 11, MUTED, ha="left")
        x += step
    return figure


def _place(graph: CellGraph) -> Layout:
    inputs = range(graph.inputs)
    column: dict[Key, int] = dict.fromkeys(inputs, 0)
    sizes: dict[Key, tuple[float, float]] = dict.fromkeys((*inputs, "output"), _STATE)
    edges: list[tuple[Key, Key]] = []
    for state in graph.inner:
        pills = [pill for pill in graph.pills if pill.target == state]
        column[state] = 2 + max(column[pill.source] for pill in pills)
        sizes[state] = (_NODE, _NODE)
    for index, pill in enumerate(graph.pills):
        key = f"pill {index}"
        column[key] = column[pill.target] - 1
        sizes[key] = _pill_size(pill)
        edges += [(pill.source, key), (key, pill.target)]
    column["output"] = 1 + max(column[state] for state in graph.inner)
    edges += [(state, "output") for state in graph.concat]
    layout = layered_layout(sizes, column, edges, gap_x=42, gap_y=11)
    if graph.inputs == 1 or layout.centres[0][1] > layout.centres[1][1]:
        return layout
    return layout.mirrored()


def _draw_edges(axes: Axes, graph: CellGraph, layout: Layout) -> None:
    styles = [
        style
        for pill in graph.pills
        for style in ((pill.family.line, pill.width, False), (pill.family.line, pill.width, True))
    ]
    styles += [(LINE, 1.3, True)] * len(graph.concat)
    for route, (colour, width, arrow) in zip(layout.routes, styles, strict=True):
        axes.add_patch(
            FancyArrowPatch(
                path=_curve(route),
                arrowstyle="-|>,head_length=3.2,head_width=1.6" if arrow else "-",
                mutation_scale=2.2,
                shrinkA=0,
                shrinkB=0,
                color=colour,
                fill=arrow,
                linewidth=width,
                zorder=1,
            )
        )


def _draw_boxes(axes: Axes, graph: CellGraph, layout: Layout) -> None:
    keys: list[Key] = [*range(graph.inputs), "output"]
    for key, symbol in zip(keys, _SYMBOLS[-len(keys) :], strict=True):
        _box(axes, layout.centres[key], _STATE, INK, INK, 9)
        _text(axes, layout.centres[key], symbol, 14, PAPER)
    for state in graph.inner:
        centre = layout.centres[state]
        axes.add_patch(Circle(centre, _NODE / 2, fc=PAPER, ec=INK, linewidth=1.6, zorder=2))
        _text(axes, centre, str(state - graph.inputs), 13, INK)
    for index, pill in enumerate(graph.pills):
        centre, size = layout.centres[f"pill {index}"], _pill_size(pill)
        _box(axes, centre, size, pill.family.fill, pill.family.line, 7)
        _text(axes, centre, pill.text, 12, INK)


def _pill_size(pill: Pill) -> Point:
    return _width(pill.text, 12) + 18, _PILL


def _legend_entries(graph: CellGraph) -> tuple[list[tuple[str | None, str, float]], float]:
    labels = [(family.line, family.label) for family in graph.families]
    labels.append((LINE, output_label(graph)))
    entries: list[tuple[str | None, str, float]] = [
        (colour, label, 20 + _width(label, 11) + 16) for colour, label in labels
    ]
    if graph.strided:
        entries.append((None, "↓2  stride 2", _width("↓2  stride 2", 11) + 16))
    return entries, sum(step for *_, step in entries) - 16


def _curve(route: Sequence[Point]) -> Path:
    """A smooth curve through the route, horizontal at each of its points."""
    points, codes = [route[0]], [Path.MOVETO]
    for (x0, y0), (x1, y1) in pairwise(route):
        middle = (x0 + x1) / 2
        points += [(middle, y0), (middle, y1), (x1, y1)]
        codes += [Path.CURVE4] * 3
    return Path(points, codes)


def _box(axes: Axes, centre: Point, size: Point, fill: str, line: str, radius: float = 0.0) -> None:
    corner = (centre[0] - size[0] / 2, centre[1] - size[1] / 2)
    style = f"round,pad=0,rounding_size={radius}" if radius else "square,pad=0"
    patch = FancyBboxPatch(corner, *size, boxstyle=style, fc=fill, ec=line, linewidth=1.3, zorder=2)
    axes.add_patch(patch)


def _text(axes: Axes, at: Point, text: str, size: float, colour: str, **style: Any) -> None:
    """Text, centred by default; only the symbols of `_SYMBOLS` are set as formulas."""
    text = text if text in _SYMBOLS else plain_text(text)
    style = {"ha": "center", "va": "center_baseline", **style}
    axes.text(*at, text, fontsize=size, color=colour, zorder=3, **style)


def _width(text: str, size: float, weight: str = "normal") -> float:
    font = FontProperties(family="DejaVu Sans", weight=weight)
    return float(TextPath((0, 0), plain_text(text), size=size, prop=font).get_extents().width)
