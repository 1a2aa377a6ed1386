"""The frame of a plot, and how plots get into pages and files."""

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
    """A figure of a page.

    Attributes:
        name: File name without suffix.
        title: Heading.
        note: A sentence on how to read the plot.
        figure: The plot.
    """

    name: str
    title: str
    note: str
    figure: Figure


def dress(axes: Axes) -> None:
    """Give a plot a light grid, muted labels, and a frame with only left and bottom sides."""
    axes.grid(color="#e5e7eb", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, length=3)
    axes.xaxis.label.set_color(MUTED)
    axes.yaxis.label.set_color(MUTED)
    for name, side in axes.spines.items():
        side.set(visible=name in ("left", "bottom"), color=LINE)


@dataclass(frozen=True, kw_only=True)
class Margins:
    """Room around and between the panels of a figure, in points.

    Matplotlib's own layout measures every text of every panel twice, which takes longer than the
    drawing; panels that are alike need no measuring.
    """

    left: float = 44.0
    right: float = 8.0
    top: float = 8.0
    bottom: float = 38.0
    across: float = 12.0
    down: float = 44.0

    def apply(self, figure: Figure, rows: int, columns: int) -> None:
        """Place a grid of panels."""
        width, height = (72 * side for side in figure.get_size_inches())
        wide = (width - self.left - self.right - (columns - 1) * self.across) / columns
        high = (height - self.top - self.bottom - (rows - 1) * self.down) / rows
        figure.subplots_adjust(
            left=self.left / width,
            right=1 - self.right / width,
            top=1 - self.top / height,
            bottom=self.bottom / height,
            wspace=self.across / wide,
            hspace=self.down / high,
        )


def inline_svg(figure: Figure, salt: str) -> Markup:
    """The figure as an SVG element; `salt` must differ between the plots of one page."""
    figure.set_facecolor(PAPER)
    figure.set_dpi(_DPI)  # For rasterized parts.
    text = io.StringIO()
    # The salt makes identifiers differ between the plots of a page, but reproducible.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        # Call the back end directly: `savefig` would draw everything twice.
        FigureCanvasSVG(figure).print_svg(text, metadata=_NOTHING)
    svg = text.getvalue()
    return Markup(svg[svg.index("<svg") :])


def write_figure(figure: Figure, path: Path) -> Markup:
    """Write `path`.svg and `path`.png; return the figure as an SVG element."""
    drawn = inline_svg(figure, path.name)
    with atomic_write(path.with_name(f"{path.name}.svg")) as stream:
        stream.write(f'<?xml version="1.0" encoding="utf-8"?>\n{drawn}')
    # Layout takes half of the time and is the same for both formats.
    figure.set_layout_engine("none")
    figure.set_dpi(_DPI)
    with atomic_write(path.with_name(f"{path.name}.png"), "wb") as stream:
        # Level 3 takes half of the time of 6, and the file is a tenth larger.
        FigureCanvasAgg(figure).print_png(stream, pil_kwargs={"compress_level": 3})
    return drawn


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure as one file, SVG or PNG by the ending of `path`."""
    if path.suffix == ".svg":
        drawn = inline_svg(figure, path.stem)
        with atomic_write(path) as stream:
            stream.write(f'<?xml version="1.0" encoding="utf-8"?>\n{drawn}')
        return
    figure.set_facecolor(PAPER)
    figure.set_dpi(_DPI)
    with atomic_write(path, "wb") as stream:
        FigureCanvasAgg(figure).print_png(stream)


def write_plots(plots: Iterable[Plot], directory: Path) -> list[tuple[str, str, Markup]]:
    """Write each plot into `directory`; return (title, note, SVG element) of each."""
    return [(one.title, one.note, write_figure(one.figure, directory / one.name)) for one in plots]
