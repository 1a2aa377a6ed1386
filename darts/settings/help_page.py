"""What `--help` prints for a command whose options are a dataclass. Torch-free.

`--help` shows how to begin: examples, the settings that most runs need, and the names of all others
by group. `--help-all` explains each. The groups are the dataclasses that the options inherit.
"""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from inspect import get_annotations
from typing import Any, get_type_hints

from darts.settings.completion import Values
from darts.settings.value_words import choices_of, default_words, is_switch, value_word

EXAMPLES = "Examples:"
"""The line above examples."""

_COLUMN = 26
_WIDEST = 100
_GENERAL = (
    ("--config FILE", "Recipe: a YAML file of settings, or a shipped name. Flags win over it."),
    ("--print-config", "Print all settings as YAML, which --config reads, and exit."),
    ("--quiet", "Show no progress and no remarks; errors are still shown."),
    ("-h, --help", "Show how to begin."),
    ("--help-all", "Explain all options."),
    ("--version", "Print the version."),
)
_JSON = ("--json", "Print the result as one line of JSON instead of text.")


@dataclass(frozen=True)
class HelpPage:
    """What a command says of itself, beside the text of its options.

    Attributes:
        summary: What the command does, in a sentence or two; by default that of its options.
        examples: Arguments of commands to begin with, each with what it does.
        first: Names of the options that most runs need, in the order of a newcomer's questions.
        further: Flags that lead to another command, and what they do.
        values: Names that some options may have, for the completion in a shell.
        json: Whether the command can print its result as JSON.
    """

    summary: str = ""
    examples: tuple[tuple[str, str], ...] = ()
    first: tuple[str, ...] = ()
    further: tuple[tuple[str, str], ...] = ()
    values: Values | None = None
    json: bool = False

    def text(
        self, cls: type, meanings: Mapping[str, str], prog: str, *, everything: bool = False
    ) -> str:
        """The page.

        Args:
            cls: The options.
            meanings: What each option means, by name.
            prog: The command as the user types it.
            everything: Explain all options, not only the first.
        """
        width = page_width()
        defaults = {one.name: one.default for one in fields(cls)}
        hints = get_type_hints(cls)

        def entry(name: str) -> str:
            default = defaults[name]
            flag, note = _flag(name, hints[name], default), _note(hints[name], default)
            text = f"{meanings[name]} {note}" if note else meanings[name]
            return _entry(flag, text, width)

        summary = self.summary or (cls.__doc__ or "").partition("\n")[0]
        parts = [
            f"usage: {prog} [options]",
            _wrapped(summary, width),
        ]
        if self.examples:
            parts.append(examples_text(prog, self.examples))
        groups = _groups(cls)
        if self.first:
            lines = [entry(name) for name in self.first]
            lines += [_entry(flag, text, width) for flag, text in self.further]
            parts.append("What most runs need:\n" + "\n".join(lines))
            rest = {
                title: [name for name in names if name not in self.first]
                for title, names in groups.items()
            }
            groups = {title: names for title, names in rest.items() if names}
        if everything or not self.first:
            for title, names in groups.items():
                parts.append(_wrapped(f"{title}:", width) + "\n" + "\n".join(map(entry, names)))
        else:
            parts.append("More options, explained by --help-all:\n" + _names(groups, width))
        general = [*([_JSON] * self.json), *_GENERAL]
        parts.append("General:\n" + "\n".join(_entry(*one, width) for one in general))
        return "\n\n".join(parts)


def examples_text(prog: str, examples: Sequence[tuple[str, str]]) -> str:
    """Commands to begin with, each with what it does.

    >>> print(examples_text("search.py", [("--dataset digits", "a first cell")]))
    Examples:
      python search.py --dataset digits
          a first cell
    """
    run = f"python {prog}" if prog.endswith(".py") else prog
    lines = [EXAMPLES]
    for given, what in examples:
        lines.append(f"  {run} {given}".rstrip())
        lines.append(_wrapped(what, page_width(), " " * 6))
    return "\n".join(lines)


def page_width() -> int:
    """Characters in a line: those of the terminal, up to a length that is still easy to read."""
    return min(shutil.get_terminal_size().columns, _WIDEST)


def _wrapped(text: str, width: int, indent: str = "", first: str | None = None) -> str:
    return textwrap.fill(
        text,
        max(width, len(indent) + 24),
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )


def asks_for_help(arguments: Sequence[str]) -> bool:
    """Whether arguments ask for a help page."""
    return any(one in ("-h", "--help", "--help-all") for one in arguments)


def _groups(cls: type) -> dict[str, list[str]]:
    """By the title of each group, the names of its options; those of the command itself first.

    An option that a command declares again, with another default, stays in its group.
    """
    order: dict[str, list[str]] = {}
    home: dict[str, str] = {}
    for base in cls.__mro__:
        if is_dataclass(base):
            title = "Of this command alone"
            if base is not cls:
                title = (base.__doc__ or base.__name__).partition("\n")[0].rstrip(".")
            order[title] = []
            home |= dict.fromkeys(get_annotations(base), title)
    for one in fields(cls):
        order[home[one.name]].append(one.name)
    return {title: names for title, names in order.items() if names}


def _flag(name: str, hint: Any, default: Any) -> str:
    flag = name.replace("_", "-")
    if is_switch(hint) and not choices_of(hint):
        return f"--{flag}" if default is False else f"--{flag}, --no-{flag}"
    return f"--{flag} {value_word(name, hint)}"


def _note(hint: Any, default: Any) -> str:
    """The choices, if the flag does not show them, and the default."""
    choices = choices_of(hint)
    words = "" if default is False else default_words(default)
    notes = []
    if choices and "{" not in value_word("", hint):
        notes.append(f"one of {', '.join(choices)}")
    if words:
        notes.append(f"default {words}")
    return f"[{'; '.join(notes)}]" if notes else ""


def _entry(flag: str, text: str, width: int) -> str:
    """One option: its flag, and its text in a column of its own."""
    lines = _wrapped(text, width, " " * _COLUMN).splitlines()
    start = f"  {flag}"
    if len(start) + 2 > _COLUMN:
        return "\n".join([start, *lines])
    return "\n".join([start.ljust(_COLUMN) + lines[0].lstrip(), *lines[1:]])


def _names(groups: Mapping[str, Sequence[str]], width: int) -> str:
    """The flags of each group, without their meaning."""
    lines = []
    for title, names in groups.items():
        flags = " ".join("--" + name.replace("_", "-") for name in names)
        lines.append(_wrapped(f"{title}: {flags}", width, "    ", first="  "))
    return "\n".join(lines)


def dashed(text: str) -> str:
    """Flags as users type them.

    >>> dashed("--batch_size: must be 1 or more")
    '--batch-size: must be 1 or more'
    """
    return re.sub(r"--[a-z][a-z_0-9]*", lambda flag: flag.group().replace("_", "-"), text)
