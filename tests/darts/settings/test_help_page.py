"""What `--help` and `--help-all` print, and messages about wrong values."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, fields

import pytest

from darts.cli import main
from darts.commands import help_pages
from darts.settings.help_page import HelpPage
from darts.settings.options import PlaceOptions
from darts.sweeps.choice_options import ManySearchOptions

PAGES = {
    "SEARCH": "search",
    "EVALUATE": "evaluate",
    "COMPARE": "compare",
    "RECIPES": "compare",
    "DETECT": "detect",
    "POPULATION": "space train",
    "JOINT": "joint search",
    "CORRELATE": "benchmark correlate",
}


def printed(command: str, flag: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*shlex.split(command), flag])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", ["search", "evaluate", "compare", "detect", "joint search"])
@pytest.mark.parametrize("columns", [60, 80, 160])
def test_a_page_fits_the_terminal_and_uses_plain_words(
    command: str,
    columns: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    short, long = printed(command, "--help", capsys), printed(command, "--help-all", capsys)
    for text in (short, long):
        # Commands are not broken into lines, so that they can be copied.
        lines = [line for line in text.splitlines() if "python " not in line]
        assert max(map(len, lines)) <= min(columns, 100)
        assert not re.search(r"Union|Literal|null|None|<class|--\w+_", "\n".join(lines))
    assert len(short.splitlines()) < min(150, 0.9 * len(long.splitlines()))
    assert short.index("Examples:") < short.index("What most runs need:")


def test_help_all_explains_every_option_once(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed("search", "--help-all", capsys)
    shown = re.findall(r"(?m)^  --([a-z-]+)", text)
    wanted = [one.name.replace("_", "-") for one in fields(ManySearchOptions)]
    assert sorted(shown) == sorted(
        [*wanted, "config", "print-config", "json", "quiet", "help-all", "version"]
    )


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed("search", "--help", capsys)
    for one in fields(ManySearchOptions):
        assert f"--{one.name.replace('_', '-')}" in text


def test_help_of_evaluate_leads_to_comparisons(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--baseline" in printed("evaluate", "--help", capsys)


@pytest.mark.parametrize(("page", "command"), PAGES.items())
def test_the_examples_are_accepted(
    page: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    examples = getattr(help_pages, page).examples
    assert 2 <= len(examples) <= 3
    for arguments, _ in examples:
        if "…" in arguments or "photos" in arguments:
            continue  # Files of the reader's own.
        printed(f"{command} {arguments}", "--print-config", capsys)


@dataclass(frozen=True, kw_only=True)
class Toy(PlaceOptions):
    """A toy.

    Args:
        flip: Mirror.
    """

    flip: bool = True


def test_a_command_without_a_page_explains_everything() -> None:
    meanings = {"device": "Where.", "precision": "In what.", "threads": "How.", "flip": "Mirror."}
    text = HelpPage().text(Toy, meanings, "toy")
    assert text.startswith(
        "usage: toy [options]\n\nA toy.\n\nOf this command alone:\n  --flip, --no-f"
    )
    assert "  --threads N             How. [default 0]" in text
    assert "--precision {fp32,bf16,fp64}" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("search --image-size x", "--image-size: expected a whole number, not x"),
        ("search --flip maybe", "--flip: expected on or off, not maybe"),
        ("search --test-part tset", "not tset. Did you mean 'test'?"),
        ("search --arch-betas x", "--arch-betas: expected 2 numbers, not"),
        ("search --no-flipp", "did you mean --flip?"),
        ("cost darts_v1 --setting cifr", "Did you mean 'cifar'?"),
        ("datasets --jso", "Did you mean '--json'?"),
        ("spaces drats", "Did you mean 'darts'?"),
        ("advise digts", "Did you mean 'digits'?"),
    ],
)
def test_a_misspelt_value_gets_one_line_and_a_hint(
    arguments: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(shlex.split(arguments)) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_version_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--version"], ["cost", "--version"], ["search", "--version"]):
        assert main(arguments) == 0
        assert re.fullmatch(r"darts \S+, Python \S+, PyTorch \S+\n", capsys.readouterr().out)
