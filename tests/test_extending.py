"""The examples of docs/extending.md run, and really search, train and count."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.darts.apart import command

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL))


def blocks(title: str, language: str) -> list[str]:
    """The blocks of a section in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", SECTIONS[title], re.MULTILINE | re.DOTALL)


def run(title: str, folder: Path) -> str:
    """Run the example of a section in a process of its own, and return what it prints.

    Registered operations, spaces and families would otherwise be there for all tests.
    """
    (example,) = blocks(title, "python")
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_commands(title: str, folder: Path) -> list[str]:
    """Write the file of a section, run its commands, and return what each prints."""
    (example,), (lines,) = blocks(title, "python"), blocks(title, "sh")
    (folder / "my_parts.py").write_text(example)
    printed = []
    for line in lines.splitlines():
        words = shlex.split(line.replace("python -m darts ", "").replace("python ", ""))
        words[0] = words[0].removesuffix(".py")
        answer = command(folder, *words)
        assert answer.code == 0, answer.err
        printed.append(answer.out)
    return printed


def result_of(run_dir: Path) -> dict[str, Any]:
    return json.loads((run_dir / "result.json").read_text(encoding="utf-8"))


def epochs_of(run_dir: Path) -> list[dict[str, Any]]:
    lines = (run_dir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [line for line in map(json.loads, lines) if line["kind"] == "epoch"]


def operations_of(genotype: dict[str, Any]) -> set[str]:
    cells = [*genotype["normal"], *genotype["reduce"]]
    return {operation for node in cells for operation, _ in node}


def test_every_example_is_tested() -> None:
    tested = [
        "An operation",
        "A part of a method",
        "A search space",
        "A data set",
        "A family of models",
    ]
    assert list(SECTIONS) == tested
    assert GUIDE.count("```python") == len(tested)
    assert GUIDE.count("```sh") == 2


def test_an_operation_is_searched_counted_retrained_and_exported(tmp_path: Path) -> None:
    _, cost, drawn, _, exported = run_commands("An operation", tmp_path)
    result = result_of(tmp_path / "my-search")
    first, last = epochs_of(tmp_path / "my-search")
    assert first["architecture"] != last["architecture"]
    assert {len(row) for row in last["architecture"]["normal"]["operations"]} == {4}
    assert operations_of(result["genotype"]) <= {"max_pool_3x3", "skip_connect", "depthwise_3x3"}
    assert json.loads(cost)["macs"] > 0
    assert "normal.svg" in drawn
    assert (tmp_path / "my-network" / "used" / "my_parts.py").is_file()
    assert "largest difference of logits" in exported


def test_parts_of_a_method_weight_operations_in_their_own_way(tmp_path: Path) -> None:
    _, listed = run_commands("A part of a method", tmp_path)
    first, last = epochs_of(tmp_path / "method-search")
    assert first["architecture"] != last["architecture"]
    for cell in last["architecture"].values():
        assert "edges" not in cell
        assert all(sum(row) == pytest.approx(1.0, abs=1e-4) for row in cell["operations"])
    assert "Rewards edges with one large weight" in listed


def test_a_space_restricts_edges_and_is_trained(tmp_path: Path) -> None:
    run("A search space", tmp_path)
    assert len(epochs_of(tmp_path / "space-search")) == 2
    for epoch in epochs_of(tmp_path / "space-search"):
        assert epoch["genotype"]["space"]["name"] == "s3-restricted"
        assert operations_of(epoch["genotype"]) <= {"skip_connect", "sep_conv_3x3"}
        # The first node keeps both of its edges.
        assert ["sep_conv_3x3", 0] in epoch["genotype"]["reduce"][0]
        weights = epoch["architecture"]["reduce"]["operations"][0]
        assert weights == [0.0, 0.0, 1.0]
    assert (tmp_path / "space-network" / "checkpoint.pt").is_file()


def test_a_data_set_is_trained_on(tmp_path: Path) -> None:
    run("A data set", tmp_path)
    config = (tmp_path / "data-network" / "config.yaml").read_text(encoding="utf-8")
    assert "stripes.npz" in config  # Kept as an absolute path.
    losses = [epoch["train_loss"] for epoch in epochs_of(tmp_path / "data-network")]
    assert losses[-1] < losses[0]


def test_a_family_is_counted_and_trained(tmp_path: Path) -> None:
    printed = run("A family of models", tmp_path)
    cost = json.loads(next(line for line in printed.splitlines() if line.startswith("{")))
    # Batch norms have two parameters per channel; the classifier has 10 classes.
    convolutions = 9 * (3 * 8 + 8 * 16 + 16 * 32)
    assert cost["params"] == convolutions + 2 * (8 + 16 + 32) + 33 * 10
    assert result_of(tmp_path / "family-network")["parameters"] == cost["params"]
