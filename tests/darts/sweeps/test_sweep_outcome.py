"""The outcome of sweeps whose results are made up."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from darts.cli import main
from darts.errors import UserError
from darts.nasbench.baseline import RandomSearch
from darts.nasbench.reading import read_table
from darts.sweeps.directory import read_sweep
from darts.sweeps.options import SweepOptions
from darts.sweeps.plan import planned_searches
from darts.sweeps.plots import plot_accuracies
from darts.sweeps.run import check_judge
from darts.sweeps.sweep_outcome import SweepOutcome, outcome_of, outcome_values
from darts.sweeps.sweep_report import outcome_text, write_sweep_report
from tests.darts.sweeps.recorded import (
    CONVS,
    POOLS,
    SKIPS,
    SPACE,
    cell,
    record,
    result,
    write_table,
)

THIN = cell("nor_conv_3x3", "none", "none", "none", "none", "none")
OTHER = cell("none", "none", "none", "none", "none", "none")


def options(folder: Path, **settings: Any) -> SweepOptions:
    plan = {"methods": ["darts-v1", "gdas"], "seeds": [0, 1], "settings": SPACE, **settings}
    return SweepOptions(out=str(folder / "sweep"), **plan)


@pytest.fixture
def judged(tmp_path: Path) -> SweepOutcome:
    table = write_table(tmp_path / "table.csv", {THIN: (50.0, 60.0), OTHER: (10.0, 10.0)})
    warned = [{"text": "all skips", "epoch": 2}]
    results = {
        ("darts-v1", 0): result(SKIPS, 99.0, warnings=warned),
        ("darts-v1", 1): result(SKIPS, 98.0, seconds=120.0),
        ("gdas", 0): result(CONVS, 40.0),
        ("gdas", 1): result(POOLS, 50.0),
    }
    return outcome_of(record(options(tmp_path, table=table), results))


def test_the_table_judges_and_not_the_supernet(judged: SweepOutcome) -> None:
    values = outcome_values(judged)
    darts, gdas = values["configurations"]
    assert (darts["mean"], darts["deviation"]) == (84.5, 0.0)
    assert gdas["mean"] == pytest.approx(82.0)
    assert gdas["deviation"] == pytest.approx(22 / 2**0.5)
    # Student's t with one degree of freedom is 12.7062.
    assert gdas["interval"]["high"] == pytest.approx(82.0 + 12.7062 * 11, abs=1e-3)
    assert gdas["valid"] == 80.0
    assert gdas["best_by_validation"] == 93.0
    assert gdas["regret"] == pytest.approx((0 + 22) / 2)
    assert (darts["mean_rank"], gdas["mean_rank"]) == (1.5, 1.5)
    assert (darts["seconds"], darts["warned"], darts["skips"]) == (90.0, 1, 6.0)
    assert (darts["supernet"], darts["memory"]) == (98.5, 2**30)
    (one,) = values["differences"]
    assert (one["label"], one["n"], one["mean"]) == ("gdas", 2, -2.5)
    assert [search["rank"] for search in gdas["searches"]] == [1, 3]
    assert values["finished"]


def test_random_search_beside_it(judged: SweepOutcome) -> None:
    random = RandomSearch(read_table(judged.record.options.table or ""))
    assert [one["n"] for one in outcome_values(judged)["random_search"]] == [1, 2, 3]
    # Of the five cells of the table one is drawn with equal chance.
    assert judged.baselines[0].test == pytest.approx((84.5 + 93 + 71 + 60 + 10) / 5)
    gdas = judged.configurations["gdas"]
    wanted = next(n for n in range(1, 6) if random(n).test >= 82.0)
    assert judged.equivalent(gdas) == wanted
    assert "best of 3 random cells" in outcome_text(judged)


def test_cells_are_the_same_if_they_compute_the_same(tmp_path: Path) -> None:
    zeros = cell("none", "none", "none", "nor_conv_3x3", "none", "none")
    equal = cell("skip_connect", "none", "none", "none", "nor_conv_3x3", "none")
    results = {
        ("darts-v1", 0): result(SKIPS, 90.0),
        ("darts-v1", 1): result(zeros, 80.0),
        ("gdas", 0): result(CONVS, 85.0),
        ("gdas", 1): result(equal, 70.0),
    }
    outcome = outcome_of(record(options(tmp_path), results))
    first, *others = outcome_values(outcome)["cells"]
    assert first["found_by"] == ["darts-v1 seed 1", "gdas seed 1"]
    assert first["count"] == 2
    assert len(others) == 2
    agreed = outcome.configurations["gdas"].agreement
    assert agreed is not None
    assert agreed.shared == 1.0  # nor_conv_3x3 on the edge 1 -> 3.


def test_without_a_judge_the_supernet_is_named_as_what_it_is(tmp_path: Path) -> None:
    record(options(tmp_path), {("darts-v1", 0): result(SKIPS, 99.0)})
    outcome = outcome_of(read_sweep(tmp_path / "sweep"))
    text = outcome_text(outcome)
    assert text.startswith("Accuracy: of the supernet")
    assert "1 of 2" in text
    assert "not finished (1 done, 3 pending)" in text
    assert outcome_values(outcome)["differences"][0]["verdict"] == "nothing to compare yet"
    # Another judge may be given later.
    known = outcome_of(read_sweep(tmp_path / "sweep", table=write_table(tmp_path / "t.csv")))
    assert known.configurations["darts-v1"].accuracies == {0: 84.5}


def test_retrainings_judge_when_all_are_done(tmp_path: Path) -> None:
    results = {("darts-v1", 0): result(SKIPS, 99.0), ("gdas", 0): result(CONVS, 40.0)}
    errors = {
        "darts-v1 seed 0": [20.0, 30.0],
        "gdas seed 0": [10.0],
        "random cells 0": [10.0, 12.0],
    }
    plan = options(tmp_path, seeds=[0], retrain=2, random_cells=2)
    outcome = outcome_of(record(plan, results, errors))
    found = {label: one.accuracies for label, one in outcome.configurations.items()}
    assert found == {"darts-v1": {0: 75.0}, "gdas": {}, "random cells": {0: 89.0}}
    assert outcome.configurations["gdas"].cells[0].retrained == (90.0,)
    assert not outcome.finished
    assert outcome_values(outcome)["differences"][1]["paired"] is False


def test_failures_are_told(tmp_path: Path) -> None:
    plan = options(tmp_path, seeds=[0])
    results = {("darts-v1", 0): "Traceback\nThe loss is infinite.", ("gdas", 0): result(CONVS, 40)}
    outcome = outcome_of(record(plan, results))
    assert outcome.finished
    assert outcome_values(outcome)["failed"] == {"darts-v1 seed 0": "The loss is infinite."}
    assert "darts-v1 seed 0 failed: The loss is infinite." in outcome_text(outcome)


def test_files_of_an_outcome(judged: SweepOutcome) -> None:
    page = write_sweep_report(judged)
    folder = page.parent
    written = json.loads((folder / "sweep.json").read_text())
    assert written == json.loads(json.dumps(outcome_values(judged)))
    text = page.read_text()
    assert "gdas" in text
    assert "84.50 ± 0.00" in text
    assert text.count("<svg") == 2
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert {path.name for path in (folder / "plots").iterdir()} == {
        f"{name}.{kind}" for name in ("accuracies", "ranks") for kind in ("svg", "png")
    }


def test_show(judged: SweepOutcome, capsys: pytest.CaptureFixture[str]) -> None:
    folder = judged.record.options.out
    before = sorted(os.listdir(folder))
    assert main(["sweep", "show", folder, "--json", "--reference", "gdas"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["differences"][0]["mean"] == 2.5
    assert main(["sweep", "show", folder]) == 0
    assert "82.00 ± 15.56" in capsys.readouterr().out
    assert sorted(os.listdir(folder)) == before
    assert main(["sweep", "show", folder, "--reference", "dartz"]) == 2
    assert main(["sweep", "show", f"{folder}/none"]) == 2
    assert "is not the directory of a sweep" in capsys.readouterr().err


def test_a_damaged_plan(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text("methods: [darts")
    with pytest.raises(UserError, match="cannot be read"):
        read_sweep(tmp_path)
    (tmp_path / "sweep.yaml").write_text("method: darts")
    with pytest.raises(UserError, match="is not the plan of a sweep"):
        read_sweep(tmp_path)


def test_a_table_needs_its_space(tmp_path: Path) -> None:
    table = write_table(tmp_path / "table.csv")
    plan = options(tmp_path, table=table, settings={"dataset": "digits", "preset": "smoke"})
    with pytest.raises(UserError, match="knows cells of nasbench201, not of darts"):
        check_judge(plan, planned_searches(plan))
    missing = options(tmp_path, table=str(tmp_path / "none.csv"))
    with pytest.raises(UserError, match="there is no such table"):
        check_judge(missing, planned_searches(missing))


def test_rows_of_the_plot_have_names_also_beside_boxes(tmp_path: Path) -> None:
    names = ("darts-v1", "gdas")
    results = {(name, seed): result(SKIPS, 90.0 + seed) for name in names for seed in range(5)}
    figure = plot_accuracies(outcome_of(record(options(tmp_path, seeds=[0, 1, 2, 3, 4]), results)))
    assert figure is not None
    figure.draw_without_rendering()
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["darts-v1", "gdas"]
