"""Every command of docs/papers.md is one that the toolkit understands; nothing is run."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

import pytest

from darts.commands.table import COMMANDS
from darts.errors import UserError
from darts.settings import parsing

PAGE = Path(__file__).parents[1] / "docs/papers.md"
TEXT = PAGE.read_text(encoding="utf-8")
LINES = re.findall(r"`(python (?:-m darts|search\.py|evaluate\.py) [^`]+)`", TEXT)
PAPERS = ("1907.05737", "2003.13678", "1905.11946", "2006.02049")
# A recipe of the reader's own stands for this shipped one.
STANDS_FOR = {"FILE": "evaluate_efficientnet"}


class Understood(BaseException):
    """The arguments were parsed."""


def stop(*values: Any, **keywords: Any) -> NoReturn:
    raise Understood


def parse(line: str) -> None:
    """Parse a command up to the moment when it would begin to work.

    Raises:
        Understood: It is right.
        UserError: It is not.
    """
    words = [STANDS_FOR.get(word, word) for word in shlex.split(line)]
    if words[1] == "-m":
        name, rest = words[3], words[4:]
    else:
        name, rest = words[1].removesuffix(".py"), words[2:]
    command, original = COMMANDS[name], argparse.ArgumentParser.parse_args

    def parse_args(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> NoReturn:
        original(parser, arguments)
        raise Understood

    with (
        mock.patch.object(parsing, "build", stop),
        mock.patch("darts.sweeps.options.SweepOptions.__post_init__", stop),
        mock.patch("darts.commands.shared.Arguments.parse_args", parse_args),
    ):
        command.run(rest, name)


@pytest.mark.parametrize("line", dict.fromkeys(LINES))
def test_a_command_is_understood(line: str) -> None:
    with pytest.raises(Understood):
        parse(line)


@pytest.mark.parametrize(
    "line",
    ["python -m darts space rank --no-such-flag DIR", "python evaluate.py --epochz 3"],
)
def test_a_wrong_command_would_be_noticed(line: str) -> None:
    with pytest.raises(UserError):
        parse(line)


def test_each_paper_and_each_table_has_its_row() -> None:
    parts = TEXT.split("\n## ")[1:]
    assert [next(p for p in PAPERS if p in part) for part in parts] == list(PAPERS)
    known = {"1907.05737": (5, 3), "2003.13678": (7, 18), "1905.11946": (8, 8)}
    for part in parts[:3]:
        tables, figures = next(counts for paper, counts in known.items() if paper in part)
        firsts = [line.split("|")[1] for line in part.splitlines() if line.startswith("| ")]
        named = " ".join(firsts)
        for kind, count in (("Table", tables), ("Figure", figures)):
            assert numbers(named, kind) >= set(range(1, count + 1)), (kind, part[:20])
    for line in TEXT.splitlines():
        if line.startswith("| ") and not line.startswith("| what"):
            assert "`" in line.split("|")[2] or "not here" in line.split("|")[2], line


# What the papers' texts, or files made from them, confirm. Other numbers have an asterisk.
CONFIRMED = {
    "1907.05737": {"Table": {1, 2, 3, 4, 5}, "Figure": {3}},
    "2003.13678": {
        "Table": {1, 3, 4, 5, 6, 7},
        "Figure": {5, 7, 9, 10, 13, 14, 15, 16, 19, 20, 22},
    },
    "1905.11946": {"Table": {1, 3, 7, 8}, "Figure": set()},
    "2006.02049": {"Table": {1}, "Figure": set()},
}


def test_numbers_that_are_not_confirmed_have_an_asterisk() -> None:
    for part in TEXT.split("\n## ")[1:]:
        confirmed = CONFIRMED[next(paper for paper in PAPERS if paper in part)]
        firsts = [line.split("|")[1] for line in part.splitlines() if line.startswith("| ")]
        for kind in ("Table", "Figure"):
            plain = {
                number
                for first in firsts
                for group in re.findall(rf"{kind}s? ([\d*]+(?:(?:, | and | to )[\d*]+)*)", first)
                for number in re.findall(r"(\d+)(?![\d*])", group)
            }
            assert {int(one) for one in plain} <= confirmed[kind], (kind, part[:20])


def numbers(text: str, kind: str) -> set[int]:
    """The numbers in "Table 1", "Tables 3 and 4", "Figures 5 to 7" and "Figures 3*, 4 and 8"."""
    found: set[int] = set()
    text = text.replace("*", "")
    for match in re.findall(rf"{kind}s? (\d+(?:(?:, | and | to )\d+)*)", text):
        ends = [int(one) for one in re.findall(r"\d+", match)]
        found |= set(range(ends[0], ends[-1] + 1)) if " to " in match else set(ends)
    return found
