"""What a search records after each epoch."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from unittest import mock

import pytest
import torch

from darts.errors import UserError
from darts.methods.eigenvalue import DominantEigenvalue
from darts.runs.checkpoints import load_checkpoint
from darts.runs.tracking import Tracker
from darts.searching.diagnostics import ClosedEpoch, cell_distance, gap_images, operation_counts
from darts.searching.task import SearchTask, search_cells
from genotypes import load_genotype
from tests.darts.runs_support import assert_same, search_options

FEW = {"train_images": 40, "batch_size": 10}
TINY = {"layers": 4, "nodes": 2, **FEW}
"""Two normal cells, which can be aligned."""

QUICK = partial(DominantEigenvalue, most=3)


def epochs_of(run: Path) -> list[dict]:
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [line for line in lines if line["kind"] == "epoch"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run"
    settings = {"eigenvalue_every": 2, "alignment_every": 1, **TINY}
    with mock.patch("darts.searching.diagnostics.DominantEigenvalue", QUICK):
        search_cells(search_options(path, epochs=2, arch_warmup_epochs=0, **settings))
    return path


def test_every_epoch_has_the_measures(run: Path) -> None:
    first, second = epochs_of(run)
    for line in (first, second):
        counts = line["operation_counts"]["normal"]
        assert sum(counts.values()) == 4
        assert line["normal_skips"] == counts.get("skip_connect", 0)
        assert line["reduce_pools"] == sum(
            line["operation_counts"]["reduce"].get(f"{kind}_pool_3x3", 0) for kind in ("max", "avg")
        )
        for name in ("normal_entropy", "reduce_entropy", "normal_edge_entropy"):
            assert 0 < line[name] <= 1.0000001
        gap = line["supernet_accuracy"] - line["derived_accuracy"]
        assert line["discretisation_gap"] == pytest.approx(gap)
        assert line["derived_loss"] > 0
        assert line["expected_macs"] > 0
        assert line["derived_macs"] > 0
        assert -1 <= line["alignment"] <= 1
    assert "edge_changes" not in first
    assert second["edge_changes"] >= 0
    assert "eigenvalue" not in first
    assert second["eigenvalue"] > 0


def test_the_last_cell_is_in_the_checkpoint_and_the_warnings_in_the_result(run: Path) -> None:
    state = load_checkpoint(run)["task"]["diagnostics"]
    before, genotype = state["before"], load_genotype(str(run / "genotype.yaml"))
    assert before["normal"] == genotype.as_dict()["normal"]
    warned = [one for line in epochs_of(run) for one in line.get("warnings", [])]
    assert json.loads((run / "result.json").read_text())["warnings"] == warned
    assert set(state["notes"]) == {"skips", "pools", "entropy", "gap", "eigenvalue"}


def test_tensorboard_has_counts_and_measures(run: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    tags = events.Tags()["scalars"]
    for tag in ("epoch/normal_skips", "epoch/normal_entropy", "epoch/discretisation_gap"):
        assert tag in tags
    assert any(tag.startswith("operations/normal/") for tag in tags)
    assert "alpha/normal" in events.Tags()["histograms"]


def test_measuring_changes_no_tensor_and_draws_no_number(tmp_path: Path) -> None:
    settings = {"epochs": 1, "arch_warmup_epochs": 0, "sampling": "random", **TINY}
    states = []
    for name, every in (("plain", 0), ("measured", 1)):
        costly = {"eigenvalue_every": every, "alignment_every": every}
        with mock.patch("darts.searching.diagnostics.DominantEigenvalue", QUICK):
            search_cells(search_options(tmp_path / name, **settings, **costly))
        states.append(load_checkpoint(tmp_path / name)["task"])
        del states[-1]["diagnostics"], states[-1]["settings"]
    assert_same(*states)


def test_state_survives(tmp_path: Path) -> None:
    task = SearchTask(search_options(tmp_path / "a", nodes=2))
    other = SearchTask(search_options(tmp_path / "b", nodes=2))
    diagnostics = task.diagnostics
    diagnostics._before = load_genotype("darts_v2")
    diagnostics.notes = {"gap": "3.0 %"}
    state = json.loads(json.dumps(diagnostics.state_dict()))
    other.diagnostics.load_state_dict(state)
    assert other.diagnostics.state_dict() == diagnostics.state_dict()
    other.begin_epoch(0)
    assert other.notes["gap"] == "3.0 %"


def favour_skips(task: SearchTask, value: float) -> None:
    with torch.no_grad():
        for alpha in task.architecture.alpha.values():
            alpha[:, 3] = value


def test_an_alpha_that_has_hardly_moved_is_no_collapse(tmp_path: Path) -> None:
    task = SearchTask(search_options(tmp_path / "run", nodes=2))
    favour_skips(task, 0.01)
    diagnostics, genotype = task.diagnostics, task.architecture.derive("x")
    closed = ClosedEpoch(epoch=1, step=1, trained=True, last=True)
    found = diagnostics(task.parts.problem, genotype, closed, Tracker(None), {})
    assert found["normal_skips"] == 4
    assert "warnings" not in found
    favour_skips(task, 0.3)
    found = diagnostics(task.parts.problem, genotype, closed, Tracker(None), {})
    assert found["warnings"][0]["sign"] == "skips"


def test_collapse_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """alpha is all for skips from the start, and hardly moves."""
    task = SearchTask(
        search_options(tmp_path / "run", arch_warmup_epochs=0, arch_learning_rate=1e-9, nodes=2)
    )
    favour_skips(task, 9.0)
    from darts.runs.starting import run_task

    run, _ = run_task(task, "search", task.options)
    lines = epochs_of(run.path)
    assert "warnings" not in lines[0]
    # The last epoch need not wait; the reduction cell has one operation as well.
    assert [one["sign"] for one in lines[1]["warnings"]] == ["skips", "uniform"]
    assert capsys.readouterr().err.count("warning: after epoch 2: In the normal cell 4 of 4") == 1


def test_what_cannot_be_measured_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--eigenvalue-every: a relaxation that draws"):
        SearchTask(search_options(tmp_path, eigenvalue_every=1, relaxation="gumbel"))
    with pytest.raises(UserError, match="--alignment-every: must be 0 or more"):
        SearchTask(search_options(tmp_path, alignment_every=-1))


def test_a_search_that_samples_paths_is_measured(tmp_path: Path) -> None:
    settings = {"relaxation": "hard-gumbel", "k": 1, "edge_normalisation": False}
    options = search_options(tmp_path / "run", epochs=1, arch_warmup_epochs=0, **settings)
    search_cells(options)
    (line,) = epochs_of(tmp_path / "run")
    assert "normal_edge_entropy" not in line
    assert line["supernet_loss"] != line["derived_loss"]


def test_distance_counts_edges_and_operations() -> None:
    one = load_genotype("darts_v2")
    node = list(one.normal)
    (first, source), second = node[0]
    assert first == "sep_conv_3x3"
    from dataclasses import replace

    node[0] = (("dil_conv_5x5", source), second)
    other = replace(one, normal=tuple(node))
    assert cell_distance(one, other) == {"edge_changes": 0, "operation_changes": 1}
    swapped = replace(one, normal=(tuple(reversed(one.normal[0])), *one.normal[1:]))
    assert cell_distance(one, swapped) == {"edge_changes": 0, "operation_changes": 0}
    node = list(one.normal)
    assert {source for _, source in node[1]} == {0, 1}
    node[1] = (node[1][0], (node[1][1][0], 2))
    moved = replace(one, normal=tuple(node))
    assert cell_distance(one, moved) == {"edge_changes": 1, "operation_changes": 0}


def test_images_of_the_gap() -> None:
    assert gap_images(97, 256) == 3 * 256
    assert gap_images(1, 8) == 8
    assert gap_images(24, 64) == 61


def test_counts_of_published_cells() -> None:
    counts = operation_counts(load_genotype("darts_v2"))
    assert counts["normal_skips"] == 2
    assert counts["reduce_pools"] == 5


def test_a_search_of_nasbench201_is_measured(tmp_path: Path) -> None:
    settings = {"space": "nasbench201", "method": "gdas", "channels": 4, "k": 1, "layers": 3}
    options = search_options(tmp_path / "run", epochs=1, arch_warmup_epochs=0, **settings, **FEW)
    search_cells(options)
    (line,) = epochs_of(tmp_path / "run")
    assert sum(line["operation_counts"]["normal"].values()) == 6
    assert "reduce_skips" not in line
    assert "normal_edge_entropy" not in line
    # In validation GDAS computes its most likely path, which is the derived cell.
    assert line["discretisation_gap"] == 0
    assert line["derived_loss"] == pytest.approx(line["supernet_loss"], rel=1e-5)
