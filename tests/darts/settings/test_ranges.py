"""Every numeric option of every command has a range, and refuses what is outside of it."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import pytest

from darts.comparing.options import CompareOptions
from darts.comparing.recipe_options import RecipeStudyOptions
from darts.correlation.options import CorrelationOptions
from darts.design_space.options import PopulationOptions
from darts.detection.options import DetectionOptions
from darts.errors import UserError
from darts.joint.options import JointOptions
from darts.settings.parsing import given_settings, options_from, parse_options
from darts.settings.ranges import RANGES, Range, check_ranges
from darts.sweeps.choice_options import ManySearchOptions
from darts.sweeps.repeat_options import ManyTrainingOptions

COMMANDS: dict[str, Any] = {
    "search": ManySearchOptions,
    "evaluate": ManyTrainingOptions,
    "compare": CompareOptions,
    "compare --recipes": RecipeStudyOptions,
    "detect": DetectionOptions,
    "space train": PopulationOptions,
    "joint search": JointOptions,
    "correlate": CorrelationOptions,
}
NUMBERS = {"int", "float", "int | None", "float | None", "tuple[float, float]", "Literal[1, 2]"}
# Amounts with units and seeds of several runs are read, and refused, by their own parsers.
TEXTS = {"seeds", "order"}


def numeric(cls: Any) -> list[str]:
    return [one.name for one in fields(cls) if one.type in NUMBERS and one.name not in TEXTS]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_number_has_a_range_that_its_default_keeps(command: str) -> None:
    cls = COMMANDS[command]
    assert set(numeric(cls)) <= set(RANGES)
    check_ranges({one.name: one.default for one in fields(cls)})


def outside(name: str) -> list[float]:
    """Numbers beyond the range of a setting; whole ones, because many take nothing else."""
    found = RANGES[name]
    below = -1 if found.at_least is None else math.ceil(found.at_least) - 1
    below = min(below, -1) if found.above is not None else below
    wrong = [below, 2**63, -(10**20)]
    return [value for value in wrong if value not in found]


# Of each setting once: the same parser serves all commands.
CASES = sorted({(name, command) for command in COMMANDS for name in numeric(COMMANDS[command])})
ONCE = [(name, command) for i, (name, command) in enumerate(CASES) if CASES[i - 1][0] != name]


@pytest.mark.parametrize(("name", "command"), ONCE)
def test_a_number_out_of_range_is_one_sentence(name: str, command: str) -> None:
    flag = f"--{name.replace('_', '-')}"
    for value in outside(name):
        with pytest.raises(UserError) as error:
            options_from(COMMANDS[command], {name: _like(name, value)}, lambda settings: {})
        assert f"{flag}: must be" in str(error.value)
        assert "\n" not in str(error.value)


def _like(name: str, value: float) -> Any:
    return (value, value) if name == "arch_betas" else value


@pytest.mark.parametrize("command", ["search", "evaluate"])
@pytest.mark.parametrize("value", [".nan", ".inf", "-1e-3", "0"])
def test_what_is_no_rate_is_refused_on_the_command_line(command: str, value: str) -> None:
    with pytest.raises(UserError, match=r"--learning-rate: must be above 0"):
        parse_options(
            COMMANDS[command],
            ["--learning-rate", value],
            prog=command,
            overlay=lambda settings: {},
        )


@pytest.mark.parametrize(
    "flags", [["0.5", "0.999"], ["[0.5, 0.999]"], ["0.5,", "0.999"], ["(0.5, 0.999)"]]
)
def test_two_numbers_are_a_pair(flags: list[str]) -> None:
    given = given_settings(ManySearchOptions, ["--arch-betas", *flags], prog="search")
    assert given == {"arch_betas": (0.5, 0.999)}


def test_flags_are_not_abbreviated() -> None:
    for flag, meant in (("--lr", ""), ("--epoch", "--epochs")):
        with pytest.raises(UserError, match=f"{flag}.*{meant}"):
            given_settings(ManySearchOptions, [flag, "3"], prog="search")


def test_ranges_in_words() -> None:
    assert Range(at_least=2, also=0).words == "2 or more, or 0"
    assert Range(above=0, below=1).words == "between 0 and 1"
    assert Range(above=0, at_most=1).words == "above 0 and at most 1"
    assert Range(at_least=0, at_most=1).words == "from 0 to 1"
    with pytest.raises(UserError, match=r"^--momentum: must be at least 0 and below 1, not 1\.$"):
        check_ranges({"momentum": 1})
