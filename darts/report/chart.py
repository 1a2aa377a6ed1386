"""One plot with axes, grid and legend, written directly as SVG in milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from darts.report.style import INK, LINE, MUTED
from darts.report.svg_shapes import GRID, opening, svg_box, svg_number, svg_path, svg_text, ticks
from darts.report.text_width import text_width
from darts.settings.quantities import format_count

_WIDTH, _HEIGHT, _SMALL, _WORDS = 446.0, 238.0, 9.0, 10.0
_TOP, _RIGHT, _BOTTOM, _ROW = 10.0, 12.0, 38.0, 15.0

Scale = Callable[[float], float]
"""Maps a value to its place on the page."""


@dataclass(frozen=True)
class LegendEntry:
    """What a colour stands for.

    Attributes:
        text: What it stands for.
        line: Colour of the line, or of the edge of a box.
        fill: Colour inside the box; None for the line of a curve.
        faint: Whether the line is faint.
    """

    text: str
    line: str
    fill: str | None = None
    faint: bool = False


@dataclass(frozen=True)
class Chart:
    """Axes for marks.

    Attributes:
        x: Lowest and highest value across.
        y: Lowest and highest value upwards.
        x_label: Below the plot.
        y_label: Left of it; also the name for those who cannot see the picture.
        legend: Entries above the plot.
        whole: Whether only whole numbers are marked upwards, as for counts.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    x_label: str
    y_label: str
    legend: Sequence[LegendEntry] = ()
    whole: bool = False

    def svg(self, marks: Callable[[Scale, Scale], Iterable[str]]) -> Markup:
        """The picture as an SVG element; equal charts give equal text.

        Args:
            marks: Yields SVG elements inside the axes, given the scales of x and y.
        """
        legend, rows = self._legend()
        top, bottom = _TOP + _ROW * rows, _HEIGHT + _ROW * max(rows - 1, 0) - _BOTTOM
        steps = ticks(*self.y, whole=self.whole)
        left = 34.0 + max(text_width(tick_text(step), _SMALL) for step in steps)
        right = _WIDTH - _RIGHT
        across = _scale(self.x, left, right)
        up = _scale(self.y, bottom, top)
        parts = [opening(self.y_label, _WIDTH, bottom + _BOTTOM), *legend]
        for tick in ticks(*self.x, 7, whole=True):
            parts.append(svg_path([(across(tick), top), (across(tick), bottom)], GRID, 0.7))
            parts.append(svg_text(across(tick), bottom + 13, tick_text(tick), _SMALL, MUTED))
        for tick in steps:
            parts.append(svg_path([(left, up(tick)), (right, up(tick))], GRID, 0.7))
            words = tick_text(tick)
            parts.append(svg_text(left - 5, up(tick) + 3, words, _SMALL, MUTED, "end"))
        parts += marks(across, up)
        parts.append(svg_path([(left, top), (left, bottom), (right, bottom)], LINE, 0.9))
        middle = (left + right) / 2
        parts.append(svg_text(middle, bottom + 30, self.x_label, _WORDS, MUTED))
        parts.append(self._upwards(14.0, (top + bottom) / 2))
        return Markup("\n".join([*parts, "</svg>"]))

    def _upwards(self, x: float, y: float) -> str:
        turned = f' transform="rotate(-90 {svg_number(x)} {svg_number(y)})"'
        return svg_text(x, y, self.y_label, _WORDS, MUTED, extra=turned)

    def _legend(self) -> tuple[list[str], int]:
        """The entries in rows above the plot, and the number of rows."""
        found: list[str] = []
        x, row = 46.0, 1
        for entry in self.legend:
            wide = 24 + text_width(entry.text, _WORDS) + 12
            if x + wide > _WIDTH and x > 46.0:
                x, row = 46.0, row + 1
            y = _TOP + _ROW * (row - 1)
            if entry.fill is None:
                found.append(svg_path([(x, y), (x + 18, y)], entry.line, 2.0, faint=entry.faint))
            else:
                found.append(svg_box(x + 2, y - 4, 14, 8, entry.fill, entry.line, 0.8))
            found.append(svg_text(x + 23, y + 3.5, entry.text, _WORDS, INK, "start"))
            x += wide
        return found, row if self.legend else 0


def _scale(values: tuple[float, float], start: float, end: float) -> Scale:
    low, span = values[0], (values[1] - values[0]) or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def tick_text(value: float) -> str:
    """A number beside an axis.

    >>> tick_text(0.025), tick_text(3.5e7), tick_text(12)
    ('0.025', '35M', '12')
    """
    return format_count(round(value)) if abs(value) >= 10_000 else f"{value:g}"


def padded(values: Iterable[float], share: float = 0.05) -> tuple[float, float]:
    """Lowest and highest value, with some room on both sides.

    >>> padded([0.0, 10.0])
    (-0.5, 10.5)
    """
    found = list(values)
    low, high = min(found), max(found)
    room = share * (high - low) or max(abs(high), 1.0) * share
    return low - room, high + room


def dots(points: Iterable[tuple[float, float]], colour: str, radius: float) -> Iterator[str]:
    """Filled circles."""
    for x, y in points:
        at = f'cx="{svg_number(x)}" cy="{svg_number(y)}"'
        yield f'<circle {at} r="{svg_number(radius)}" fill="{colour}"/>'
