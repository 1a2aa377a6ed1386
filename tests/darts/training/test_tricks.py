"""Effects of a recipe's options on a training step and on the tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from darts.errors import UserError
from darts.runs.checkpoints import load_checkpoint
from darts.training.scoring import score_checkpoint
from darts.training.task import TrainingTask, train_network
from genotypes import load_genotype
from tests.darts.runs_support import training_options

CELL = load_genotype("pcdarts_cifar10")


def test_the_mean_of_the_weights_is_tested_beside_them(tmp_path: Path) -> None:
    options = training_options(tmp_path / "run", epochs=2, ema=0.8, test_every=1, learning_rate=0.1)
    result = train_network(options, CELL)
    lines = map(json.loads, (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())
    epochs = [line for line in lines if line["kind"] == "epoch"]
    assert all({"test_accuracy", "average_test_accuracy"} <= set(line) for line in epochs)
    stored = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result.average_scores is not None
    assert stored["average_test_loss"] == result.average_scores.loss
    assert stored["test_loss"] == result.scores.loss != result.average_scores.loss
    again = training_options(
        tmp_path / "none", test_only=True, averaged=True, checkpoint=str(tmp_path / "run")
    )
    assert score_checkpoint(again).loss == pytest.approx(result.average_scores.loss, rel=1e-6)
    task = load_checkpoint(tmp_path / "run")["task"]
    assert task["average"].keys() == task["network"].keys()


def test_a_run_without_a_mean_has_none_to_test(tmp_path: Path) -> None:
    assert train_network(training_options(tmp_path / "run", epochs=1), CELL).average_scores is None
    again = training_options(
        tmp_path / "none", test_only=True, averaged=True, checkpoint=str(tmp_path / "run")
    )
    with pytest.raises(UserError, match="trained without --ema"):
        score_checkpoint(again)


def test_tricks_leave_the_draws_of_other_streams_alone(tmp_path: Path) -> None:
    """Order, crops, drop path and initial weights are the same with and without mixup."""
    states = []
    for name, settings in (("plain", {}), ("mixed", {"mixup": 0.3})):
        task = TrainingTask(training_options(tmp_path / name, drop_path=0.3, **settings), CELL)
        task.begin_epoch(1)
        task.step()
        states.append(task.streams.state_dict())
    plain, mixed = states
    assert all(plain[name].equal(mixed[name]) == (name != "mixing") for name in plain)


def test_drop_path_grows_over_epochs_or_not(tmp_path: Path) -> None:
    constant = training_options(tmp_path / "run", drop_path=0.3, drop_path_schedule="constant")
    task = TrainingTask(constant, CELL)
    task.begin_epoch(0)
    assert task.drop_path == 0.3


def test_an_exponential_schedule(tmp_path: Path) -> None:
    options = training_options(
        tmp_path / "run", epochs=20, schedule="exponential", learning_rate=0.1, lr_decay=0.5,
        lr_decay_epochs=2.4, lr_warmup_epochs=2,
    )  # fmt: skip
    task = TrainingTask(options, CELL)
    rates = []
    for epoch in (0, 1, 2, 3, 4, 5, 12):
        task.begin_epoch(epoch)
        rates.append(task.learning_rate)
    assert rates == pytest.approx([0.05, 0.1, 0.1, 0.05, 0.05, 0.025, 0.1 * 0.5**5])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ema": 1.0}, "--ema"),
        ({"ema_share": 1.0}, "--ema-share"),
        ({"ema": 0.9, "ema_share": 0.1}, "--ema, --ema-share"),
        ({"mixup": -0.1}, "--mixup"),
        ({"distillation_weight": 1.5}, "--distillation-weight"),
        ({"dropout": 1.0}, "--dropout"),
        ({"label_smoothing": -0.1}, "--label-smoothing"),
        ({"lr_decay_epochs": 0.0}, "--lr-decay-epochs"),
    ],
)
def test_impossible_numbers_are_refused(settings: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        train_network(training_options(tmp_path / "run", **settings), CELL)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("model", ["regnetx_200mf", "efficientnet_b0"])
def test_dropout_acts_on_every_network(model: str, tmp_path: Path) -> None:
    from darts.models.registry import create_network

    network = create_network(model, stem="cifar", num_classes=10).train()
    network.dropout = 0.9
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="random generator"):
        network(images)
    draws = [network(images, 0.0, torch.Generator().manual_seed(seed))[0] for seed in (1, 1, 2)]
    assert draws[0].equal(draws[1])
    assert not draws[0].equal(draws[2])
    network.eval()
    assert network(images)[0].equal(network(images)[0])
