"""A cell as simple shapes: boxes, curves and lines of text, which every writer of files can draw.

The unit is a point (1/72 inch); y grows downwards, as in SVG.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from darts.report.cell_graph import CellGraph, Pill, output_label
from darts.report.layout import Key, Layout, Point, layered_layout
from darts.report.style import INK, LINE, MUTED, PAPER, cell_title
from darts.report.text_width import text_width

_MARGIN, _HEAD, _FOOT = 18.0, 46.0, 34.0
_NODE, _STATE, _PILL = 30.0, (42.0, 28.0), 22.0
ARROW = 7.0
"""Length of an arrow's head."""


@dataclass(frozen=True)
class DrawnBox:
    """A rectangle with rounded corners; a circle if `radius` is half of its size."""

    centre: Point
    size: Point
    fill: str
    line: str
    radius: float
    width: float = 1.3


@dataclass(frozen=True)
class DrawnCurve:
    """A smooth curve, horizontal at each of its points, perhaps with an arrow at its end."""

    points: tuple[Point, ...]
    colour: str
    width: float
    arrow: bool


@dataclass(frozen=True)
class Line:
    """A line of text, vertically centred; `lowered` follows as a subscript."""

    at: Point
    text: str
    size: float
    colour: str
    anchor: Literal["start", "middle", "end"] = "middle"
    style: Literal["plain", "bold", "italic"] = "plain"
    lowered: str = ""


DrawnShape = DrawnBox | DrawnCurve | Line


@dataclass(frozen=True)
class CellPicture:
    """A cell with its title and legend.

    Attributes:
        width: Width in points.
        height: Height in points.
        title: What the picture shows, in a few words.
        shapes: The shapes, from back to front.
    """

    width: float
    height: float
    title: str
    shapes: tuple[DrawnShape, ...]


# The same cell is written as SVG and as PNG, and often again after the next epoch.
@lru_cache(maxsize=8)
def cell_picture(graph: CellGraph) -> CellPicture:
    """Place the cell: two inputs on the left, nodes, the output on the right, pills on edges."""
    layout = place_cell(graph)
    name, kind = " ".join(graph.name.split()), cell_title(graph.kind)
    legend = list(_legend(graph))
    legend_width = sum(step for *_, step in legend) - 16
    title_width = text_width(name, 17, bold=True) + 14 + text_width(kind, 15)
    width = max(layout.width, legend_width, title_width) + 2 * _MARGIN
    height = layout.height + _HEAD + _FOOT + 2 * _MARGIN
    left, top = (width - layout.width) / 2, _MARGIN + _HEAD

    def at(point: Point) -> Point:
        return round(left + point[0], 2), round(top + layout.height - point[1], 2)

    middle = (width - text_width(kind, 15) - 14 + text_width(name, 17, bold=True)) / 2
    shapes: list[DrawnShape] = [
        Line((middle, _MARGIN + 10), name, 17, INK, "end", "bold"),
        Line((middle + 14, _MARGIN + 10), kind, 15, MUTED, "start"),
    ]
    styles = [(p.family.line, p.width, arrow) for p in graph.pills for arrow in (False, True)]
    styles += [(LINE, 1.3, True)] * len(graph.concat)
    for route, style in zip(layout.routes, styles, strict=True):
        shapes.append(DrawnCurve(tuple(map(at, route)), *style))
    shapes += _boxes(graph, layout, at)
    x, y = (width - legend_width) / 2, height - _MARGIN - 8
    for colour, label, step in legend:
        if colour:
            shapes.append(DrawnBox((x + 7, y), (14, 10), colour, colour, 2.5))
        shapes.append(Line((x + (20 if colour else 0), y), label, 11, MUTED, "start"))
        x += step
    return CellPicture(width, height, f"{name}: {kind}", tuple(shapes))


def place_cell(graph: CellGraph) -> Layout:
    """Positions of states (by number), pills (`pill 0`, …) and the `output`; y grows upwards."""
    inputs = range(graph.inputs)
    column: dict[Key, int] = dict.fromkeys(inputs, 0)
    sizes: dict[Key, tuple[float, float]] = dict.fromkeys((*inputs, "output"), _STATE)
    edges: list[tuple[Key, Key]] = []
    for state in graph.inner:
        sources = [pill.source for pill in graph.pills if pill.target == state]
        column[state] = 2 + max(column[source] for source in sources)
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


def _pill_size(pill: Pill) -> Point:
    return text_width(pill.text, 12) + 16, _PILL


def _boxes(graph: CellGraph, layout: Layout, at: Callable[[Point], Point]) -> Iterator[DrawnShape]:
    keys: list[tuple[Key, str]] = [(k, f"k−{graph.inputs - k}") for k in range(graph.inputs)]
    for key, index in [*keys, ("output", "k")]:
        centre = at(layout.centres[key])
        yield DrawnBox(centre, _STATE, INK, INK, 9)
        yield Line(centre, "c", 14, PAPER, style="italic", lowered=index)
    for state in graph.inner:
        centre = at(layout.centres[state])
        yield DrawnBox(centre, (_NODE, _NODE), PAPER, INK, _NODE / 2, 1.6)
        yield Line(centre, str(state - graph.inputs), 13, INK)
    for number, pill in enumerate(graph.pills):
        centre = at(layout.centres[f"pill {number}"])
        yield DrawnBox(centre, _pill_size(pill), pill.family.fill, pill.family.line, 7)
        yield Line(centre, pill.text, 12, INK)


def _legend(graph: CellGraph) -> Iterator[tuple[str | None, str, float]]:
    """Colour, label and width of each entry."""
    labels = [(family.line, family.label) for family in graph.families]
    for colour, label in [*labels, (LINE, output_label(graph))]:
        yield colour, label, 20 + text_width(label, 11) + 16
    if graph.strided:
        yield None, "↓2  stride 2", text_width("↓2  stride 2", 11) + 16


def bends(curve: DrawnCurve) -> Sequence[tuple[Point, Point, Point]]:
    """The curve after its first point as cubic Bézier pieces: two controls and an end.

    A curve with an arrow ends where the arrow's head begins.
    """
    points = list(curve.points)
    if curve.arrow:
        points[-1] = (points[-1][0] - ARROW * 0.8, points[-1][1])
    pieces = []
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (x0 + x1) / 2
        pieces.append(((middle, y0), (middle, y1), (x1, y1)))
    return pieces


def arrow_head(curve: DrawnCurve) -> tuple[Point, Point, Point]:
    """The corners of the arrow at the end of the curve, which points to the right."""
    x, y = curve.points[-1]
    half = 2.6 + curve.width / 2
    return (x, y), (x - ARROW, y - half), (x - ARROW, y + half)
