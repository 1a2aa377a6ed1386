"""The command `spaces`, and the commands that take a space."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from darts.cli import main
from genotypes import SPACES, load_genotype
from tests.genotypes.test_spaces import OWN


def test_all_spaces_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spaces"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["name", *SPACES]
    assert "1.1e+18" in lines[1]
    assert "1,930,618" in lines[1]


def test_sizes_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spaces", "nasbench201", "s1", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["genotypes"], first["number_of_edges"], first["layers"]) == (15625, 6, 15)
    assert (second["nodes"], second["supernet_parameters"]) == (4, 405_146)


def test_a_space_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    assert main(["spaces", str(tmp_path / "own.yaml"), "--nodes", "5", "--json"]) == 0
    (own,) = json.loads(capsys.readouterr().out)
    assert (own["name"], own["nodes"], own["genotypes"]) == ("own", 2, 4 * 6 * 3 * 6)
    unknown = {"name": "x", "operations": ["my_operation"], "nodes": 2}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(unknown))
    assert main(["spaces", str(tmp_path / "x.yaml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["supernet_parameters"] is None


def test_random_genotypes_of_a_space(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["genotypes", "--random", "2", "--space", "nasbench201", "-o", str(tmp_path)]
    assert main(arguments) == 0
    files = capsys.readouterr().out.split()
    assert [load_genotype(file).space for file in files] == ["nasbench201"] * 2
    assert main(["draw", files[0], "-o", str(tmp_path / "cells")]) == 0
    drawn = {Path(line).name for line in capsys.readouterr().out.split()}
    assert drawn == {"normal.gv", "normal.svg", "normal.png"}


def test_cost_of_a_cell_of_nasbench201(capsys: pytest.CaptureFixture[str], shared: Path) -> None:
    facts = json.loads((shared / "facts" / "nasbench201.json").read_text())["nb201"]
    for known in facts["known_cells"].values():
        assert main(["cost", known["arch"], "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["params"], found["flops"]) == (known["params"], known["flops"])
        assert found["macs"] == known["flops"] - 10
        assert (found["channels"], found["layers"], found["resolution"]) == (16, 15, 32)
    assert main(["cost", "|none~0|", "--json"]) == 2
    assert "not a cell of NAS-Bench-201" in capsys.readouterr().err
