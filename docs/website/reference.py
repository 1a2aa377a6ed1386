"""The reference: the public functions, classes and settings from their docstrings, and `--help`."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from unittest import mock

from docstring_parser import parse

import darts
from darts import cli
from darts.commands.table import COMMANDS, Command
from darts.sweeps.choice_options import ManySearchOptions
from darts.sweeps.repeat_options import ManyTrainingOptions
from docs.website.tables import table

# Page, introduction, and what it documents. `members: false` shows a class without its methods.
_PACKAGES: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "genotypes": (
        "Genotypes",
        "The package `genotypes`: the discrete cell, its spaces and files. It does without torch.",
        ("genotypes",),
    ),
    "cells": (
        "Cells",
        "The package `cells`: topology, search cell, derived cell, their stack, and the engines.",
        (
            "cells.topology",
            "cells.search_cell",
            "cells.derived_cell",
            "cells.skeleton",
            "cells.stacked",
            "cells.engines",
            "cells.torch_engine",
        ),
    ),
    "ops": (
        "Operations",
        "The package `ops`: what an edge or a block computes.",
        (
            "ops.registry",
            "ops.primitives",
            "ops.partial",
            "ops.blocks",
            "ops.mbconv",
            "ops.regularize",
            "ops.initialise",
            "ops.recompute",
            "ops.sync_norm",
            "ops.backends",
            "ops.chains",
        ),
    ),
    "methods": (
        "Parts of methods",
        "What a part of a search method must be, and the built-in ones. "
        "[Extending](../extending.md) registers your own.",
        (
            "darts.plugins",
            "darts.methods.method",
            "darts.methods.relaxation",
            "darts.methods.sampled",
            "darts.methods.gradient",
            "darts.methods.perturbation",
            "darts.methods.regularisers",
            "darts.methods.skips",
            "darts.methods.selection",
            "darts.methods.stages",
            "darts.methods.stopping",
        ),
    ),
    "models": (
        "Models",
        "Networks by name, families of networks, feature maps, export, costs.",
        (
            "darts.models.registry",
            "darts.models.family",
            "darts.models.staged_config",
            "darts.models.features",
            "darts.models.export",
            "darts.costs.count",
            "darts.costs.models",
        ),
    ),
}


def pages() -> dict[str, str]:
    """The pages of the reference, by path."""
    found = {
        "reference/darts.md": _functions(),
        "reference/settings.md": _settings(),
        "reference/commands.md": _commands(),
    }
    for name, (title, about, modules) in _PACKAGES.items():
        text = f"# {title}\n\n{about}\n"
        for module in modules:
            text += f"\n{_block(module, heading_level=2, show_root_full_path='true')}"
        found[f"reference/{name}.md"] = text
    return found


def _block(name: str, **options: object) -> str:
    """The lines that mkdocstrings replaces by the documentation of an object."""
    lines = "".join(f"      {key}: {value}\n" for key, value in options.items())
    return f"::: {name}\n" + (f"    options:\n{lines}" if lines else "")


def _functions() -> str:
    text = (
        "# Functions\n\n`import darts` gives one function for each command. "
        "[Settings](settings.md) are keyword arguments with the names of the flags, and with "
        "underscores for hyphens.\n"
    )
    for name in darts.__all__:
        home = getattr(darts, name).__module__
        text += f"\n{_block(f'{home}.{name}', heading=f'darts.{name}', toc_label=name)}"
    return text


def _settings() -> str:
    text = (
        "# Settings\n\nThe settings of a search and of a training: keyword arguments of the "
        "functions, flags of the commands (`batch_size` is `--batch-size`), and keys of the YAML "
        "files that `--config` reads. The defaults are those without a preset, recipe or method; "
        "`--print-config` prints what a command would use.\n"
    )
    for title, groups in setting_groups().items():
        text += f"\n## {title}\n"
        for cls in groups:
            heads = table(("setting", "values", "default", "meaning"), _rows(cls))
            text += f"\n### {cls.__name__.removesuffix('Options')}\n\n{heads}"
    # Meanings are sentences: to the left, like names.
    return text.replace("|---|--:|--:|--:|", "|---|---|---|---|")


def setting_groups() -> dict[str, list[type]]:
    """The dataclasses that declare the settings of a search, of a training, and of both."""
    search, training = (
        {cls: None for cls in command.__mro__ if is_dataclass(cls) and _rows(cls)}
        for command in (ManySearchOptions, ManyTrainingOptions)
    )
    return {
        "A search: `darts.search`, `search.py`": [one for one in search if one not in training],
        "A training: `darts.evaluate`, `evaluate.py`": [
            one for one in training if one not in search
        ],
        "Both": [one for one in search if one in training],
    }


def _rows(cls: type) -> list[tuple[str, ...]]:
    """Name, values, default and meaning of the settings that a class itself declares."""
    assert is_dataclass(cls)
    told = {one.arg_name: one.description or "" for one in parse(cls.__doc__ or "").params}
    hints = get_type_hints(cls)
    rows = []
    for field in fields(cls):
        if field.name in cls.__annotations__ and field.name in told:
            default = "" if field.default in (None, MISSING, "") else f"`{field.default}`"
            meaning = " ".join(told[field.name].split())
            rows.append((f"`{field.name}`", _values(hints[field.name]), default, meaning))
    return rows


def _values(hint: Any) -> str:
    """The values that a setting takes.

    >>> _values(Literal["first", "random"]), _values(float | None)
    ('first, random', 'float')
    """
    if get_origin(hint) is Literal:
        return ", ".join(map(str, get_args(hint)))
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_values(one) for one in get_args(hint) if one is not type(None))
    return hint.__name__ if get_origin(hint) is None else str(hint)


def _commands() -> str:
    # Every page would be found here, so the search leaves this one out.
    text = (
        "---\nsearch:\n  exclude: true\n---\n\n# Commands\n\n"
        "What `--help-all` prints, or `--help` where there is no more.\n"
    )
    for words in _all_commands(COMMANDS):
        text += f"\n## {' '.join(words)}\n\n```text\n{_help(words)}\n```\n"
    return text


def _all_commands(
    commands: Mapping[str, Command], before: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    for name, command in commands.items():
        if command.handler:
            yield (*before, name)
        yield from _all_commands(command.subcommands, (*before, name))


def _help(words: tuple[str, ...]) -> str:
    """What `--help-all` or else `--help` prints for a command, 100 characters wide."""
    texts = []
    for flag in ("--help-all", "--help"):
        stream, errors = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, {"COLUMNS": "100", "NO_COLOR": "1"}),
            contextlib.redirect_stdout(stream),
            contextlib.redirect_stderr(errors),
            contextlib.suppress(SystemExit),
        ):
            cli.main([*words, flag])
        texts.append(stream.getvalue().rstrip())
    text = texts[0] or texts[1]
    # A list of all flags without their meaning helps nobody: they follow.
    return re.sub(r"(?s)\Ausage: (.*?) \[.*?\n\n", r"usage: \1 [options]\n\n", text)
