"""A retraining on images with several labels, its test, its predictions, its teacher."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from darts.commands.predict import predict_command
from darts.commands.runs import evaluate_command
from darts.errors import UserError
from darts.training.options import TrainingOptions
from darts.training.predict import load_trained, predict
from darts.training.scoring import score_checkpoint
from darts.training.task import TrainingTask, train_network
from darts.training.trial import train_briefly
from genotypes import load_genotype
from tests.darts.runs_support import training_options
from tests.darts.several_labels import several_labels

CELL = load_genotype("pcdarts_cifar10")
SMALL = {"train_images": None, "test_images": None, "channels": 4, "batch_size": 8, "epochs": 8}


def options(tmp_path: Path, run: str = "run", **settings) -> TrainingOptions:
    name = several_labels(tmp_path)
    return training_options(tmp_path / run, dataset=name, **{**SMALL, **settings})


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train_network(options(folder, learning_rate=0.1, drop_path=0.0), CELL)
    return folder


def test_a_retraining_learns_and_is_tested_again(trained) -> None:
    stored = json.loads((trained / "run" / "result.json").read_text())
    assert stored["test_map"] > 80
    assert [row["class"] for row in stored["test_classes"]] == ["red", "green", "blue"]
    assert all(row["average_precision"] is not None for row in stored["test_classes"])
    again = options(trained, "none", test_only=True, checkpoint=str(trained / "run"))
    assert score_checkpoint(again).quality == stored["test_map"]


def test_predictions_are_all_labels_above_one_half(trained, capsys) -> None:
    network = load_trained(trained / "run", torch.device("cpu"))
    pixels = np.full((8, 8, 3), 50, np.uint8)
    pixels[..., 0] = 200
    Image.fromarray(pixels).save(trained / "red.png")
    images = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
    mean, std = (torch.tensor(network.card[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    with torch.no_grad():
        wanted = network.network((images - mean) / std)[0].sigmoid()[0]
    found = predict(network, trained / "red.png", best=1)
    assert dict(found) == {
        name: pytest.approx(float(value), abs=1e-6)
        for name, value in zip(network.classes, wanted, strict=True)
        if value > 0.5
    }
    predict_command([str(trained / "red.png"), "--checkpoint", str(trained / "run")], "predict")
    assert "red.png" in capsys.readouterr().out


def test_tricks_of_a_recipe(trained, tmp_path) -> None:
    tricks = {"mixup": 0.2, "label_smoothing": 0.1, "teacher": str(trained / "run"), "epochs": 1}
    task = TrainingTask(options(tmp_path, class_weights="balanced", **tricks), CELL)
    task.begin_epoch(0)
    scalars = task.step()
    assert torch.isfinite(scalars["loss"])
    assert set(scalars) == {"loss", "f1"}
    with pytest.raises(UserError, match="trained on 3 classes"):
        TrainingTask(training_options(tmp_path / "d", teacher=str(trained / "run")), CELL)


def test_a_short_training_is_judged_by_the_mean_average_precision(tmp_path) -> None:
    settings, lines = options(tmp_path, epochs=1), []
    dataset = TrainingTask(settings, CELL).dataset
    result = train_briefly(settings, CELL, dataset, lines.append)
    assert result["test_error"] == 100 - lines[-1]["test_map"]
    assert result["test_f1_error"] == 100 - lines[-1]["test_macro_f1"]


def test_what_the_command_prints(trained, capsys) -> None:
    name = several_labels(trained)
    evaluate_command(
        [f"--dataset={name}", "--test-only", f"--checkpoint={trained / 'run'}", "--device=cpu"],
        "evaluate",
    )
    words = capsys.readouterr().out
    assert "mAP" in words
    assert "micro F1" in words
    assert "red" in words
