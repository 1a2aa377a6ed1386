"""A search on images with several labels: its loss in both steps, its measures, its result."""

import json
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from darts.errors import UserError
from darts.methods.gradient import LabelledBatch
from darts.searching.options import SearchOptions
from darts.searching.recording import RecordedIteration
from darts.searching.task import SearchTask, search_cells
from tests.darts.runs_support import search_options
from tests.darts.searching.test_recording import Tape
from tests.darts.several_labels import several_labels

SMALL = {"train_images": None, "test_images": None, "nodes": 2, "channels": 4, "batch_size": 8}
DOUBLE = {"precision": "fp64", "epochs": 1, "arch_warmup_epochs": 0}


def options(tmp_path: Path, **settings) -> SearchOptions:
    name = several_labels(tmp_path)
    return search_options(tmp_path / "run", dataset=name, **{**SMALL, **settings})


def batches(task: SearchTask) -> tuple[LabelledBatch, LabelledBatch]:
    task.begin_epoch(0)
    loaders = (task.training, task.validation)
    training, validation = (LabelledBatch(*loader.next_batch()) for loader in loaders)
    return training, validation


@pytest.mark.parametrize("order", [1, 2])
def test_both_steps_have_the_loss_of_the_task_on_all_engines(tmp_path, order) -> None:
    found = {}
    for backend in ("torch", "native"):
        task = SearchTask(options(tmp_path, backend=backend, order=order, **DOUBLE))
        training, validation = batches(task)
        tables = task.architecture.fixed_tables()
        with torch.no_grad():
            logits = task.supernet(training.images, tables)
        scalars = task.iteration(training, validation)
        moved = [alpha.detach().clone() for alpha in task.architecture.parameters()]
        found[backend] = {**scalars, **dict(enumerate(moved))}
        assert set(scalars) == {"loss", "f1", "architecture_loss", "architecture_f1"}
        # The architecture step is first, and moves alpha by the learning rate at most.
        wanted = functional.binary_cross_entropy_with_logits(logits, training.labels.double())
        torch.testing.assert_close(scalars["loss"], wanted, rtol=0, atol=1e-2)
    for name, value in found["torch"].items():
        torch.testing.assert_close(found["native"][name], value, rtol=1e-8, atol=1e-9)


def test_a_recorded_iteration_gives_the_same_numbers(tmp_path) -> None:
    results = []
    for recorded in (False, True):
        task = SearchTask(options(tmp_path, backend="torch", **DOUBLE))
        step = RecordedIteration(task.iteration, Tape()) if recorded else task.iteration
        task.begin_epoch(0)
        for _ in range(5):
            pair = [LabelledBatch(*one.next_batch()) for one in (task.training, task.validation)]
            scalars = step(*pair)
        results.append(scalars)
    for name, value in results[0].items():
        assert torch.equal(results[1][name], value)


def test_the_result_is_the_mean_average_precision(tmp_path) -> None:
    settings = options(tmp_path, backend="torch", epochs=1, arch_warmup_epochs=0)
    result = search_cells(settings)
    stored = json.loads((tmp_path / "run" / "result.json").read_text())
    assert stored["validation_map"] == result.validation_accuracy
    assert "validation_accuracy" not in stored
    line = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert line["validation_map"] == result.validation_accuracy
    assert {"validation_micro_f1", "validation_macro_f1", "supernet_map", "train_f1"} <= set(line)
    assert "task: multi-label" in (tmp_path / "run" / "config.yaml").read_text()


def test_class_weights_and_balanced_sampling(tmp_path) -> None:
    task = SearchTask(options(tmp_path, backend="torch", class_weights="balanced", **DOUBLE))
    labels = task.dataset.train.labels[task.images.weight_indices]
    present = labels.sum(0, dtype=torch.int64)
    weights = (len(labels) - present) / present
    logits = torch.randn(20, 3, dtype=torch.float64)
    wanted = functional.binary_cross_entropy_with_logits(
        logits, labels.double(), pos_weight=weights.double()
    )
    torch.testing.assert_close(
        task.parts.problem.criterion(logits, labels), wanted, rtol=1e-6, atol=0
    )
    with pytest.raises(UserError, match="belongs to no one class"):
        SearchTask(options(tmp_path, class_sampling="balanced"))
    both = {"class_weights": "balanced", "class_sampling": "balanced"}
    twice = search_options(tmp_path / "other", **{**SMALL, **both})
    with pytest.raises(UserError, match="give one of them"):
        SearchTask(twice)
