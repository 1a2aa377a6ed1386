"""Reading run directories: complete, incomplete, damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from darts.errors import UserError
from darts.report.record import read_run, strengths
from genotypes import load_genotype


def test_a_finished_search(search_run: Path) -> None:
    record = read_run(search_run)
    assert record.name == "a-search"
    assert record.is_search
    assert record.accuracy == 90.25
    assert record.total_epochs == 3
    assert (len(record.steps), len(record.epochs), list(record.genotypes)) == (6, 3, [1, 2, 3])
    assert record.genotype == load_genotype("pcdarts_imagenet").with_name("a-search")
    assert record.environment == {"python": "3.11", "packages": {"torch": "2.13.0"}}
    assert not record.notes


def test_a_finished_retraining_takes_its_genotype_from_the_result(retraining_run: Path) -> None:
    record = read_run(retraining_run)
    assert not record.is_search
    assert record.accuracy == 97.5
    assert record.genotype == load_genotype("darts_v2")


def test_series_are_placed_in_epochs(search_run: Path) -> None:
    record = read_run(search_run)
    assert record.series("train_accuracy")[0] == [1.0, 2.0, 3.0]
    assert record.series("loss", "step")[0] == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    assert record.series("validation_accuracy") == ([3.0], [90.25])
    assert record.series("unknown") == ([], [])
    assert record.unit == "epoch"


def test_without_an_epoch_steps_are_counted(tmp_path: Path) -> None:
    line = {"kind": "step", "step": 50, "epoch": 0, "loss": 1.5}
    (tmp_path / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    record = read_run(tmp_path)
    assert record.series("loss", "step") == ([50.0], [1.5])
    assert (record.unit, record.accuracy, record.genotype) == ("step", None, None)


def test_numbers_that_are_none_or_not_finite_are_left_out(tmp_path: Path) -> None:
    rows = [None, float("nan"), 2.0, "text"]
    lines = [{"kind": "step", "step": i + 1, "epoch": 0, "loss": v} for i, v in enumerate(rows)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert read_run(tmp_path).series("loss", "step") == ([3.0], [2.0])


def test_damage_becomes_notes(search_run: Path) -> None:
    with (search_run / "metrics.jsonl").open("a") as stream:
        stream.write('{"kind": "step", "st')
    (search_run / "config.yaml").write_text("a: [1")
    (search_run / "result.json").write_text("{")
    (search_run / "genotype.yaml").write_text("name: x\n")
    (search_run / "genotypes" / "epoch-002.yaml").write_text("[")
    record = read_run(search_run)
    assert list(record.genotypes) == [1, 3]
    assert (record.config, record.result, record.genotype) == ({}, None, None)
    assert len(record.epochs) == 3
    notes = "\n".join(record.notes)
    assert "metrics.jsonl: 1 damaged line(s) left out" in notes
    assert "config.yaml cannot be read" in notes
    assert "result.json cannot be read" in notes
    assert "genotype.yaml: missing key 'normal'" in notes
    assert "epoch-002.yaml: not valid YAML" in notes


@pytest.mark.parametrize("content", ["[]", "3", "null", '"text"'])
def test_files_of_another_shape_are_taken_as_empty(content: str, tmp_path: Path) -> None:
    for name in ("config.yaml", "result.json", "environment.json", "metrics.jsonl"):
        (tmp_path / name).write_text(content)
    record = read_run(tmp_path)
    assert (record.config, record.environment, record.result) == ({}, {}, None)


def test_no_run_at_all(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is not a run directory: it holds none of config\.yaml"):
        read_run(tmp_path)


def test_strengths_by_hand() -> None:
    genotype = load_genotype("darts_v2")
    # Normal node 3 (edges 9 to 13) keeps skip_connect (3) from 0 and dil_conv_3x3 (6) from 2.
    operations = [[0.0] * 8 for _ in range(14)]
    operations[9][3], operations[11][6] = 0.5, 0.25
    edges = [1.0] * 14
    edges[11] = 0.1
    line = {"architecture": {"normal": {"operations": operations, "edges": edges}}}
    rows = strengths(genotype, "normal", line)
    assert rows is not None
    assert rows[3] == [0.5, 0.025]
    assert rows[:3] == [[0.0, 0.0]] * 3
    del line["architecture"]["normal"]["edges"]
    assert strengths(genotype, "normal", line) == [*rows[:3], [0.5, 0.25]]
    assert strengths(genotype, "reduce", line) is None
    line["architecture"]["normal"]["operations"] = operations[:5]
    assert strengths(genotype, "normal", line) is None
    assert strengths(genotype, "normal", {}) is None
