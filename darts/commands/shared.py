"""What commands share: arguments that are refused in one line, and tables."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from darts.errors import UserError
from darts.report.tables import aligned


class Arguments(argparse.ArgumentParser):
    """Refuses wrong arguments with one message and no usage."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{self.prog}: {message}")


Command = Callable[[Sequence[str], str], None]


def by_all_processes(command: Command) -> Command:
    """The command, carried out together by the processes that torchrun has started, if it has."""

    @functools.wraps(command)
    def run(arguments: Sequence[str], prog: str) -> None:
        if os.environ.get("WORLD_SIZE", "1") == "1":  # Not even torch is imported for `--help`.
            return command(arguments, prog)
        from darts.system.distributed import joined

        with joined():
            return command(arguments, prog)

    return run


def print_hint() -> None:
    """Say, if so, that drawings lack graphviz's `dot`."""
    from darts.report.draw import dot_hint

    if (hint := dot_hint()) is not None:
        print(hint, file=sys.stderr)


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows of equal length, the columns aligned."""
    for line in aligned(rows):
        print(line)
