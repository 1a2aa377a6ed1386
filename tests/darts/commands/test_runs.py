"""What the commands of runs print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from darts.cli import main


@pytest.mark.parametrize("preset", ["quick", "smoke"])
def test_a_quick_search_says_what_it_is_worth(
    preset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        *("search", "--dataset", "digits", "--preset", preset, "--train-images", "40"),
        *("--batch-size", "20", "--epochs", "1", "--arch-warmup-epochs", "0", "--layers", "3"),
        *("--channels", "4", "--nodes", "2", "--threads", "1", "--backend", "torch"),
        *("--run-dir", str(tmp_path / "run")),
    ]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    advice = f"evaluate.py --genotype {tmp_path / 'run' / 'genotype.yaml'} --baseline random-cells"
    assert (advice in shown) == (preset == "quick")


def test_json_is_one_line_and_quiet_says_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        *("evaluate", "--model", "regnetx_200mf", "--dataset", "digits", "--preset", "smoke"),
        *("--train-images", "40", "--test-images", "20", "--epochs", "1", "--threads", "1"),
        *("--run-dir", str(tmp_path / "run"), "--quiet", "--json"),
    ]
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    found = json.loads(captured.out)
    assert captured.out.count("\n") == 1
    assert found["run_dir"] == str(tmp_path / "run")
    assert 0 <= found["test_accuracy"] <= 100
    assert main([*arguments[:-1], "--model", "no-such-model"]) == 2
    assert capsys.readouterr().err.startswith("error: ")
