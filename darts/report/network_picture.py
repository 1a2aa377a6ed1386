"""A network of stages as a picture: one slab a block, as high as its image, labelled below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from darts.report.cell_picture import CellPicture, DrawnBox, DrawnCurve, DrawnShape, Line
from darts.report.style import CURVES, INK, LINE, MUTED
from darts.report.text_width import text_width

_MARGIN, _HEAD, _GAP, _TEXT = 18.0, 44.0, 26.0, 11.0
# Height of the slabs of the largest image, and the least height.
_TALL, _LOW = 150.0, 12.0
# Width of a slab: narrow ones, wide ones, and of all blocks of a stage.
_NARROW, _WIDE, _WHOLE = 4.0, 14.0, 190.0
_LINES = 15.0


@dataclass(frozen=True, kw_only=True)
class DrawnStage:
    """A stage as it is drawn.

    Attributes:
        slabs: Number of blocks; 0 draws no slab.
        size: Side of its output in pixels.
        width: Channels of its output.
        labels: Lines of text below; the first one is bold.
    """

    slabs: int
    size: int
    width: int
    labels: tuple[str, ...]


def network_picture(
    name: str, caption: str, stages: Sequence[DrawnStage], note: str = ""
) -> CellPicture:
    """Draw stages from left to right.

    A slab's height grows with the square root of the image's side, its thickness with that of the
    channels.

    Args:
        name: The network, in bold.
        caption: Behind the name.
        stages: Stem, stages and head.
        note: A line at the foot.
    """
    tall = max(one.size for one in stages)
    wide = max(one.width for one in stages)
    thickness = [_thickness(one, wide) for one in stages]
    columns = [
        max(
            one.slabs * thick,
            *(text_width(text, _TEXT, bold=number == 0) for number, text in enumerate(one.labels)),
        )
        for one, thick in zip(stages, thickness, strict=True)
    ]
    content = sum(columns) + _GAP * (len(columns) - 1)
    title = text_width(name, 17, bold=True) + 14 + text_width(caption, 13)
    width = max(content, title, text_width(note, _TEXT)) + 2 * _MARGIN
    middle = _MARGIN + _HEAD + _TALL / 2
    rows = max(len(one.labels) for one in stages)
    height = _MARGIN + _HEAD + _TALL + 14 + rows * _LINES + (20 if note else 0) + _MARGIN
    shapes: list[DrawnShape] = [
        Line((_MARGIN, _MARGIN + 10), name, 17, INK, "start", "bold"),
        Line(
            (_MARGIN + text_width(name, 17, bold=True) + 14, _MARGIN + 11),
            caption,
            13,
            MUTED,
            "start",
        ),
    ]
    # Stages of equal resolution have one colour.
    sizes = list(dict.fromkeys(one.size for one in stages[1:]))
    x = (width - content) / 2
    left = None
    for number, (one, thick, column) in enumerate(zip(stages, thickness, columns, strict=True)):
        centre, half = x + column / 2, one.slabs * thick / 2
        if left is not None:
            ends = ((left + 3, middle), (centre - half - 4, middle))
            shapes.append(DrawnCurve(ends, LINE, 1.3, True))
        high = max(_LOW, _TALL * (one.size / tall) ** 0.5)
        ends_of_network = number in (0, len(stages) - 1)
        colour = MUTED if ends_of_network else CURVES[sizes.index(one.size) % len(CURVES)]
        for slab in range(one.slabs):
            at = (centre - half + (slab + 0.5) * thick, middle)
            shapes.append(DrawnBox(at, (thick - 1.5, high), colour, colour, 1.2, 0.4))
        for line, text in enumerate(one.labels):
            y = _MARGIN + _HEAD + _TALL + 16 + line * _LINES
            style = ("bold", INK) if line == 0 else ("plain", MUTED if line > 3 else INK)
            shapes.append(Line((centre, y), text, _TEXT, style[1], "middle", style[0]))  # type: ignore[arg-type]
        left = centre + half
        x += column + _GAP
    if note:
        shapes.append(Line((_MARGIN, height - _MARGIN - 2), note, _TEXT, MUTED, "start"))
    return CellPicture(round(width, 2), round(height, 2), f"{name}: {caption}", tuple(shapes))


def _thickness(one: DrawnStage, wide: int) -> float:
    """Thickness of a slab: thinner where a stage has many."""
    thick = _NARROW + (_WIDE - _NARROW) * (one.width / wide) ** 0.5
    return min(thick, _WHOLE / max(1, one.slabs))
