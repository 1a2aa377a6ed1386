"""A teacher from a run: its inputs and outputs, and which teachers are refused."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from darts.errors import UserError
from darts.targets.single import SINGLE
from darts.training.distillation import Teacher
from darts.training.predict import load_trained
from darts.training.task import TrainingTask, train_network
from genotypes import load_genotype
from tests.darts.runs_support import training_options

CELL = load_genotype("pcdarts_cifar10")
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("teacher") / "run"
    train_network(training_options(path, epochs=2, ema=0.5, learning_rate=0.1), CELL)
    return path


def test_it_says_what_its_averaged_network_says_in_its_own_normalisation(run: Path) -> None:
    trained = load_trained(run, CPU, averaged=True)
    plain = load_trained(run, CPU)
    pixels = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    card = {**trained.card, "mean": [0.1, 0.2, 0.3], "std": [0.5, 0.6, 0.7]}

    def normalised(card: dict) -> torch.Tensor:
        mean, std = (torch.tensor(card[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
        return (pixels - mean) / std

    with torch.no_grad():
        expected = trained.network(normalised(dict(trained.card)))[0]
        other = plain.network(normalised(dict(trained.card)))[0]
    said = Teacher(run, card, CPU)(normalised(card))
    torch.testing.assert_close(said, expected, rtol=1e-4, atol=1e-4)
    assert not expected.allclose(other, atol=1e-2)  # Otherwise the mean would not be tested.
    assert not said.requires_grad


def test_a_student_that_listens_to_its_teacher_alone_copies_it(run: Path, tmp_path: Path) -> None:
    """With weight 1 the labels do not matter, and the divergence falls."""
    options = training_options(
        tmp_path / "student", teacher=str(run), distillation_weight=1.0, epochs=6,
        learning_rate=0.1, drop_path=0.0, seed=4, augment="none",
    )  # fmt: skip
    task = TrainingTask(options, CELL)

    def distance() -> float:
        assert task.teacher is not None
        images = task.dataset.test.fetch(torch.arange(50)).float() / 255
        mean, std = (
            torch.tensor(v).view(1, 3, 1, 1) for v in (task.dataset.mean, task.dataset.std)
        )
        images = (images - mean) / std
        task.network.eval()
        with torch.no_grad():
            return SINGLE.divergence(task.network(images)[0], task.teacher(images)).item()

    before = distance()
    for epoch in range(task.epochs):
        task.begin_epoch(epoch)
        for _ in range(task.steps_per_epoch):
            task.step()
    assert distance() < 0.5 * before


def test_other_classes_and_absent_runs_are_refused(run: Path, tmp_path: Path) -> None:
    card = dict(load_trained(run, CPU).card)
    with pytest.raises(UserError, match="was trained on 10 classes"):
        Teacher(run, {**card, "classes": ["a", "b"]}, CPU)
    with pytest.raises(UserError, match=r"--teacher .*multiples of 4"):
        Teacher(run, {**card, "image_size": 10}, CPU)
    with pytest.raises(UserError, match="absent"):
        Teacher(tmp_path / "absent", card, CPU)


def test_a_run_goes_on_only_with_the_teacher_it_began_with(run: Path, tmp_path: Path) -> None:
    options = training_options(tmp_path / "student", teacher=str(run), epochs=1)
    state = TrainingTask(options, CELL).state_dict()
    moved = replace(options, teacher=str(shutil.copytree(run, tmp_path / "moved")))
    TrainingTask(moved, CELL).load_state_dict(state)
    train_network(training_options(tmp_path / "other", epochs=1), CELL)
    task = TrainingTask(replace(options, teacher=str(tmp_path / "other")), CELL)
    with pytest.raises(UserError, match="--teacher: its checkpoint has changed"):
        task.load_state_dict(state)
