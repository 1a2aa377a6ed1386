"""What all commands use: a parser with one-line errors, printed tables, and several processes."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NoReturn

from darts.errors import UserError
from darts.report.tables import aligned
from darts.settings.origins import Fit
from darts.settings.ranges import ARGUMENT_RANGES, check_range
from darts.settings.used_files import joined_names, use_files


class Arguments(argparse.ArgumentParser):
    """A parser that reports a wrong argument by one message, without the usage.

    Args:
        uses_files: Whether the command takes `--use`, files of the user's own. They are run as
            soon as the arguments are parsed.

    Raises:
        UserError: An argument is unknown, missing or wrong, or a file of the user's own fails.
    """

    def __init__(self, *, uses_files: bool = False, **settings: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **settings})
        self.uses_files = uses_files
        if uses_files:
            self.add_argument(
                "--use",
                action="append",
                metavar="FILE",
                help="Python file with operations, spaces or parts of your own; may be repeated",
            )

    def parse_args(self, arguments: Sequence[str]) -> argparse.Namespace:  # type: ignore[override]
        parsed = super().parse_args(arguments)
        for action in self._actions:
            if action.type in (int, float):
                # A number without a range is an oversight: the name is then missing there.
                name = action.dest
                check_range(action.option_strings[0], vars(parsed)[name], ARGUMENT_RANGES[name])
        if self.uses_files:
            use_files(joined_names(parsed.use))
        return parsed

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{self.prog}: {message}")


def imported_fit(where: str) -> Fit[Any]:
    """A function that fits options to the data, imported on its first call: it needs torch.

    Args:
        where: "module:function", such as "darts.training.fitting:fit_training".
    """

    def fit(options: Any, origins: Any) -> Any:
        module, _, function = where.partition(":")
        return getattr(import_module(module), function)(options, origins)

    return fit


FIT_TRAINING = imported_fit("darts.training.fitting:fit_training")
"""Fits the recipe of a training from scratch."""


Handler = Callable[[Sequence[str], str], None]
"""Runs a command: its arguments, and the name of the program for messages."""


def by_all_processes(handler: Handler) -> Handler:
    """Wrap `handler` so that all processes that torchrun started run it together."""

    @functools.wraps(handler)
    def run(arguments: Sequence[str], prog: str) -> None:
        if os.environ.get("WORLD_SIZE", "1") == "1":  # `--help` must not import torch.
            return handler(arguments, prog)
        from darts.system.distributed import joined

        with joined():
            return handler(arguments, prog)

    return run


def print_hint(formats: Sequence[str]) -> None:
    """Print a hint on standard error if these formats are better with graphviz's `dot`."""
    from darts.report.draw import dot_hint

    if (hint := dot_hint(formats)) is not None:
        print(hint, file=sys.stderr)


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows of equal length with aligned columns.

    >>> print_table([("name", "nodes"), ("darts_v1", "4")])
    name      nodes
    darts_v1  4
    """
    for line in aligned(rows):
        print(line)
