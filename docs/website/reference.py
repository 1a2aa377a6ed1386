"""The reference: the public functions, classes and settings from their docstrings, and `--help`."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Mapping
from unittest import mock

import darts
from darts import cli
from darts.commands.table import COMMANDS, Command

# Page, introduction, and what it documents. `members: false` shows a class without its methods.
_PACKAGES: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "genotypes": (
        "Genotypes",
        "The package `genotypes`: the discrete cell, its spaces and files. It needs neither torch nor `darts`.",
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
        "What a part of a search method must be, and the built-in ones. [Extending](../extending.md) registers "
        "your own.",
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
_SETTINGS = {
    "A search: `darts.search`, `search.py`": (
        "darts.searching.options.SearchOptions",
        "darts.sweeps.choice_options.ChoiceOptions",
        "darts.costs.options.CostOptions",
    ),
    "A training: `darts.evaluate`, `evaluate.py`": (
        "darts.training.options.TrainingOptions",
        "darts.training.options.ModelOptions",
        "darts.training.options.RecipeOptions",
        "darts.training.options.AuxiliaryOptions",
        "darts.training.options.CheckpointOptions",
        "darts.training.options.PretrainedOptions",
        "darts.training.options.SizeOptions",
        "darts.sweeps.repeat_options.RepeatOptions",
    ),
    "Images, of both": (
        "darts.data.options.DataOptions",
        "darts.data.options.SplitOptions",
        "darts.data.options.BalanceOptions",
    ),
    "The run, of both": (
        "darts.settings.options.PresetOptions",
        "darts.settings.options.RunOptions",
        "darts.settings.options.PlaceOptions",
        "darts.settings.options.SeedOptions",
        "darts.settings.options.IntervalOptions",
        "darts.settings.options.StepOptions",
        "darts.settings.options.UseOptions",
        "darts.trials.options.ExecutorOptions",
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
        "# Functions\n\n`import darts` gives one function for each command. [Settings](settings.md) are "
        "keyword arguments with the names of the flags, and with underscores for hyphens.\n"
    )
    for name in darts.__all__:
        home = getattr(darts, name).__module__
        text += f"\n{_block(f'{home}.{name}', heading_level=2)}"
    return text


def _settings() -> str:
    text = (
        "# Settings\n\nThe settings of a search and of a training: keyword arguments of the functions, "
        "flags of the commands (`batch_size` is `--batch-size`), and keys of the YAML files that "
        "`--config` reads. `--print-config` prints what a command would use.\n"
    )
    for title, classes in _SETTINGS.items():
        text += f"\n## {title}\n"
        for name in classes:
            text += f"\n{_block(name, heading_level=3, members='false', show_bases='false')}"
    return text


def _commands() -> str:
    # Every page would be found here, so the search leaves this one out.
    text = "---\nsearch:\n  exclude: true\n---\n\n# Commands\n\nWhat `--help` prints.\n"
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
    """What `--help` prints for a command, 100 characters wide."""
    stream = io.StringIO()
    with (
        mock.patch.dict(os.environ, {"COLUMNS": "100", "NO_COLOR": "1"}),
        contextlib.redirect_stdout(stream),
        contextlib.suppress(SystemExit),
    ):
        cli.main([*words, "--help"])
    return stream.getvalue().rstrip()
