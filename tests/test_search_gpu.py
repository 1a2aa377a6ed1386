"""The GPU benchmark: its behaviour without a GPU, and its estimate of the paper's search."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import pytest
import torch

from benchmarks import gpu_full, search_gpu
from benchmarks.gpu_full import Part


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_and_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["search_gpu.py", "--json"])
    assert search_gpu.main() == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1


def test_the_papers_search_is_15_epochs_of_weight_steps_and_35_of_both() -> None:
    """97 steps per epoch: 25,000 images in batches of 256."""
    report = {"weight step": {"ms": 10.0}, "bilevel iteration": {"ms": 30.0}}
    assert search_gpu.paper_search(report) == pytest.approx(97 * (15 * 0.010 + 35 * 0.030))


def test_the_table_has_ratios_and_shares() -> None:
    def row(milliseconds: float, gigabytes: float) -> dict:
        return {
            "weight step": {"ms": milliseconds / 2},
            "bilevel iteration": {"ms": milliseconds},
            "images_per_second": 1.0,
            "peak_memory_gb": gigabytes,
            "launches": 7,
            "paper_search_seconds": 90.0,
        }

    named = ("device", "torch", "cuda", "cudnn", "triton", "python", "precision", "k", "channels")
    named += ("layers", "nodes", "batch", "size", "rounds", "iterations")
    forms = {"literal": row(200.0, 10.0), "triton+graphs": row(20.0, 2.0)}
    report = {**dict.fromkeys(named, "?"), "forms": forms}
    search_gpu.compare(report, 0.5)
    fastest = report["forms"]["triton+graphs"]
    assert fastest["time_ratio"] == pytest.approx(0.1)
    assert fastest["memory_ratio"] == pytest.approx(0.2)
    assert fastest["input_share"] == pytest.approx(0.025)
    table = search_gpu.as_table(report)
    [line] = [line for line in table.splitlines() if line.startswith("triton+graphs")]
    figures = "10.0 ms 20.0 ms 0.100 1 2.00 GB 7 2.5 % 90 s"
    assert " ".join(line.split()[1:]) == figures
    del forms["literal"], fastest["time_ratio"]
    search_gpu.compare(report, 0.5)
    assert "triton+graphs" in search_gpu.as_table(report)


BESIDE = ("graphviz", "rich", "matplotlib", "tensorboard", "jsonargparse", "scipy", "sklearn")


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that a test starts have none of the packages that a bare image lacks."""
    folder = tmp_path / "absent"
    folder.mkdir()
    for name in BESIDE:
        (folder / f"{name}.py").write_text(f"raise ImportError('{name} is absent')\n")
    monkeypatch.setenv("PYTHONPATH", str(folder))


def options_of(folder: Path, *more: str) -> argparse.Namespace:
    given = ["--full", "--smoke", "--minutes", "30", "--out", str(folder), *more]
    return search_gpu.arguments().parse_args(given)


def test_every_part_runs_on_a_cpu_without_other_packages(
    bare: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One form for all that need no Triton; `--full --smoke` tries the others, too."""
    names = ["steps literal", "search", "retraining", "population"]
    out = tmp_path / "out"
    assert gpu_full.measure_everything(options_of(out, "--parts", *names)) == 0
    results = json.loads((out / "gpu.json").read_text())
    assert sorted(results) == sorted(names)
    assert results["search"]["figures"]["epochs"] == 2
    assert 0 <= results["search"]["figures"]["validation_accuracy"] <= 100
    assert results["population"]["figures"]["networks"] == 8
    assert results["retraining"]["figures"]["speedup_median"] > 0
    page = (out / "gpu.md").read_text()
    assert "| literal |" in page
    assert "84.6 to 85.3 %" in page
    assert "97.2 to 97.5 %" in capsys.readouterr().out


def test_parity_runs_in_tritons_interpreter(tmp_path: Path) -> None:
    pytest.importorskip("triton")
    options = argparse.Namespace(smoke=True, precision="bf16", part_out=str(tmp_path / "out.json"))
    figures = gpu_full.parity(options)
    assert figures["triton fp32"] == "right"
    assert json.loads((tmp_path / "out.json").read_text())["triton fp32"] == "right"


def test_parts_that_fail_or_hang_cost_only_their_own_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hanging one has a child that would survive it; what it had written is kept."""
    hang = (
        "import subprocess, sys, time, pathlib;"
        "pathlib.Path(sys.argv[1]).write_text('{\"had\": 1}');"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); time.sleep(60)"
    )
    parts = [
        Part("hangs", 5, ("-c", hang, "{out}")),
        Part("fails", 30, ("-c", "import sys; sys.exit('no such device')")),
        Part("says nothing", 30, ("-c", "pass")),
        Part("works", 30, ("-c", 'print(\'{"speed": NaN, "form": "a|b"}\')')),
    ]
    monkeypatch.setattr(gpu_full, "parts", lambda options: parts)
    start = time.monotonic()
    assert gpu_full.measure_everything(options_of(tmp_path, "--minutes", "0.5")) == 1
    assert time.monotonic() - start < 40
    results = json.loads((tmp_path / "gpu.json").read_text())
    assert results["hangs"]["figures"] == {"had": 1}
    assert "stopped after" in results["hangs"]["failed"]
    assert results["fails"]["failed"] == "exit code 1: no such device"
    assert results["says nothing"]["failed"] == "it gave no figures"
    assert results["works"]["figures"] == {"speed": None, "form": "a|b"}
    assert "| works |" in (tmp_path / "gpu.md").read_text()


def test_without_time_left_a_part_is_not_begun(tmp_path: Path) -> None:
    assert gpu_full.measure_everything(options_of(tmp_path, "--minutes", "0")) == 1
    results = json.loads((tmp_path / "gpu.json").read_text())
    assert {one["failed"] for one in results.values()} == {"no time was left"}
    assert len(results) == 10


def test_all_parts_fit_into_ten_minutes_or_are_cut_from_the_end() -> None:
    """What decides comes first: parity, our fastest form, the literal one, the whole search."""
    options = search_gpu.arguments().parse_args(["--full"])
    parts = gpu_full.parts(options)
    first = ["parity", "steps triton+graphs", "steps literal", "search"]
    assert [one.name for one in parts[:4]] == first
    assert sum(one.limit for one in parts[:4]) < 600
