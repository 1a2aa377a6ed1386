"""Searches judged by a table: their trajectory, their mean, and random search beside them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from darts.errors import UserError
from darts.nasbench.cell_names import strings
from darts.nasbench.found import find_cells
from darts.nasbench.judgement import judge_cells
from genotypes import GenotypeError, load_genotype, save_genotype
from tests.darts.nasbench.runs import rising_table, write_run


def test_a_run_has_the_cell_of_every_epoch(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [5, 5, 70, 70, 70, 5, 90], seed=3)
    (found,) = find_cells([str(run)], rising_table())
    assert (found.method, found.seed, found.cell.number) == ("drnas", 3, 90)
    assert [cell.test for cell in found.trajectory.values()] == [5, 5, 70, 70, 70, 5, 90]
    spans = [(first, last, cell.number) for first, last, cell in found.spans]
    assert spans == [(1, 2, 5), (3, 5, 70), (6, 6, 5), (7, 7, 90)]
    assert found.cell.rank == 10
    assert found.cell.regret == 9
    assert found.notes == ()


def test_the_result_counts_not_the_last_epoch(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [5, 70, 90], final=70)
    (found,) = find_cells([str(run)], rising_table())
    assert found.cell.number == 70


def test_a_search_in_progress_is_said(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [5, 70], finished=False)
    (found,) = find_cells([str(run)], rising_table())
    assert found.cell.number == 70
    assert "has not finished" in found.notes[0]
    write_run(tmp_path / "other", [90], seed=1)
    (method,) = judge_cells(rising_table(), [str(tmp_path)]).methods
    assert (method.test.n, method.test.mean) == (1, 90)


def test_a_search_on_another_data_set_is_said(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [5], dataset="cifar100")
    (found,) = find_cells([str(run)], rising_table())
    assert "searched on cifar100, judged on cifar10" in found.notes[0]


def test_files_strings_and_directories_of_runs(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_run(tmp_path / "runs" / f"drnas-{seed}", [seed + 1], seed=seed)
    (tmp_path / "runs" / "notes").mkdir()
    file = tmp_path / "cell.yaml"
    save_genotype(load_genotype("nb201-7"), file)
    names = [str(tmp_path / "runs"), str(file), strings()[8], "nb201-200"]
    found = find_cells(names, rising_table())
    assert [one.cell.number for one in found] == [1, 2, 7, 8, 200]
    assert found[-1].cell.test is None


def test_several_searches_of_one_run_and_their_choice(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [], final=2)
    for seed in (0, 1, 2):
        write_run(run / "seeds" / str(seed), [seed + 1], seed=seed)
    found = find_cells([str(run)], rising_table())
    assert [(one.cell.number, one.method) for one in found] == [
        (2, ""),
        (1, "drnas"),
        (2, "drnas"),
        (3, "drnas"),
    ]
    (method,) = judge_cells(rising_table(), [str(run)]).methods
    assert (method.test.n, method.test.mean) == (3, 2)


def test_the_runs_of_a_sweep(tmp_path: Path) -> None:
    for name, number in (("drnas", 4), ("gdas", 5)):
        write_run(tmp_path / "runs" / name, [number], method=name)
    found = find_cells([str(tmp_path)], rising_table())
    assert [one.method for one in found] == ["drnas", "gdas"]


def test_cells_of_another_space_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GenotypeError, match=r"darts_v2: it is a cell of the space 'darts'"):
        find_cells(["darts_v2"], rising_table())
    run = write_run(tmp_path / "run", [1])
    save_genotype(load_genotype("darts_v2"), run / "genotype.yaml")
    with pytest.raises(GenotypeError, match="search with --space nasbench201"):
        find_cells([str(run)], rising_table())
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="neither a run"):
        find_cells([str(tmp_path / "empty")], rising_table())


def test_seeds_of_a_method_by_hand(tmp_path: Path) -> None:
    for seed, number in enumerate((80, 90, 85)):
        write_run(tmp_path / f"a{seed}", [number], seed=seed)
    write_run(tmp_path / "b", [10], method="gdas")
    names = [str(tmp_path / name) for name in ("a0", "a1", "a2", "b")]
    judged = judge_cells(rising_table(), names)
    drnas, gdas = judged.methods
    assert (drnas.method, drnas.test.mean, drnas.test.deviation) == ("drnas", 85, 5)
    assert drnas.test.interval is not None
    # t(2) = 4.302653 at 97.5 %.
    assert drnas.test.interval.high == pytest.approx(85 + 4.302653 * 5 / 3**0.5, abs=1e-5)
    assert drnas.valid.mean == 42.5
    assert drnas.best.source == str(tmp_path / "a1")
    # The expected maximum of 3 of 0 … 99 is 3 · 101 / 4 - 1.
    assert drnas.random.test == pytest.approx(74.75)
    below = 90 * 89 * 88 / (100 * 99 * 98)
    assert drnas.chance == pytest.approx(1 - below)
    assert drnas.equivalent == 10  # 10 · 101 / 11 - 1 = 90.8; 9 · 101 / 10 - 1 = 89.9
    assert (gdas.test.deviation, gdas.random.n) == (None, 1)
    assert [one.n for one in judged.baselines] == [1, 3, 100]
    assert "3 searches found cells of 85.00 %" in drnas.sentence
    assert "at least as good in 27.3 % of cases: this may still be chance" in drnas.sentence
    assert "one search found a cell of 10.00 %" in gdas.sentence
    assert gdas.sentence.endswith("in 90.0 % of cases: this is no better than random search.")


def test_chosen_by_validation_not_by_test(tmp_path: Path) -> None:
    table = rising_table()
    table.valid[80] = 60.0
    for seed, number in enumerate((80, 90)):
        write_run(tmp_path / f"a{seed}", [number], seed=seed)
    judged = judge_cells(table, [str(tmp_path)])
    assert judged.methods[0].best.cell.number == 80


def test_a_good_search_is_called_so(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [99])
    (method,) = judge_cells(rising_table(), [str(run)]).methods
    assert method.chance == pytest.approx(0.01)
    assert method.sentence.endswith("better than chance would give.")


def test_searches_with_other_settings_are_not_averaged(tmp_path: Path) -> None:
    for seed, (k, number) in enumerate([(1, 5), (4, 7), (1, 9)]):
        write_run(tmp_path / f"a{seed}", [number], seed=seed, k=k, device=f"cuda:{seed}")
    first, second = judge_cells(rising_table(), [str(tmp_path)]).methods
    assert (first.method, first.test.mean, first.test.n) == ("drnas k=1", 7.0, 2)
    assert (second.method, second.test.mean, second.test.n) == ("drnas k=4", 7.0, 1)


def test_the_plain_form_is_json(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [5, 70], seed=3)
    plain = judge_cells(rising_table(), [str(run), "nb201-200"]).as_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["dataset"] == "cifar10"
    first, unknown = plain["cells"]
    assert {"arch", "valid", "test", "rank", "percentile", "regret"} <= set(first)
    assert first["arch"] == strings()[70]
    assert [step["test"] for step in first["trajectory"]] == [5, 70]
    assert unknown["test"] is unknown["rank"] is unknown["regret"] is None
    empty = judge_cells(rising_table(0), ["nb201-1"]).as_dict()
    assert json.dumps(empty, allow_nan=False)
    assert empty["best_test"] is None
