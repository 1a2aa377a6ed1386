"""A run that starts from the weights of another run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from darts import api
from darts.errors import UserError
from darts.models.registry import create_network
from darts.runs.checkpoints import load_checkpoint
from darts.training.card import network_card
from darts.training.choice import plan_training
from darts.training.pretrained import load_pretrained
from darts.training.task import TrainingTask, train_network
from genotypes import load_genotype
from tests.darts.runs_support import search_options, training_options

CELL = load_genotype("pcdarts_cifar10")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pretrained") / "run"
    train_network(training_options(path, epochs=1, train_images=40), CELL)
    return path


@pytest.fixture
def three(tmp_path: Path) -> str:
    """A data set of three classes."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (30, 8, 8, 3), np.uint8)
    labels = np.arange(30) % 3
    np.savez(tmp_path / "three.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    return f"array:{tmp_path / 'three.npz'}"


def network(**settings: object) -> torch.nn.Module:
    return create_network(CELL, **{"channels": 8, "layers": 3, "stem": "cifar", **settings})


def assert_loaded(network: torch.nn.Module, run: Path, left: tuple[str, ...]) -> None:
    trained = load_checkpoint(run)["task"]["network"]
    for name, value in network.state_dict().items():
        same = name in trained and trained[name].shape == value.shape
        assert name in left or (same and value.equal(trained[name])), name


def test_all_but_the_classifier_of_other_classes(run: Path) -> None:
    target = network(num_classes=3)
    left = load_pretrained(target, run)
    assert left == ("classifier.weight", "classifier.bias")
    assert_loaded(target, run, left)


def test_the_classifier_too_where_the_classes_are_the_same(run: Path) -> None:
    digits = [str(digit) for digit in range(10)]
    target = network(num_classes=10)
    assert load_pretrained(target, run / "checkpoint.pt", digits) == ()
    assert_loaded(target, run, ())
    assert len(load_pretrained(target, run, digits[::-1])) == 2


def test_an_auxiliary_head_of_one_of_the_two_is_left_alone(run: Path) -> None:
    target = network(num_classes=3, auxiliary=True)
    left = load_pretrained(target, run)
    assert {name.split(".")[0] for name in left} == {"classifier", "auxiliary_head"}
    assert_loaded(target, run, left)


def test_a_backbone(run: Path) -> None:
    backbone = create_network(CELL, features_only=True, channels=8, layers=3, stem="cifar")
    assert load_pretrained(backbone, run) == ()
    assert_loaded(backbone.network, run, ())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": 16}, r"stem\.conv\.weight is \[24, 3, 3, 3\] in the checkpoint"),
        ({"layers": 4}, r"cells\.\d.* missing in the checkpoint, and \d+ more"),
        ({"stem": "imagenet"}, "stem"),
    ],
)
def test_another_network_is_refused(run: Path, settings: dict, message: str) -> None:
    with pytest.raises(UserError, match=f"holds another network: .*{message}"):
        load_pretrained(network(**settings), run)


def test_a_search_has_no_such_weights(tmp_path: Path) -> None:
    from darts.searching.task import search_cells

    search_cells(search_options(tmp_path / "run", epochs=1))
    with pytest.raises(UserError, match="is a search run"):
        load_pretrained(network(), tmp_path / "run")


def test_fine_tuning_takes_the_runs_network(
    run: Path, three: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = training_options(
        tmp_path / "tuned", genotype=None, dataset=three, pretrained=str(run), train_images=None,
        test_images=None, epochs=1, batch_size=10, channels=None, layers=None,
    )  # fmt: skip
    plan = plan_training(options)
    assert plan.model == CELL
    assert "3 classes" in network_card(plan.options, plan.model)
    task = TrainingTask(plan.options, plan.model)
    assert_loaded(task.network, run, ("classifier.weight", "classifier.bias"))
    assert "but for classifier.weight, classifier.bias" in capsys.readouterr().err
    api.run_training(plan)
    kept = yaml.safe_load((tmp_path / "tuned/config.yaml").read_text())
    assert (kept["channels"], kept["layers"], kept["stem"]) == (8, 3, "cifar")
