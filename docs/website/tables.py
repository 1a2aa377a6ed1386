"""Tables and numbers of generated pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in markdown: the first column to the left, the others to the right.

    >>> print(table(("name", "n"), [("a", "1")]), end="")
    | name | n |
    |---|--:|
    | a | 1 |
    """
    lines = [_row(heads), "|---|" + "--:|" * (len(heads) - 1), *map(_row, rows)]
    return "\n".join(lines) + "\n"


def millions(number: float) -> str:
    """A number in millions, with three digits or more.

    >>> millions(5_342_464), millions(581_627_328), millions(12_000_000_000)
    ('5.34 M', '582 M', '12,000 M')
    """
    value = number / 1e6
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f} M"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
