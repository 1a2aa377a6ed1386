"""What commands share: arguments that are refused in one line, and tables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from darts.errors import UserError


class Arguments(argparse.ArgumentParser):
    """Refuses wrong arguments with one message and no usage."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{self.prog}: {message}")


def print_hint() -> None:
    """Say, if so, that drawings lack graphviz's `dot`."""
    from darts.draw import dot_hint

    if (hint := dot_hint()) is not None:
        print(hint, file=sys.stderr)


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows of equal length, the columns aligned."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
