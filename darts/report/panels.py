"""Small line plots in a grid, written directly as SVG: 28 of them take milliseconds.

All panels of a grid share both axes, so that they can be compared at a glance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from markupsafe import Markup

from darts.report.style import INK, MUTED, PAPER
from darts.report.text_width import text_width

_GAP, _SMALL, _WORDS = 8.0, 9.0, 11.0
_LEFT, _TOP, _TICKS, _LEGEND = 52.0, 22.0, 18.0, 26.0
_GRID, _SHADE, _CHOSEN = "#e5e7eb", "#eef1f5", "#f6f8fa"


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
        shaded: The stretch from 0 to here is shaded.
        size: Width and height of a panel.
    """

    name: str
    x: Sequence[float]
    panels: Sequence[Panel]
    legend: Sequence[tuple[str, str, bool]]
    low: float
    high: float
    shaded: float = 0
    size: tuple[float, float] = (150.0, 96.0)

    def svg(self) -> Markup:
        """The picture as an SVG element; equal grids give equal text."""
        width = _LEFT + (1 + max(one.column for one in self.panels)) * (self.size[0] + _GAP)
        bottom = _TOP + (1 + max(one.row for one in self.panels)) * (self.size[1] + _GAP)
        entries, width = self._legend(max(width, 200.0), bottom + _TICKS + 16)
        height = bottom + _TICKS + _LEGEND
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" '
            f'width="{_n(width)}pt" height="{_n(height)}pt" role="img" '
            f'aria-label="{escape(self.name, {chr(34): "&quot;"})}" '
            'font-family="DejaVu Sans,Helvetica,Arial,sans-serif">',
            f'<rect width="{_n(width)}" height="{_n(height)}" fill="{PAPER}"/>',
        ]
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

        fill, line = (_CHOSEN, INK) if panel.framed else (PAPER, _GRID)
        yield _box(left, top, width, height, fill)
        if self.shaded:
            yield _box(left, top, across(min(self.shaded, last)) - left, height, _SHADE)
        bottom = not any(one.row > panel.row and one.column == panel.column for one in self.panels)
        for tick in ticks(first, last, whole=True):
            yield _path([(across(tick), top), (across(tick), top + height)], _GRID, 0.7)
            if bottom:
                yield _text(across(tick), top + height + 12, _n(tick), _SMALL, MUTED)
        for tick in ticks(self.low, self.high):
            yield _path([(left, up(tick)), (left + width, up(tick))], _GRID, 0.7)
            if panel.column == 0:
                yield _text(left - 4, up(tick) + 3, f"{tick:g}", _SMALL, MUTED, "end")
        yield _box(left, top, width, height, "none", line, 1.2 if panel.framed else 0.7)
        for trace in panel.traces:
            points = [
                (across(x), up(y))
                for x, y in zip(self.x, trace.values, strict=True)
                if math.isfinite(y)
            ]
            wide = 2.4 if trace.bold else 1.0
            if len(points) == 1:
                at = 'cx="{}" cy="{}"'.format(*map(_n, points[0]))
                yield f'<circle {at} r="{_n(wide + 1)}" fill="{trace.colour}"/>'
            elif points:
                yield _path(points, trace.colour, wide, dotted=trace.dotted)
        if panel.title:
            yield _text(left + width / 2, top - 6, panel.title, _WORDS, MUTED)
        if panel.label:
            x, y = left - 40, top + height / 2
            turned = f' transform="rotate(-90 {_n(x)} {_n(y)})"'
            yield _text(x, y + 4, panel.label, _WORDS, INK, extra=turned)

    def _legend(self, width: float, y: float) -> tuple[list[str], float]:
        """The entries below the panels, and the width that they need."""
        each = [26 + text_width(text, _WORDS) + 14 for text, _, _ in self.legend]
        width = max(width, sum(each) + 8)
        x, found = (width - sum(each)) / 2, []
        for (text, colour, dotted), wide in zip(self.legend, each, strict=True):
            found.append(_path([(x, y), (x + 20, y)], colour, 2.0, dotted=dotted))
            found.append(_text(x + 25, y + 4, text, _WORDS, INK, "start"))
            x += wide
        return found, width


def ticks(low: float, high: float, most: int = 5, *, whole: bool = False) -> list[float]:
    """Round positions from `low` to `high`, at most about `most`.

    >>> ticks(0, 12, whole=True)
    [0, 3, 6, 9, 12]
    >>> ticks(0.1, 0.3)
    [0.1, 0.15, 0.2, 0.25, 0.3]
    """
    rough = (high - low) / (most - 1)
    if rough <= 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(rough))
    steps = [factor * power for factor in (1, 1.5, 2, 2.5, 3, 5, 10)]
    step = next(one for one in steps if (high - low) / one <= most - 1 + 1e-9 or one == steps[-1])
    if whole:
        step = max(1, math.ceil(step))
    begin, end = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    found = [round(number * step, 12) for number in range(begin, end + 1)]
    return [int(one) for one in found] if whole else found


def _n(value: float) -> str:
    """A number as it is written in a file.

    >>> _n(3.0), _n(1.239)
    ('3', '1.24')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _box(
    x: float, y: float, width: float, height: float, fill: str, line: str = "none", wide: float = 0
) -> str:
    return (
        f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" fill="{fill}" '
        f'stroke="{line}" stroke-width="{_n(wide)}"/>'
    )


def _path(
    points: Sequence[tuple[float, float]], colour: str, width: float, *, dotted: bool = False
) -> str:
    drawn = " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
    dashes = ' stroke-dasharray="1.5 2.5"' if dotted else ""
    return (
        f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="{_n(width)}" '
        f'stroke-linejoin="round"{dashes}/>'
    )


def _text(
    x: float, y: float, text: str, size: float, colour: str, anchor: str = "middle", extra: str = ""
) -> str:
    return (
        f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}" fill="{colour}" '
        f'text-anchor="{anchor}"{extra}>{escape(text)}</text>'
    )
