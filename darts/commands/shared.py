"""What all commands use: a parser with one-line errors, printed tables, and several processes."""

from __future__ import annotations

import argparse
import functools
import json
import os
import re
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn, get_args

from darts.errors import UserError, closest
from darts.report.tables import aligned
from darts.settings.completion import complete, completing
from darts.settings.help_page import EXAMPLES, examples_text, page_width
from darts.settings.origins import Fit
from darts.settings.ranges import ARGUMENT_RANGES, check_range
from darts.settings.used_files import joined_names, use_files
from darts.settings.value_words import default_words, value_word
from darts.trials.options import ExecutorName, TrialOptions


class PlainHelp(argparse.HelpFormatter):
    """Help with placeholders in plain words, all defaults, and examples as they are written."""

    def __init__(self, prog: str, **settings: Any) -> None:
        columns = page_width()
        super().__init__(prog, **{"max_help_position": 26, "width": columns, **settings})

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith(EXAMPLES):
            return text
        paragraphs = text.strip().split("\n\n")
        return "\n\n".join(
            super(PlainHelp, self)._fill_text(one, width, indent) for one in paragraphs
        )

    def _get_default_metavar_for_optional(self, action: argparse.Action) -> str:
        if action.type in (int, float):
            return "N" if action.type is int else "X"
        return value_word(action.dest, str)

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        words = default_words(action.default)
        plain = (
            action.nargs == 0
            or action.default is argparse.SUPPRESS
            or isinstance(action.default, (list, tuple))
        )
        known = plain or not action.option_strings or "default" in text
        return text if known or not words else f"{text} [default {words}]"


class Arguments(argparse.ArgumentParser):
    """A parser that reports a wrong argument by one message, without the usage.

    Args:
        uses_files: Whether the command takes `--use`, files of the user's own. They are run as
            soon as the arguments are parsed.
        examples: Arguments to begin with, each with what the command then does.

    Raises:
        UserError: An argument is unknown, missing or wrong, or a file of the user's own fails.
    """

    def __init__(
        self,
        *,
        uses_files: bool = False,
        examples: Sequence[tuple[str, str]] = (),
        **settings: Any,
    ) -> None:
        plain = {"allow_abbrev": False, "formatter_class": PlainHelp}
        super().__init__(**{**plain, **settings})
        if examples:
            self.epilog = examples_text(self.prog, examples)
        self.uses_files = uses_files
        if uses_files:
            self.add_argument(
                "--use",
                action="append",
                metavar="FILE",
                help="Python file with operations, spaces or parts of your own; may be repeated",
            )

    def format_help(self) -> str:
        needed = [one.metavar or one.dest for one in self._get_positional_actions()]
        needed += [
            f"{one.option_strings[0]} {one.metavar or value_word(one.dest, str)}"
            for one in self._get_optional_actions()
            if one.required
        ]
        self.usage = " ".join(["%(prog)s", *map(str, needed), "[options]"])
        return super().format_help()

    def parse_args(self, arguments: Sequence[str]) -> argparse.Namespace:  # type: ignore[override]
        if completing():
            complete(self)
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
        raise UserError(f"{self.prog}: {message}{self._hint(message)}")

    def _hint(self, message: str) -> str:
        """A guess at a misspelt flag or value."""
        if wrong := re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message):
            return "." + closest(wrong[1], re.findall(r"[\w.:-]+", wrong[2]))
        if wrong := re.search(r"unrecognized arguments: (--[^\s=]+)", message):
            flags = [one for action in self._actions for one in action.option_strings]
            return "." + closest(wrong[1], flags)
        return ""


def add_trial_arguments(parser: argparse.ArgumentParser, what: str) -> None:
    """Add where trials run, as arguments; see `darts.trials.options`.

    Args:
        parser: The parser of a command.
        what: What a trial is, in the plural: "searches".
    """
    add, defaults = parser.add_argument, TrialOptions()
    add(
        "--executor",
        choices=get_args(ExecutorName),
        default=defaults.executor,
        help=f"where {what} run: one after the other here, in processes of this machine, or on a "
        "Ray cluster whose machines share the directory; by default in-process",
    )
    add(
        "--parallel",
        type=int,
        default=defaults.parallel,
        help=f"{what} at the same time; 0 for as many as there are GPUs, or else cores",
    )
    add("--cpus-per-trial", type=float, default=defaults.cpus_per_trial, help="CPUs for Ray")
    add("--gpus-per-trial", type=float, default=defaults.gpus_per_trial, help="GPUs for Ray")
    add("--retry-failed", action="store_true", help="repeat what failed earlier")


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


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows of equal length with aligned columns.

    >>> print_table([("name", "nodes"), ("darts_v1", "4")])
    name      nodes
    darts_v1  4
    """
    for line in aligned(rows):
        print(line)


JSON_FLAG = "--json"


def without_json(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """The arguments of a command that has options only, and whether `--json` was among them.

    >>> without_json(["--epochs", "2", "--json"])
    (['--epochs', '2'], True)
    """
    return [one for one in arguments if one != JSON_FLAG], JSON_FLAG in arguments


def print_result(directory: Path, file: Path) -> None:
    """Print the result that a run has written, as one line of JSON with the run's directory."""
    result = json.loads(file.read_text(encoding="utf-8"))
    print(json.dumps({"run_dir": str(directory), **result}))
