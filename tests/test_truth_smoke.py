"""The chain from searches to their judgement runs as `make truth-smoke` runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

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


def test_the_gpu_script_begins_continues_and_looks_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """With a stand-in for `search.py` and the look-up: what is tried is who is run, and when.

    Like a search, the stand-in stops on an interrupt even where the shell ignores it for jobs.
    """
    stand_in = tmp_path / "stand_in.py"
    stand_in.write_text(
        "import pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "arguments = sys.argv[1:]\n"
        "print(*arguments, flush=True)\n"
        "if '--run-dir' in arguments:\n"
        "    run = pathlib.Path(arguments[arguments.index('--run-dir') + 1])\n"
        "    run.mkdir(parents=True)\n"
        "    (run / 'checkpoint.pt').touch()\n"
        "    time.sleep(60)\n"
        "elif '--resume' in arguments:\n"
        "    run = pathlib.Path(arguments[arguments.index('--resume') + 1])\n"
        "    (run / 'result.json').touch()\n"
    )
    begin = truth_gpu.search_command

    def command(*arguments: Any) -> list[str]:
        return [sys.executable, str(stand_in), *begin(*arguments)[2:]]

    looked_up: list[list[str]] = []

    def look_up(arguments: list[str]) -> int:
        looked_up.append(arguments)
        return 0

    monkeypatch.setattr(truth_gpu, "search_command", command)
    monkeypatch.setattr(truth_gpu, "look_up", look_up)
    out = tmp_path / "runs"
    arguments = [
        *("--table", "table.csv", "--dataset", "digits", "--methods", "darts-v1"),
        *("--minutes", "0.03", "--out", str(out), "--cpu", "--", "--epochs", "5"),
    ]
    assert truth_gpu.main(arguments) == 0
    assert "stopped; run again to continue" in capfd.readouterr().out
    assert truth_gpu.main(arguments) == 0
    assert "exit code 0, finished" in capfd.readouterr().out
    lines = (out / "darts-v1-0.log").read_text(encoding="utf-8").splitlines()
    first, last = lines[0], lines[-1]
    assert last == f"--resume {out / 'darts-v1-0'}"
    assert first.startswith("--space nasbench201 --method darts-v1 --seed 0 --dataset digits")
    assert first.endswith("--epochs 5")
    assert looked_up == [["--table", "table.csv"]] * 2
