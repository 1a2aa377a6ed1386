"""Launches of Triton's kernels are counted without a GPU, so that growth is noticed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.triton_static import Resources, as_markdown, read_report

CHECKOUT = Path(__file__).parents[1]


def test_launches_of_a_weight_step_and_an_architecture_step(tmp_path: Path) -> None:
    """Three cells of four nodes, K = 4: 364 launches by our kernels; convolutions are PyTorch's."""
    pytest.importorskip("triton")
    out = tmp_path / "static.json"
    command = [sys.executable, "benchmarks/triton_static.py", "--layers", "3", "--batch", "2"]
    command += ["--size", "8", "--kernels", "none of them", "--json", str(out)]
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(out.read_text()) == {"launches": {"bf16": 364}, "kernels": []}


def test_spills_and_registers_are_read_from_the_report_of_ptxas() -> None:
    text = (
        "ptxas info    : 0 bytes gmem\nptxas info    : Function properties for sums_kernel\n"
        "    16 bytes stack frame, 12 bytes spill stores, 8 bytes spill loads\n"
        "ptxas info    : Used 255 registers, used 1 barriers, 1024 bytes smem\n"
    )
    assert read_report(text) == (255, 12)
    with pytest.raises(ValueError, match="says nothing of registers"):
        read_report("ptxas fatal")


def test_the_table_has_the_worst_form_of_each_kernel() -> None:
    forms = [Resources("sums", {}, "bf16", 90, 4, used, used // 100, 64) for used in (90, 120, 60)]
    assert as_markdown(forms).splitlines()[-1] == (
        "| `sums` | bf16 | sm_90 | 3 | 4 | 60–120 | 1 | 64 |"
    )
