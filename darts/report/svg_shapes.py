"""Shapes of plots that are written directly as SVG, and round positions for their axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from darts.report.style import PAPER

GRID = "#e5e7eb"
"""Colour of the lines behind a plot."""


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
    found = [round(count * step, 12) for count in range(begin, end + 1)]
    return [int(one) for one in found] if whole else found


def opening(name: str, width: float, height: float) -> str:
    """The first lines of an SVG element inside a page, up to its white ground.

    Args:
        name: What the picture shows, for those who cannot see it.
        width: Width in points.
        height: Height in points.
    """
    wide, high = svg_number(width), svg_number(height)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" '
        f'width="{wide}pt" height="{high}pt" role="img" aria-label={quoteattr(name)} '
        'font-family="DejaVu Sans,Helvetica,Arial,sans-serif">\n'
        f'<rect width="{wide}" height="{high}" fill="{PAPER}"/>'
    )


def svg_number(value: float) -> str:
    """A number as it is written in a file.

    >>> svg_number(3.0), svg_number(1.239)
    ('3', '1.24')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".")


def svg_box(
    x: float, y: float, width: float, height: float, fill: str, line: str = "none", wide: float = 0
) -> str:
    """A rectangle, (x, y) its upper left corner; `wide` is the width of its line."""
    left, top, across, down = map(svg_number, (x, y, width, height))
    return (
        f'<rect x="{left}" y="{top}" width="{across}" height="{down}" fill="{fill}" '
        f'stroke="{line}" stroke-width="{svg_number(wide)}"/>'
    )


def svg_path(
    points: Sequence[tuple[float, float]],
    colour: str,
    width: float,
    *,
    dotted: bool = False,
    faint: bool = False,
) -> str:
    """A line through points, perhaps dotted or partly transparent."""
    drawn = " ".join(f"{svg_number(x)},{svg_number(y)}" for x, y in points)
    dashes = ' stroke-dasharray="1.5 2.5"' if dotted else ""
    opacity = ' opacity="0.4"' if faint else ""
    return (
        f'<polyline points="{drawn}" fill="none" stroke="{colour}" '
        f'stroke-width="{svg_number(width)}" stroke-linejoin="round"{dashes}{opacity}/>'
    )


def svg_text(
    x: float,
    y: float,
    words: str,
    size: float,
    colour: str,
    anchor: str = "middle",
    extra: str = "",
) -> str:
    """A line of text on the baseline `y`; `extra` are further attributes."""
    return (
        f'<text x="{svg_number(x)}" y="{svg_number(y)}" font-size="{svg_number(size)}" '
        f'fill="{colour}" text-anchor="{anchor}"{extra}>{escape(words)}</text>'
    )
