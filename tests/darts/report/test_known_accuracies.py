"""Text and plot of cells judged by a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from darts.nasbench.judgement import CellJudgement, judge_cells
from darts.report.frame import write_figure
from darts.report.known_accuracies import judgement_text, plot_trajectories, short_cell
from tests.darts.nasbench.runs import rising_table, write_run


@pytest.fixture
def judged(tmp_path: Path) -> CellJudgement:
    for seed, number in enumerate((80, 90)):
        write_run(tmp_path / f"a{seed}", [5, 5, number], seed=seed)
    return judge_cells(rising_table(), [str(tmp_path), "nb201-200"])


def test_several_searches_as_text(judged: CellJudgement) -> None:
    text = judgement_text(judged)
    assert "test after epoch  1     2     3" in text
    assert "drnas, seed 1     5.00  5.00  90.00" in text
    assert "nb201-200" in text
    line = next(line for line in text.splitlines() if line.startswith("drnas   2 "))
    assert line.split() == [
        *("drnas", "2", "42.50", "85.00", "7.07", "21.47", "to", "100.00", "90.00"),
        *("66.33", "10"),
    ]
    assert "valid  half" in text
    assert "test   whole" in text
    assert judged.methods[0].sentence in text


def test_one_search_as_text(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [5, 5, 70])
    judged = judge_cells(rising_table(), [str(run)])
    lines = judgement_text(judged).splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("after epochs"))
    assert lines[place + 1].split()[:4] == ["1–2", "2.50", "5.00", "95"]
    assert lines[place + 2].split()[:4] == ["3", "35.00", "70.00", "30"]
    assert short_cell(judged.cells[0].cell) in lines[place + 2]


def test_the_plot_shows_every_epoch(judged: CellJudgement, tmp_path: Path) -> None:
    figure = plot_trajectories(judged)
    assert figure is not None
    (axes,) = figure.axes
    curves = [line.get_ydata() for line in axes.lines if len(line.get_xdata()) == 3]
    assert [list(curve) for curve in curves] == [
        [5, 5, 80],
        [2.5, 2.5, 40],
        [5, 5, 90],
        [2.5, 2.5, 45],
    ]
    svg = str(write_figure(figure, tmp_path / "known"))
    assert "known accuracy on cifar10" in svg
    assert "seed 1" in svg
    assert (tmp_path / "known.svg").is_file()


def test_without_runs_there_is_no_plot() -> None:
    assert plot_trajectories(judge_cells(rising_table(), ["nb201-5"])) is None


def test_a_table_without_test_accuracies_is_shown() -> None:
    table = rising_table()
    table.test[:] = float("nan")
    text = judgement_text(judge_cells(table, ["nb201-6"]))
    assert "3.00   –" in text
    assert "random search" not in text
