"""Searches whose selection evaluates the supernet."""

from __future__ import annotations

import json
from pathlib import Path
from unittest import mock

import pytest
import torch

from darts.searching.scoring import SupernetScore
from darts.searching.task import SearchTask, search_cells
from genotypes import Genotype, load_genotype
from tests.darts.runs_support import search_options

SEARCH = {
    "method": "darts-v1",
    "train_images": 80,
    "nodes": 2,
    "channels": 4,
    "validate_every": 0,
    "k": 1,
    "arch_warmup_epochs": 0,
}
PROJECTION = {**SEARCH, "epochs": 1, "selection": "projection:interval=1"}


@pytest.fixture(scope="module")
def projected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("selecting") / "run"
    search_cells(search_options(run, **PROJECTION))
    return run


def epochs_of(run: Path) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == "epoch"]


def test_the_projection_adds_epochs_with_a_tenth_of_the_learning_rate(projected: Path) -> None:
    epochs = epochs_of(projected)
    # Five edges and one node with three edges.
    assert len(epochs) == 1 + 6
    rate = epochs[0]["learning_rate"]
    assert [line["learning_rate"] for line in epochs[1:]] == pytest.approx([rate / 10] * 6)  # type: ignore[operator]
    assert all("train_architecture_loss" in line for line in epochs)


def test_the_result_is_a_cell_of_the_space_with_its_epochs(projected: Path) -> None:
    genotype = load_genotype(projected / "genotype.yaml")
    assert genotype.provenance["epochs"] == 7
    assert all(len(node) == 2 for node in (*genotype.normal, *genotype.reduce))


def test_further_epochs_begin_without_momentum_and_decided_weights_are_used(
    tmp_path: Path,
) -> None:
    task = SearchTask(search_options(tmp_path / "unused", **PROJECTION))
    task.begin_epoch(0)
    task.step()
    assert task.weight_optimiser.state
    task.begin_epoch(1)
    assert not task.weight_optimiser.state
    decided = task.selecting
    assert decided is not None
    for kind, weights in task.architecture.tables().items():
        (edge,) = decided.selector.decisions[kind].operations  # type: ignore[attr-defined]
        assert sorted(weights.operations[edge].tolist()) == [0.0] * 7 + [1.0]
    state = task.state_dict()
    again = SearchTask(search_options(tmp_path / "unused", **PROJECTION))
    again.load_state_dict(state)
    for kind, weights in again.architecture.tables().items():
        assert weights.operations.equal(task.architecture.tables()[kind].operations)
    before = task.streams["selection"].get_state()
    task.begin_epoch(1)  # As a resumed run does: nothing is decided again.
    assert task.streams["selection"].get_state().equal(before)


def test_the_best_child_is_the_one_with_the_highest_accuracy(tmp_path: Path) -> None:
    seen: list[float] = []
    score = SupernetScore.__call__

    def watched(self: SupernetScore, tables: object, batches: int = 0) -> float:
        found = score(self, tables, batches)  # type: ignore[arg-type]
        if not batches:
            seen.append(found)
        return found

    options = search_options(
        tmp_path / "run",
        **SEARCH,
        epochs=1,
        selection="best-child:samples=6,batches=1,finalists=6,rounds=1",
    )
    with mock.patch.object(SupernetScore, "__call__", watched):
        result = search_cells(options)
    assert len(seen) == 6
    assert isinstance(result.genotype, Genotype)
    state = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=False)["task"]
    assert state["selecting"]["accuracy"] == max(seen)
    assert result.genotype.normal == state["selecting"]["cells"]["normal"]
