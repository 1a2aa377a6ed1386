"""Completion of commands, flags and values when the shell's TAB is pressed, by argcomplete.

The shell runs the program with the line so far in its environment; every parser that the arguments
reach then prints what may follow, and ends the program. Torch-free, like `--help`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, get_type_hints

from darts.settings.value_words import choices_of, is_switch

_SKIPPED = "_ARGCOMPLETE"
"""Set by the shell's hook: how many words of the line belong to the program's name."""

Values = Callable[[], Mapping[str, Sequence[str]]]
"""Returns values that a setting may have beside files, by name."""


def completing() -> bool:
    """Whether the shell asks for a completion instead of running the program."""
    return _SKIPPED in os.environ


def words_so_far() -> tuple[list[str], str]:
    """The words before the one that is completed, without the program's name, and its start."""
    from argcomplete.lexers import split_line

    line, point = os.environ["COMP_LINE"], int(os.environ["COMP_POINT"])
    _, start, _, words, _ = split_line(line, point)
    return words[int(os.environ[_SKIPPED]) :], start


def enter_subcommand() -> None:
    """Count one more word to the program's name."""
    os.environ[_SKIPPED] = str(int(os.environ[_SKIPPED]) + 1)


def complete(parser: argparse.ArgumentParser) -> None:
    """Print what may follow, and end the program."""
    import argcomplete

    argcomplete.autocomplete(parser)


def complete_names(names: Sequence[str]) -> None:
    """The same where the name of a sub-command is next."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("command", choices=names)
    complete(parser)


def complete_options(cls: type, values: Values | None = None) -> None:
    """The same for a command whose options are a dataclass.

    Args:
        cls: The options.
        values: Names that a setting may have, beside files.
    """
    import argcomplete

    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    names = values() if values is not None else {}
    hints = get_type_hints(cls)
    for one in fields(cls):
        flag, hint = f"--{one.name.replace('_', '-')}", hints[one.name]
        choices = choices_of(hint)
        if is_switch(hint) and not choices:
            parser.add_argument(flag, action=argparse.BooleanOptionalAction)
            continue
        action: Any = parser.add_argument(flag, choices=choices or None)
        if one.name in names:
            action.completer = _named_or_files(names[one.name])
    for flag in ("--help", "--help-all", "--print-config", "--quiet"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--config")
    argcomplete.autocomplete(parser)


def _named_or_files(names: Sequence[str]) -> Callable[..., list[str]]:
    from argcomplete.completers import FilesCompleter

    def completions(prefix: str, **_: Any) -> list[str]:
        return [*(one for one in names if one.startswith(prefix)), *FilesCompleter()(prefix)]

    return completions
