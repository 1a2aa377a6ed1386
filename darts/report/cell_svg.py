"""A cell as SVG, written directly: no program and no font is needed, and it takes milliseconds."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from darts.report.cell_picture import (
    CellPicture,
    DrawnBox,
    DrawnCurve,
    DrawnShape,
    Line,
    arrow_head,
    bends,
)
from darts.report.layout import Point
from darts.report.style import PAPER

_FONTS = "Helvetica,Arial,'Liberation Sans','DejaVu Sans',sans-serif"
_STYLES = {"plain": "", "bold": ' font-weight="bold"', "italic": ' font-style="italic"'}
# Characters that XML 1.0 forbids even as references.
_FORBIDDEN = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF), "�")


def svg_of(picture: CellPicture) -> bytes:
    """The picture as an SVG file; equal pictures give equal bytes."""
    width, height = _number(picture.width), _number(picture.height)
    title = picture.title.translate(_FORBIDDEN)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}pt" height="{height}pt" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label={quoteattr(title)} '
        f'font-family="{_FONTS}">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="{PAPER}"/>',
        *map(_element, picture.shapes),
        "</svg>",
    ]
    return ("\n".join(lines) + "\n").encode()


def _element(shape: DrawnShape) -> str:
    match shape:
        case DrawnBox():
            (x, y), (width, height) = shape.centre, shape.size
            return (
                f'<rect x="{_number(x - width / 2)}" y="{_number(y - height / 2)}" '
                f'width="{_number(width)}" height="{_number(height)}" '
                f'rx="{_number(shape.radius)}" fill="{shape.fill}" stroke="{shape.line}" '
                f'stroke-width="{_number(shape.width)}"/>'
            )
        case DrawnCurve():
            return _curve(shape)
        case Line():
            return _text(shape)


def _curve(curve: DrawnCurve) -> str:
    pieces = "".join(f" C{' '.join(map(_point, piece))}" for piece in bends(curve))
    path = (
        f'<path d="M{_point(curve.points[0])}{pieces}" fill="none" stroke="{curve.colour}" '
        f'stroke-width="{_number(curve.width)}"/>'
    )
    if not curve.arrow:
        return path
    corners = " ".join(map(_point, arrow_head(curve)))
    return f'{path}<polygon points="{corners}" fill="{curve.colour}"/>'


def _text(line: Line) -> str:
    x, y = line.at
    # Half of the height of small letters and capitals, on average: renderers differ in how they
    # understand `dominant-baseline`.
    baseline = y + 0.34 * line.size
    content = escape(line.text.translate(_FORBIDDEN))
    if line.lowered:
        shift, small = _number(line.size * 0.22), _number(line.size * 0.72)
        lowered = escape(line.lowered)
        content += f'<tspan font-style="normal" font-size="{small}" dy="{shift}">{lowered}</tspan>'
        baseline -= 0.1 * line.size
    return (
        f'<text x="{_number(x)}" y="{_number(baseline)}" font-size="{_number(line.size)}" '
        f'fill="{line.colour}" text-anchor="{line.anchor}" xml:space="preserve"'
        f"{_STYLES[line.style]}>{content}</text>"
    )


def _point(point: Point) -> str:
    return f"{_number(point[0])},{_number(point[1])}"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
