"""The command `benchmark nasbench201`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from darts.api import look_up_cells
from darts.cli import main
from tests.darts.nasbench.files import delimited
from tests.darts.nasbench.runs import write_run


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(delimited())
    return path


def test_json(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", [1835, 6111])
    arguments = ["--table", str(table), str(run), "nb201-1835", "(0, 0, 0, 0, 0, 0)", "--json"]
    assert main(["benchmark", "nasbench201", *arguments, "-o", str(tmp_path / "plots")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [cell["number"] for cell in found["cells"]] == [6111, 1835, 1835]
    assert [cell["rank"] for cell in found["cells"]] == [1, 4, 4]
    assert found["cells"][1]["regret"] == 94.375 - 54.25
    assert found["dataset"] == "cifar10"
    assert all(Path(picture).is_file() for picture in found["pictures"])
    assert found["pictures"][0].endswith(".svg")


def test_text(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "nasbench201", "--table", str(table), "nb201-9930"]) == 0
    shown = capsys.readouterr().out
    assert "nb201-9930" in shown
    assert "94.38" in shown
    assert "Only 4 of the 15,625 cells" in shown


def test_a_table_is_saved(table: Path, tmp_path: Path) -> None:
    saved = str(tmp_path / "saved.csv.gz")
    assert main(["benchmark", "nasbench201", "--table", str(table), "--save-table", saved]) == 0
    assert look_up_cells(saved, ["nb201-6111"]).cells[0].cell.test == 94.375


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("pcdarts_cifar10", "pcdarts_cifar10: it is a cell of the space 'darts'"),
        ("nb201-15625", "has the cells 0 to 15624"),
        ("|none~0|", "not a cell of NAS-Bench-201"),
        ("(0, 0, 0, 0, 0, 9)", "six numbers from 0 to 4"),
        ("no-such-file.yaml", "no such file"),
    ],
)
def test_what_is_no_cell_is_refused(
    cell: str, words: str, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", "nasbench201", "--table", str(table), cell]) == 2
    shown = capsys.readouterr()
    assert words in shown.err
    assert not shown.out


def test_without_a_table_nothing_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "nasbench201", "nb201-1"]) == 2
    assert "--table" in capsys.readouterr().err
