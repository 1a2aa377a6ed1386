"""The table of commands: every entry can run, every `--help` lists what there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

import pytest

from darts.cli import main
from darts.commands.table import COMMANDS, Command


def every_command(
    commands: Mapping[str, Command] = COMMANDS, above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Command]]:
    """Each command and sub-command with the words that a user types for it."""
    for name, command in commands.items():
        yield (*above, name), command
        yield from every_command(command.subcommands, (*above, name))


ALL = dict(every_command())


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_the_handler_exists_and_help_names_the_command(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ALL[words]
    if command.handler:
        module, _, function = command.handler.partition(":")
        assert callable(getattr(import_module(f"darts.commands.{module}"), function))
        with pytest.raises(SystemExit) as ended:
            main([*words, "--help"])
        assert ended.value.code == 0
    else:
        assert main([*words, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"usage: python -m darts {' '.join(words)}" in shown
    for name in command.subcommands:
        assert name in shown


@pytest.mark.parametrize("group", ["space", "joint"])
def test_a_group_without_a_command_lists_its_commands(
    group: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([group]) == 0
    assert "show" in capsys.readouterr().out
    assert main([group, "shwo"]) == 2
    error = capsys.readouterr().err
    assert f"python -m darts {group}: there is no command 'shwo'" in error
    assert "show" in error


def test_a_command_with_a_handler_takes_other_words_as_its_arguments(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["scale", "griddle"]) == 2
    assert "griddle" in capsys.readouterr().err
