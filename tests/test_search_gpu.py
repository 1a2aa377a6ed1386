"""The GPU benchmark: what it does without a GPU, and how it reckons the paper's search."""

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
    """97 steps an epoch: 25,000 images in batches of 256."""
    report = {"weight step": {"ms": 10.0}, "bilevel iteration": {"ms": 30.0}}
    assert search_gpu.paper_search(report) == pytest.approx(97 * (15 * 0.010 + 35 * 0.030))
