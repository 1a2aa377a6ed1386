"""A small retraining: its result, its recipe, testing and predicting from a checkpoint."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import darts
from darts import api
from darts.costs.count import count
from darts.errors import UserError
from darts.models.registry import create_network
from darts.runs.checkpoints import load_checkpoint
from darts.training.choice import plan_training
from darts.training.predict import load_trained, predict
from darts.training.scoring import score_checkpoint
from darts.training.task import TrainingTask, train_network
from genotypes import load_genotype, save_genotype
from tests.darts.runs_support import search_options, training_options

CELL = load_genotype("pcdarts_cifar10")
CPU = torch.device("cpu")


def test_the_result_is_the_last_epochs_and_is_found_again(tmp_path: Path) -> None:
    options = training_options(tmp_path / "run", epochs=3, test_every=1)
    result = train_network(options, CELL)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    tests = [line["test_accuracy"] for line in map(json.loads, lines) if "test_accuracy" in line]
    assert len(tests) == 3
    assert result.scores.accuracy == tests[-1]
    stored = json.loads((tmp_path / "run" / "result.json").read_text())
    assert stored["test_accuracy"] == tests[-1]
    assert stored["epoch"] == 3
    # 3 cells of 8 channels at 8x8 pixels, as `python -m darts cost` counts them.
    network = create_network(CELL, channels=8, layers=3)
    cost = count(network, 8)
    assert (stored["parameters"], stored["macs"]) == (cost.params, cost.macs)
    assert load_genotype(str(tmp_path / "run" / "genotype.yaml")) == CELL

    again = training_options(tmp_path / "none", test_only=True, checkpoint=str(tmp_path / "run"))
    assert score_checkpoint(again).accuracy == tests[-1]
    assert not (tmp_path / "none").exists()


def test_a_retraining_learns(tmp_path: Path) -> None:
    options = training_options(
        tmp_path / "run", train_images=None, epochs=4, channels=8, learning_rate=0.1, drop_path=0.0
    )
    assert train_network(options, CELL).scores.accuracy > 80


def test_drop_path_and_learning_rate_follow_the_epoch(tmp_path: Path) -> None:
    task = TrainingTask(training_options(tmp_path / "run", epochs=10, drop_path=0.3), CELL)
    task.begin_epoch(0)
    assert (task.drop_path, task.learning_rate) == (0.0, 0.025)
    task.begin_epoch(5)
    assert task.drop_path == pytest.approx(0.15)
    assert task.learning_rate == pytest.approx(0.0125)


def test_a_linear_schedule_with_warm_up(tmp_path: Path) -> None:
    options = training_options(
        tmp_path / "run", epochs=250, schedule="linear", lr_warmup_epochs=5, learning_rate=0.5
    )
    task = TrainingTask(options, CELL)
    rates = []
    for epoch in (0, 4, 5, 249):
        task.begin_epoch(epoch)
        rates.append(task.learning_rate)
    assert rates == pytest.approx([0.1, 0.5, 0.5 * 240 / 245, 0.5 / (245 * 5)])


def test_the_auxiliary_heads_loss_counts_by_its_weight(tmp_path: Path) -> None:
    """First steps of two tasks that differ only in a weight differ by the gradient of its term."""
    firsts = []
    for name, weight in (("none", 0.0), ("some", 0.4), ("more", 0.8)):
        options = training_options(
            tmp_path / name, auxiliary=True, auxiliary_weight=weight, image_size=32,
            weight_decay=0.0, grad_clip=0.0, drop_path=0.0, precision="fp64",
        )  # fmt: skip
        task = TrainingTask(options, CELL)
        task.begin_epoch(0)
        before = task.network.stem.conv.weight.detach().clone()
        task.step()
        firsts.append(task.network.stem.conv.weight.detach() - before)
    none, some, more = firsts
    assert not none.allclose(some)
    torch.testing.assert_close(more - none, 2 * (some - none))


def test_predict_names_the_classes_of_an_image_file(tmp_path: Path) -> None:
    train_network(training_options(tmp_path / "run"), CELL)
    Image.fromarray(np.full((20, 30), 128, np.uint8)).save(tmp_path / "grey.png")
    trained = load_trained(tmp_path / "run", CPU)
    guesses = predict(trained, tmp_path / "grey.png", best=10)
    assert {name for name, _ in guesses} == {str(digit) for digit in range(10)}
    probabilities = [value for _, value in guesses]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1.0, abs=1e-5)


def test_predict_sees_what_the_test_saw(tmp_path: Path) -> None:
    """An image of the test set that is saved as a file gets the same prediction."""
    options = training_options(tmp_path / "run", epochs=3, learning_rate=0.1)
    train_network(options, CELL)
    task = TrainingTask(options, CELL)
    trained = load_trained(tmp_path / "run", CPU)
    for number in range(5):
        pixels = task.dataset.test.fetch(torch.tensor([number]))[0].permute(1, 2, 0).numpy()
        Image.fromarray(np.ascontiguousarray(pixels)).save(tmp_path / "digit.png")
        guesses = dict(predict(trained, tmp_path / "digit.png", best=10))
        mean, std = (torch.tensor(trained.card[key]).view(3, 1, 1) for key in ("mean", "std"))
        image = (torch.tensor(pixels).permute(2, 0, 1) / 255 - mean) / std
        with torch.no_grad():
            expected = trained.network(image[None])[0].softmax(1)[0]
        for label, name in enumerate(trained.classes):
            assert guesses[name] == pytest.approx(expected[label].item(), abs=1e-5)


def test_a_checkpoint_of_a_search_is_no_trained_network(tmp_path: Path) -> None:
    from darts.searching.task import search_cells

    search_cells(search_options(tmp_path / "run", epochs=1))
    with pytest.raises(UserError, match="is a search run"):
        load_trained(tmp_path / "run", CPU)


def test_a_checkpoint_is_not_tested_on_other_classes(tmp_path: Path) -> None:
    train_network(training_options(tmp_path / "run"), CELL)
    file = tmp_path / "three.npz"
    images = np.zeros((6, 8, 8, 3), np.uint8)
    labels = np.arange(6) % 3
    np.savez(file, x_train=images, y_train=labels, x_test=images, y_test=labels)
    options = training_options(
        tmp_path / "none", dataset=f"array:{file}", train_images=None, test_images=None,
        test_only=True, checkpoint=str(tmp_path / "run"),
    )  # fmt: skip
    with pytest.raises(UserError, match="was trained on 10 classes"):
        score_checkpoint(options)


def test_the_checkpoint_keeps_what_rebuilds_the_network(tmp_path: Path) -> None:
    train_network(training_options(tmp_path / "run"), CELL)
    task = load_checkpoint(tmp_path / "run")["task"]
    assert task["description"]["channels"] == 8
    assert task["data"]["classes"] == [str(digit) for digit in range(10)]


def test_a_resumed_retraining_takes_its_genotype_from_the_checkpoint(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    save_genotype(CELL, file)
    options = training_options(tmp_path / "run", genotype=str(file), epochs=1)
    api.run_training(plan_training(options))
    save_genotype(load_genotype("darts_v1"), file)
    resumed = replace(options, run_dir=None, resume=str(tmp_path / "run"))
    assert plan_training(resumed).model == CELL
    assert (tmp_path / "run" / "cells" / "normal.svg").exists()
    assert (tmp_path / "run" / "report.html").exists()


def test_any_model_is_trained_tested_and_resumed(tmp_path: Path, capsys) -> None:
    """A RegNet is retrained like a genotype; images of size 8 give it the stem for small images."""
    options = training_options(
        tmp_path / "run", genotype=None, model="regnetx_200mf", train_images=40, epochs=1
    )
    result = api.run_training(plan_training(options))
    said = capsys.readouterr().err.splitlines()
    scored, reported = "All steps are done. Scoring the result …", "writing the report …"
    assert said.index(scored) < said.index(reported)
    stored = json.loads((tmp_path / "run" / "result.json").read_text())
    network = darts.create_network("regnetx_200mf", stem="cifar", num_classes=10)
    assert stored["parameters"] == sum(weight.numel() for weight in network.parameters())
    assert stored["model"]["stages"]
    assert "genotype" not in stored
    again = training_options(tmp_path / "none", test_only=True, checkpoint=str(tmp_path / "run"))
    assert score_checkpoint(again).accuracy == result.scores.accuracy
    resumed = replace(options, run_dir=None, resume=str(tmp_path / "run"))
    assert api.run_training(plan_training(resumed)).scores.accuracy == result.scores.accuracy


def test_one_network_is_trained(tmp_path: Path) -> None:
    both = training_options(tmp_path / "run", model="regnetx_200mf")
    with pytest.raises(UserError, match="one of the two"):
        api.run_training(plan_training(both))
