"""The width of text, from a table of the widths of the letters of DejaVu Sans; no font is read.

Helvetica, Arial and Liberation Sans are narrower, so a box that fits these widths fits them all.
"""

from __future__ import annotations

# Thousandths of the font size; from the font's table of horizontal advances.
_CHARACTERS = {
    318: "' ,.·ijlIJ",
    361: "/:;\\|f-",
    401: "()[]t!",
    411: "r",
    531: '"*_`–sz?',
    579: "cLFk",
    615: "vxyPTYoae",
    636: "EhnuSbdgpq$0123456789{}",
    698: "KAVXZBRC",
    787: "UNHDG&OQ",
    838: "w#+<=>^~×↓−",
    1000: "M%mW@",
}
_WIDTHS = {
    character: width for width, characters in _CHARACTERS.items() for character in characters
}
# Bold letters are at most this much wider.
_BOLD = 1.24


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """An upper bound of the width of a line of text, in the unit of `size`.

    >>> round(text_width("skip", 12.0), 1)
    24.8

    Args:
        text: The text; unknown characters count as wide ones.
        size: The font size.
        bold: Whether the text is bold.
    """
    width = sum(_WIDTHS.get(character, 1000) for character in text) * size / 1000
    return width * _BOLD if bold else width
