"""The chain from searches to their judgement runs as `make truth-smoke` runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import truth_gpu

CHECKOUT = Path(__file__).parents[1]


def test_the_chain_runs(tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/truth_smoke.py", "--out", str(tmp_path)]
    if reference := os.environ.get("DARTS_REFERENCE"):
        command += ["--table", f"{reference}/data/nb201_cifar10.csv.gz"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    sweep = json.loads((tmp_path / "sweep" / "sweep.json").read_text(encoding="utf-8"))
    assert len(list((tmp_path / "sweep" / "runs").iterdir())) == 4
    assert sweep["configurations"]
    assert (tmp_path / "sweep" / "report.html").is_file()
    correlation = json.loads((tmp_path / "correlation" / "correlation.json").read_text("utf-8"))
    assert correlation
    # The last command prints its scores.
    assert "synflow" in done.stdout


def test_the_gpu_script_searches_and_looks_up_without_a_gpu(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from benchmarks.truth_smoke import made_up_table

    table = made_up_table(tmp_path / "table.csv")
    search = ["--preset", "smoke", "--channels", "4", "--layers", "3", "--threads", "1"]
    code = truth_gpu.main(
        [
            *("--table", str(table), "--dataset", "digits", "--methods", "darts-v1"),
            *("--minutes", "2", "--out", str(tmp_path / "runs"), "--cpu", "--", *search),
        ]
    )
    shown = capfd.readouterr().out
    assert code == 0
    assert "darts-v1-0: exit code 0, finished" in shown
    assert "random search" in shown
