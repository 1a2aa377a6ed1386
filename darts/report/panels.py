"""Small line plots in a grid, written directly as SVG: 28 of them take milliseconds.

All panels of a grid share both axes, so that they can be compared at a glance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from darts.report.style import INK, MUTED, PAPER
from darts.report.svg_shapes import GRID, opening, svg_box, svg_number, svg_path, svg_text, ticks
from darts.report.text_width import text_width

_GAP, _SMALL, _WORDS = 8.0, 9.0, 11.0
_LEFT, _TOP, _TICKS, _AXIS, _LEGEND = 52.0, 34.0, 18.0, 14.0, 26.0
_SHADE, _CHOSEN = "#eef1f5", "#f6f8fa"


@dataclass(frozen=True)
class Trace:
    """One line of a panel.

    Attributes:
        values: `[E]`, one for each horizontal position of the grid.
        colour: Its colour.
        bold: Draw it thick.
        dotted: Draw it dotted.
    """

    values: Sequence[float]
    colour: str
    bold: bool = False
    dotted: bool = False


@dataclass(frozen=True)
class Panel:
    """One small plot.

    Attributes:
        row: Its row from above, from 0.
        column: Its column, from 0.
        traces: Its lines; later ones lie above.
        title: Text above it.
        label: Text left of its row.
        framed: Whether it stands out.
    """

    row: int
    column: int
    traces: Sequence[Trace]
    title: str = ""
    label: str = ""
    framed: bool = False


@dataclass(frozen=True)
class PanelGrid:
    """Panels with common axes.

    Attributes:
        name: What the picture shows, for those who cannot see it.
        x: Horizontal positions `[E]`.
        panels: The plots.
        legend: (text, colour, dotted) for each kind of line.
        low: Lower end of the vertical axes.
        high: Upper end of the vertical axes.
        x_label: What runs along the horizontal axes.
        y_label: What the vertical axes measure.
        shaded: The stretch from 0 to here is shaded.
        size: Width and height of a panel.
    """

    name: str
    x: Sequence[float]
    panels: Sequence[Panel]
    legend: Sequence[tuple[str, str, bool]]
    low: float
    high: float
    x_label: str
    y_label: str
    shaded: float = 0
    size: tuple[float, float] = (150.0, 96.0)

    def svg(self) -> Markup:
        """The picture as an SVG element; equal grids give equal text."""
        width = _LEFT + (1 + max(one.column for one in self.panels)) * (self.size[0] + _GAP)
        bottom = _TOP + (1 + max(one.row for one in self.panels)) * (self.size[1] + _GAP)
        entries, width = self._legend(max(width, 200.0), bottom + _TICKS + _AXIS + 16)
        height = bottom + _TICKS + _AXIS + _LEGEND
        lines = [opening(self.name, width, height)]
        middle = _LEFT + self.size[0] / 2
        lines.append(svg_text(middle, bottom + _TICKS + 6, self.x_label, _WORDS, MUTED))
        lines.append(svg_text(4, _TOP - 6, self.y_label, _SMALL, MUTED, "start"))
        for panel in self.panels:
            lines += self._panel(panel)
        return Markup("\n".join([*lines, *entries, "</svg>"]))

    def _place(self, panel: Panel) -> tuple[float, float]:
        """The upper left corner of a panel."""
        width, height = self.size
        return _LEFT + panel.column * (width + _GAP), _TOP + panel.row * (height + _GAP)

    def _panel(self, panel: Panel) -> Iterator[str]:
        (left, top), (width, height) = self._place(panel), self.size
        first, last = min(0.0, *self.x), max(self.x)
        span, rise = (last - first) or 1.0, (self.high - self.low) or 1.0

        def across(value: float) -> float:
            return left + (value - first) / span * width

        def up(value: float) -> float:
            return top + height - (value - self.low) / rise * height

        fill, line = (_CHOSEN, INK) if panel.framed else (PAPER, GRID)
        yield svg_box(left, top, width, height, fill)
        if self.shaded:
            yield svg_box(left, top, across(min(self.shaded, last)) - left, height, _SHADE)
        bottom = not any(one.row > panel.row and one.column == panel.column for one in self.panels)
        for tick in ticks(first, last, whole=True):
            yield svg_path([(across(tick), top), (across(tick), top + height)], GRID, 0.7)
            # The first mark would touch the last one of the panel to the left.
            if bottom and (tick > first or panel.column == 0):
                yield svg_text(across(tick), top + height + 12, svg_number(tick), _SMALL, MUTED)
        for tick in ticks(self.low, self.high):
            yield svg_path([(left, up(tick)), (left + width, up(tick))], GRID, 0.7)
            if panel.column == 0:
                yield svg_text(left - 4, up(tick) + 3, f"{tick:g}", _SMALL, MUTED, "end")
        yield svg_box(left, top, width, height, "none", line, 1.2 if panel.framed else 0.7)
        for trace in panel.traces:
            points = [
                (across(x), up(y))
                for x, y in zip(self.x, trace.values, strict=True)
                if math.isfinite(y)
            ]
            wide = 2.4 if trace.bold else 1.0
            if len(points) == 1:
                at = 'cx="{}" cy="{}"'.format(*map(svg_number, points[0]))
                yield f'<circle {at} r="{svg_number(wide + 1)}" fill="{trace.colour}"/>'
            elif points:
                yield svg_path(points, trace.colour, wide, dotted=trace.dotted)
        if panel.title:
            yield svg_text(left + width / 2, top - 6, panel.title, _WORDS, MUTED)
        if panel.label:
            x, y = left - 40, top + height / 2
            turned = f' transform="rotate(-90 {svg_number(x)} {svg_number(y)})"'
            yield svg_text(x, y + 4, panel.label, _WORDS, INK, extra=turned)

    def _legend(self, width: float, y: float) -> tuple[list[str], float]:
        """The entries below the panels, and the width that they need."""
        each = [26 + text_width(text, _WORDS) + 14 for text, _, _ in self.legend]
        width = max(width, sum(each) + 8)
        x, found = (width - sum(each)) / 2, []
        for (words, colour, dotted), wide in zip(self.legend, each, strict=True):
            found.append(svg_path([(x, y), (x + 20, y)], colour, 2.0, dotted=dotted))
            found.append(svg_text(x + 25, y + 4, words, _WORDS, INK, "start"))
            x += wide
        return found, width
