"""Drawn cells as images of a page, at one scale, so that a large cell looks larger."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

_POINT = 4 / 3
"""Pixels in a point."""


@dataclass(frozen=True)
class CellImage:
    """A drawn cell of a page.

    Attributes:
        title: What it shows, for those who cannot see it.
        address: The picture itself, as a data URI.
        share: Its width in % of the widest picture beside it.
        limit: Width of the widest picture, in pixels.
    """

    title: str
    address: str
    share: float
    limit: float


def at_one_scale(drawn: Sequence[tuple[str, bytes]]) -> list[CellImage]:
    """Titles and SVG files as images with a common scale.

    >>> narrow, wide = b'<svg viewBox="0 0 30 9">', b'<svg viewBox="0 0 60 9">'
    >>> [(one.share, one.limit) for one in at_one_scale([("a", narrow), ("b", wide)])]
    [(50.0, 80.0), (100.0, 80.0)]
    """
    widths = [svg_size(svg)[0] for _, svg in drawn]
    widest = max(widths, default=1.0)
    return [
        CellImage(title, data_uri(svg), round(100 * width / widest, 2), widest)
        for (title, svg), width in zip(drawn, widths, strict=True)
    ]


def data_uri(svg: bytes) -> str:
    """The address of a picture that is part of the page.

    As an image, not as markup: no script in it can run, and identifiers cannot collide.
    """
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


def svg_size(svg: bytes) -> tuple[float, float]:
    """Width and height of an SVG file in pixels; a guess if it does not say.

    >>> svg_size(b'<svg width="72pt" height="36pt" viewBox="0 0 72 36">')
    (96.0, 48.0)
    """
    found = re.search(rb'viewBox="[-\d.]+[ ,]+[-\d.]+[ ,]+([\d.]+)[ ,]+([\d.]+)"', svg[:2000])
    if found is None or not float(found[1]) or not float(found[2]):
        return 1000.0, 340.0
    return float(found[1]) * _POINT, float(found[2]) * _POINT
