"""The GPU benchmark: its behaviour without a GPU, and its estimate of the paper's search."""

from __future__ import annotations

import sys

import pytest
import torch

from benchmarks import search_gpu


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
    report["full_search"] = {"seconds": 95.0, "peak_memory_gb": 2.5}
    table = search_gpu.as_table(report)
    [line] = [line for line in table.splitlines() if line.startswith("triton+graphs")]
    figures = "10.0 ms 20.0 ms 0.100 1 2.00 GB 7 2.5 % 90 s"
    assert " ".join(line.split()[1:]) == figures
    assert table.splitlines()[-1] == "the paper's whole search: 95 s, 2.50 GB"
    del forms["literal"], fastest["time_ratio"]
    search_gpu.compare(report, 0.5)
    assert "triton+graphs" in search_gpu.as_table(report)
