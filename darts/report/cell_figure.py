"""A cell as a matplotlib figure, for formats such as PDF where graphviz's `dot` is missing."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path

from darts.report.cell_graph import Strengths, cell_graph
from darts.report.cell_picture import DrawnBox, DrawnCurve, Line, arrow_head, bends, cell_picture
from darts.report.style import PAPER, plain_text
from genotypes.genotype import Genotype

_SIDES = {"start": "left", "middle": "center", "end": "right"}


def cell_figure(genotype: Genotype, kind: str, strengths: Strengths | None = None) -> Figure:
    """The cell as a matplotlib figure of the size it needs, with title and legend.

    Args:
        genotype: The genotype.
        kind: `normal` or `reduce`.
        strengths: See `darts.report.cell_dot.cell_source`.
    """
    picture = cell_picture(cell_graph(genotype, kind, strengths))
    figure = Figure(figsize=(picture.width / 72, picture.height / 72), facecolor=PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    # One unit is one point, and y grows downwards.
    axes.set(xlim=(0, picture.width), ylim=(picture.height, 0))
    for order, shape in enumerate(picture.shapes):
        match shape:
            case DrawnBox():
                _box(axes, shape, order)
            case DrawnCurve():
                _curve(axes, shape, order)
            case Line():
                _text(axes, shape, order)
    return figure


def _box(axes: Axes, box: DrawnBox, order: int) -> None:
    corner = (box.centre[0] - box.size[0] / 2, box.centre[1] - box.size[1] / 2)
    axes.add_patch(
        FancyBboxPatch(
            corner,
            *box.size,
            boxstyle=f"round,pad=0,rounding_size={box.radius}",
            fc=box.fill,
            ec=box.line,
            linewidth=box.width,
            zorder=order,
        )
    )


def _curve(axes: Axes, curve: DrawnCurve, order: int) -> None:
    points, codes = [curve.points[0]], [Path.MOVETO]
    for piece in bends(curve):
        points += piece
        codes += [Path.CURVE4] * 3
    path = Path(points, codes)
    axes.add_patch(PathPatch(path, fc="none", ec=curve.colour, lw=curve.width, zorder=order))
    if curve.arrow:
        axes.add_patch(Polygon(arrow_head(curve), fc=curve.colour, ec="none", zorder=order))


def _text(axes: Axes, line: Line, order: int) -> None:
    text = plain_text(line.text)
    if line.lowered:
        index = line.lowered if len(line.lowered) == 1 else f"{{{line.lowered}}}"
        text = f"${line.text}_{index.replace('−', '{-}')}$"
    axes.text(
        *line.at,
        text,
        fontsize=line.size,
        color=line.colour,
        ha=_SIDES[line.anchor],
        va="center_baseline",
        weight="bold" if line.style == "bold" else "normal",
        zorder=order,
    )
