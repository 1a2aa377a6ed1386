"""Tables as lines of text."""

from __future__ import annotations

from collections.abc import Sequence

Row = tuple[str, ...]


def aligned(rows: Sequence[Row]) -> list[str]:
    """Rows of equal length as lines with aligned columns.

    >>> aligned([("n", "error"), ("100", "9.5")])
    ['n    error', '100  9.5']
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
