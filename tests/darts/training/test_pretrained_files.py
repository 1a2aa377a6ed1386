"""A run that starts from a file of weights that another program has trained."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from darts.detection.backbone import create_backbone
from darts.detection.options import DetectionOptions
from darts.errors import UserError
from darts.models.weights.foreign import IMAGENET_MEAN
from darts.runs.checkpoints import load_checkpoint
from darts.system.torchvision_compat import torchvision
from darts.training.card import network_card
from darts.training.choice import plan_training
from darts.training.scoring import score_checkpoint
from darts.training.task import train_network
from genotypes import load_genotype
from tests.darts.runs_support import training_options
from tests.reference.authors_network import AuthorsNetwork


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images `[32, 32]` of three classes, a RegNet of seven and a network of cells of three."""
    path = tmp_path_factory.mktemp("files")
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (12, 32, 32, 3), np.uint8)
    labels = np.arange(12) % 3
    np.savez(path / "three.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    regnet: Any = torchvision.models.regnet
    params = regnet.BlockParams.from_init_params(depth=4, w_0=8, w_a=8, w_m=2.0, group_width=8)
    torch.save(regnet.RegNet(params, num_classes=7, stem_width=8).state_dict(), path / "regnet.pth")
    cells = AuthorsNetwork(load_genotype("darts_v2"), 4, 3, 3, "cifar", auxiliary=False)
    torch.save(cells.state_dict(), path / "weights.pt")
    return path


def options(folder: Path, out: Path, file: str, **settings: Any) -> Any:
    named = {
        "genotype": None,
        "dataset": f"array:{folder / 'three.npz'}",
        "train_images": None,
        "test_images": None,
        "batch_size": 4,
        "epochs": 2,
        "channels": None,
        "layers": None,
        "pretrained": str(folder / file),
    }
    return training_options(out, **{**named, **settings})


def test_a_run_goes_on_from_the_file_and_names_it(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_training(options(folder, tmp_path / "run", "regnet.pth"))
    digest = hashlib.sha256((folder / "regnet.pth").read_bytes()).hexdigest()
    card = network_card(plan.options, plan.model)
    assert f"torchvision's RegNet, SHA-256 {digest}" in card
    train_network(plan.options, plan.model)
    said = capsys.readouterr().err
    assert "loaded, but for classifier.weight, classifier.bias; not used of the file:" in said
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["pretrained"] == {
        "file": str(folder / "regnet.pth"),
        "sha256": digest,
        "of": "torchvision's RegNet",
        "left": ["classifier.weight", "classifier.bias"],
        "unused": ["classifier.weight", "classifier.bias"],
    }
    state = load_checkpoint(tmp_path / "run")["task"]
    assert tuple(state["data"]["mean"]) == pytest.approx(IMAGENET_MEAN)
    assert state["pretrained"]["sha256"] == digest


def test_the_first_step_starts_at_the_weights_of_the_file(folder: Path, tmp_path: Path) -> None:
    plan = plan_training(options(folder, tmp_path / "run", "regnet.pth", learning_rate=1e-30))
    train_network(plan.options, plan.model)
    state = load_checkpoint(tmp_path / "run")["task"]["network"]
    theirs = torch.load(folder / "regnet.pth", weights_only=True)
    assert state["stem.conv.weight"].equal(theirs["stem.0.weight"])


def test_cells_take_their_size_from_the_file_and_are_tested(folder: Path, tmp_path: Path) -> None:
    chosen = options(folder, tmp_path / "run", "weights.pt", genotype="darts_v2", test_only=True)
    plan = plan_training(chosen)
    assert (plan.options.channels, plan.options.layers, plan.options.stem) == (4, 3, "cifar")
    scores = score_checkpoint(chosen)
    network = AuthorsNetwork(load_genotype("darts_v2"), 4, 3, 3, "cifar", auxiliary=False).eval()
    network.load_state_dict(torch.load(folder / "weights.pt", weights_only=True))
    arrays = np.load(folder / "three.npz")
    images = torch.from_numpy(arrays["x_test"]).permute(0, 3, 1, 2).float() / 255
    images -= images.mean((0, 2, 3), keepdim=True)
    images /= (images**2).mean((0, 2, 3), keepdim=True).sqrt()
    with torch.no_grad():
        loss = torch.nn.functional.cross_entropy(
            network(images)[0], torch.from_numpy(arrays["y_test"])
        )
    assert scores.loss == pytest.approx(loss.item(), rel=1e-3)


def test_what_cannot_be_tested_or_trained_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has other classes than the 3 of .* Train it on them"):
        score_checkpoint(options(folder, tmp_path, "regnet.pth", test_only=True))
    with pytest.raises(UserError, match="say which cells: --genotype"):
        plan_training(options(folder, tmp_path, "weights.pt"))
    with pytest.raises(UserError, match="it has no cells; leave --genotype out"):
        plan_training(options(folder, tmp_path, "regnet.pth", genotype="darts_v2"))
    with pytest.raises(UserError, match=r"another network: .*Leave the model out"):
        plan_training(options(folder, tmp_path, "regnet.pth", model="regnetx_200mf"))


def test_the_backbone_of_a_detector(folder: Path) -> None:
    chosen = DetectionOptions(dataset="shapes", pretrained=str(folder / "regnet.pth"))
    backbone = create_backbone(chosen)
    theirs = torch.load(folder / "regnet.pth", weights_only=True)
    assert backbone.mean == IMAGENET_MEAN
    assert backbone.maps.network.state_dict()["stem.conv.weight"].equal(theirs["stem.0.weight"])
