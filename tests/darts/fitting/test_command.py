"""The command `fit`: what it prints, and what it refuses in one sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from darts import api
from darts.cli import main
from darts.fitting import run
from darts.fitting.options import FitOptions


@pytest.fixture
def measured(monkeypatch, instruments):
    """The command measures nothing."""
    monkeypatch.setattr(
        run, "Instruments", lambda **given: replace(instruments, begun=given.get("begun"))
    )
    monkeypatch.setattr("time.monotonic", instruments.clock)
    return instruments


def test_the_plan_is_printed_and_nothing_is_written(measured, tiny, tmp_path, capsys):
    options = tiny()
    place = str(tmp_path / "there")
    command = ["fit", options.data, "--budget", "1m", "--plan", "--out", place]
    assert main(command) == 0
    assert "# The plan for 60 s" in capsys.readouterr().out
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["budget"] == 60
    assert not Path(place).exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--budget", "soon"], "a duration such as 90s, 30m, 2h"),
        (["--budget", "2h", "--quick"], "--quick and --budget"),
        (["--max-macs", "many"], "--max-macs: a number such as"),
        (["--max-latency", "5"], "--max-latency: a time such as"),
        (["--budget", "1s"], "the least plan needs"),
        (["--image-size", "2"], "8 pixels or more"),
    ],
)
def test_mistakes_are_one_sentence(measured, tiny, tmp_path, flags, words, capsys):
    place = tmp_path / "refused"
    assert main(["fit", tiny().data, "--out", str(place), *flags]) == 2
    assert not place.exists()
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error


def test_the_command_passes_its_flags_on(monkeypatch, capsys):
    asked: list[FitOptions] = []

    def fit(options, begun):
        asked.append(options)
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "run_fit", fit)
    flags = [
        "--quick",
        "--max-macs",
        "10M",
        "--pretrained",
        "a",
        "--pretrained",
        "b",
        "--seed",
        "3",
    ]
    assert main(["fit", "digits", *flags]) == 130
    (options,) = asked
    assert options == FitOptions(
        data="digits", budget=150.0, max_macs="10M", pretrained=("a", "b"), seed=3
    )
    assert "Interrupted" in capsys.readouterr().err
