"""Known accuracies beside a search: shown everywhere, and of no influence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from darts.cli import main
from darts.errors import UserError
from darts.nasbench.cell_names import strings
from darts.report.page import write_report
from darts.run_files import RunFiles
from darts.runs.checkpoints import load_checkpoint
from darts.searching.options import SearchOptions, search_overlay
from darts.searching.task import search_cells
from darts.settings.parsing import options_from
from genotypes.nasbench201 import official_index
from tests.darts.runs_support import assert_same, search_options

SMALL = {"space": "nasbench201", "nodes": 3, "epochs": 2, "arch_warmup_epochs": 0}
SMALL |= {"train_images": 80, "channels": 4, "method": "gdas"}


def write_table(path: Path, test: str = "{}") -> Path:
    """Cell n has the test accuracy n / 200 %."""
    rows = [f"{arch},{n / 400},{test.format(n / 200)}" for n, arch in enumerate(strings())]
    path.write_text("\n".join(["arch,valid_acc,test_acc", *rows]))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search with a table in `with`, and without in `without`."""
    folder = tmp_path_factory.mktemp("known")
    table = write_table(folder / "table.csv")
    search_cells(search_options(folder / "with", table=str(table), **SMALL))
    search_cells(search_options(folder / "without", **SMALL))
    return folder


def lines(run: Path) -> list[dict[str, Any]]:
    text = (run / "metrics.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_a_search_with_a_table_is_the_same_search(folder: Path) -> None:
    states = [load_checkpoint(folder / name) for name in ("with", "without")]
    for state in states:
        del state["seconds"]
    assert_same(*states)
    plain = []
    for name in ("with", "without"):
        kept = [
            {
                key: value
                for key, value in line.items()
                if not key.startswith("table_")
                and key not in ("seconds", "images_per_second", "genotype")
            }
            for line in lines(folder / name)
        ]
        plain.append(kept)
    assert plain[0] == plain[1]
    results = [json.loads((folder / n / "result.json").read_text()) for n in ("with", "without")]
    assert set(results[0]) - set(results[1]) == {"table"}
    assert results[0]["genotype"]["normal"] == results[1]["genotype"]["normal"]


def test_every_epoch_has_its_cell_looked_up(folder: Path) -> None:
    from genotypes import load_genotype

    epochs = [line for line in lines(folder / "with") if line["kind"] == "epoch"]
    assert len(epochs) == 2
    for number, line in enumerate(epochs, 1):
        cell = load_genotype(folder / "with" / "genotypes" / f"epoch-{number:03d}.yaml")
        index = official_index(cell)
        assert (line["table_valid"], line["table_test"]) == (index / 400, index / 200)
        assert line["table_rank"] == 15625 - index
        assert line["table_regret"] == pytest.approx(15624 / 200 - index / 200)
    result = json.loads((folder / "with" / "result.json").read_text())
    assert result["table"]["number"] == index
    assert result["table"]["test"] == index / 200


def test_without_trained_alpha_only_the_last_cell_is_looked_up(tmp_path: Path) -> None:
    """Cells of uniform strengths say nothing about the search."""
    table = write_table(tmp_path / "table.csv")
    own = {"method": "random", "selection": "best-child:samples=3,batches=1,finalists=1,rounds=1"}
    found = search_cells(search_options(tmp_path / "run", table=str(table), **{**SMALL, **own}))
    epochs = [line for line in lines(tmp_path / "run") if line["kind"] == "epoch"]
    assert ["table_test" in line for line in epochs] == [False, True]
    assert list(RunFiles(tmp_path / "run").epoch_genotypes()) == [2]
    assert epochs[1]["table_test"] == pytest.approx(official_index(found.genotype) / 200)


def test_tensorboard_and_the_report_show_it(folder: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "with" / "tensorboard"))
    events.Reload()
    epochs = [line for line in lines(folder / "with") if line["kind"] == "epoch"]
    points = events.Scalars("table/test")
    assert [point.step for point in points] == [line["step"] for line in epochs]
    assert [point.value for point in points] == pytest.approx(
        [line["table_test"] for line in epochs], abs=1e-4
    )
    page = write_report(folder / "with").read_text()
    assert "Known accuracy of the cell" in page
    assert "Known accuracy of the derived cell" in page
    assert "Known accuracy" not in write_report(folder / "without").read_text()


def test_the_command_prints_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]
    place = ["--preset", "smoke", "--dataset", "digits", "--batch-size", "20", "--threads", "1"]
    table = ["--table", str(folder / "table.csv"), "--run-dir", str(folder / "printed")]
    assert main(["search", *place, *flags, *table]) == 0
    shown = capsys.readouterr()
    result = json.loads((folder / "printed" / "result.json").read_text())["table"]
    assert f"known accuracy       {result['test']:.2f} % test (rank" in shown.out
    assert "the search does not see it" in shown.err
    assert "table test" in shown.err


def test_other_spaces_are_refused_before_anything_is_written(folder: Path) -> None:
    with pytest.raises(UserError, match="--space nasbench201, not for 'darts'"):
        search_cells(search_options(folder / "other", table=str(folder / "table.csv")))
    with pytest.raises(UserError, match=r"--table: .*there is no such table"):
        search_cells(search_options(folder / "other", table=str(folder / "none"), **SMALL))
    write_table(folder / "damaged.csv", "x{}")
    with pytest.raises(UserError, match="is no number"):
        search_cells(search_options(folder / "other", table=str(folder / "damaged.csv"), **SMALL))
    assert not (folder / "other").exists()


def test_a_table_that_is_gone_does_not_stop_a_continued_search(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = write_table(folder / "moved.csv")
    search_cells(search_options(folder / "continued", table=str(table), **SMALL))
    table.unlink()
    resumed = options_from(SearchOptions, {"resume": str(folder / "continued")}, search_overlay)
    result = search_cells(resumed)
    assert result.known is None
    assert "The search continues without known accuracies." in capsys.readouterr().err
    given = {"resume": str(folder / "continued"), "table": str(folder / "table.csv")}
    result = search_cells(options_from(SearchOptions, given, search_overlay))
    assert result.known is not None
    assert result.known.number == official_index(result.genotype)
