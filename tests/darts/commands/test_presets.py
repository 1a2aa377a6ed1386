"""Every command that takes a preset understands every preset."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from itertools import product

import pytest
import yaml

from darts.cli import main
from darts.commands.table import COMMANDS, Command
from darts.settings.suites import SUITE_PRESETS

COMMON = ("paper", "quick", "smoke")
STUDY = ("darts_v1", "darts_v2", "--recipes", "bench-suite")
# What a command needs to be understood, in each of its forms.
FORMS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "search": ((), ("--space", "s1"), ("--space", "nasbench201"), ("--dataset", "imagenet")),
    "evaluate": (
        ("--genotype", "darts_v2"),
        ("--genotype", "nb201-9930"),
        ("--genotype", "pcdarts_imagenet"),
        ("--model", "regnetx_400mf"),
        ("--genotype", "darts_v2", "--baseline", "regnetx", "random-cells"),
    ),
    "compare": (
        ("--genotype", "darts_v2"),
        ("--genotype", "nb201-9930"),
        ("--genotype", "pcdarts_imagenet"),
        STUDY,
    ),
    "detect": (("--dataset", "shapes", "--model", "regnetx_200mf"), ("--model", "resnet50")),
    "joint search": ((), ("--space", "darts-cell+recipe", "--genotype", "darts_v2")),
    "scale grid": (("darts_v2", "-o", "there"),),
    "scale study": (("regnetx_200mf", "-o", "there", "--budgets", "2"),),
}
# The forms that take the presets of DARTS-Bench-Suite as well.
SUITE = {"search": (), "compare": STUDY}


def leaves(commands: Mapping[str, Command], above: str = "") -> Iterator[str]:
    """The names of all commands that do something."""
    for name, command in commands.items():
        if command.handler:
            yield f"{above}{name}"
        yield from leaves(command.subcommands, f"{above}{name} ")


def printed(arguments: list[str]) -> str:
    """What a command prints before it exits in good order."""
    stream = io.StringIO()
    code: object = None
    with redirect_stdout(stream):
        try:
            code = main(arguments)
        except SystemExit as end:
            code = end.code
    assert not code
    return stream.getvalue()


def test_all_commands_with_a_preset_are_here() -> None:
    found = {
        name for name in leaves(COMMANDS) if "\n  --preset" in printed([*name.split(), "--help"])
    }
    assert found <= set(FORMS)
    assert {"search", "evaluate", "compare", "detect", "joint search"} <= found


CASES = [
    (command, form, preset)
    for command, forms in FORMS.items()
    for form, preset in product(forms, (*COMMON, *SUITE_PRESETS))
    if preset in COMMON or form == SUITE.get(command)
]


@pytest.mark.parametrize(("command", "form", "preset"), CASES, ids=str)
def test_a_preset_is_understood(command: str, form: tuple[str, ...], preset: str) -> None:
    text = printed([*command.split(), *form, "--preset", preset, "--print-config"])
    assert yaml.safe_load(text)["preset"] == preset
