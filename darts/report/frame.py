"""How a plot's frame looks, and the way of plots into pages and files."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from darts.files import atomic_write
from darts.report.style import LINE, MUTED, PAPER

_DPI = 160
_NOTHING = dict.fromkeys(("Date", "Creator", "Format", "Type"))


@dataclass(frozen=True)
class Plot:
    """A figure with the name of its file, a heading, and a line on how to read it."""

    name: str
    title: str
    note: str
    figure: Figure


def dress(axes: Axes) -> None:
    """Light grid, muted labels, and only the left and the lower side of the frame."""
    axes.grid(color="#e5e7eb", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, length=3)
    axes.xaxis.label.set_color(MUTED)
    axes.yaxis.label.set_color(MUTED)
    for name, side in axes.spines.items():
        side.set(visible=name in ("left", "bottom"), color=LINE)


def inline_svg(figure: Figure, salt: str) -> Markup:
    """The figure as an element of a page; `salt` tells apart the plots of one page."""
    figure.set_facecolor(PAPER)
    figure.set_dpi(_DPI)  # Of the parts that are pixels.
    text = io.StringIO()
    # The salt keeps identifiers of the plots of one page apart, and pages reproducible.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        # Straight to the back end: `savefig` would draw everything twice.
        FigureCanvasSVG(figure).print_svg(text, metadata=_NOTHING)
    svg = text.getvalue()
    return Markup(svg[svg.index("<svg") :])


def write_figure(figure: Figure, path: Path) -> Markup:
    """Write `path`.svg and `path`.png; return the figure as an element of a page."""
    drawn = inline_svg(figure, path.name)
    with atomic_write(path.with_name(f"{path.name}.svg")) as stream:
        stream.write(f'<?xml version="1.0" encoding="utf-8"?>\n{drawn}')
    # The layout is half of the work, and the same for both formats.
    figure.set_layout_engine("none")
    figure.set_dpi(_DPI)
    with atomic_write(path.with_name(f"{path.name}.png"), "wb") as stream:
        FigureCanvasAgg(figure).print_png(stream)
    return drawn


def write_plots(plots: Iterable[Plot], directory: Path) -> list[tuple[str, str, Markup]]:
    """Write each plot into `directory`; return title, note and element of a page of each."""
    return [(one.title, one.note, write_figure(one.figure, directory / one.name)) for one in plots]
