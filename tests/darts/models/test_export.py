"""Exported files compute the same logits as the network."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import darts
from darts.cli import main
from darts.data.transforms import load_image
from darts.errors import UserError
from darts.models import export
from darts.models.export import export_network, settle_norms
from darts.training.predict import load_trained
from darts.training.task import train_network
from genotypes import Genotype, save_genotype
from tests.darts.runs_support import training_options

# Few operations of each kind: exporting those of a published cell takes five times as long.
CELL = Genotype(
    "cell",
    ((("skip_connect", 0), ("sep_conv_3x3", 1)),),
    ((("max_pool_3x3", 0), ("dil_conv_3x3", 1)),),
    (2,),
    (2,),
)


class Tiny(nn.Module):
    """A small network with the outputs of every classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2)
        self.norm = nn.BatchNorm2d(4)
        self.classifier = nn.Linear(4, 5)

    def forward(self, images: Tensor, drop_path: float = 0.0) -> tuple[Tensor, None]:
        return self.classifier(self.norm(self.conv(images)).relu().mean((2, 3))), None


@pytest.fixture(params=export.FORMATS)
def kind(request: pytest.FixtureRequest) -> export.Format:
    if request.param == "onnx":
        for package in ("onnx", "onnxscript", "onnxruntime"):
            pytest.importorskip(package)
    return request.param


def test_the_file_gives_the_logits_of_any_batch(kind: export.Format, tmp_path: Path) -> None:
    network = Tiny().double()  # as after a run in fp64
    notes = {"classes": ["ä", "b"], "mean": [0.5]}
    done = export_network(network, tmp_path / "deep" / "net", kind, 8, notes)
    assert done.difference < 1e-5 < done.largest
    assert [path.name for path in done.path.parent.iterdir()] == ["net"]
    images = torch.randn(4, 3, 8, 8)
    with torch.no_grad():
        expected = network.eval()(images)[0]
    if kind == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(done.path)
        given = torch.from_numpy(session.run(None, {"images": images.numpy()})[0])
        kept = session.get_modelmeta().custom_metadata_map["darts"]
    else:
        extra = {"darts": ""}
        given = torch.export.load(done.path, extra_files=extra).module()(images)
        kept = extra["darts"]
    torch.testing.assert_close(given, expected, atol=1e-5, rtol=1e-5)
    assert json.loads(kept) == notes


def test_a_file_that_computes_something_else_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        export, "_write_program", lambda *_: (lambda images: torch.zeros(len(images), 5), "a stub")
    )
    with pytest.raises(UserError, match=r"is wrong: run by a stub"):
        export_network(Tiny(), tmp_path / "net", "torch-export", 8)
    assert not list(tmp_path.iterdir())


def test_without_onnx_the_command_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    arguments = ["export", "--genotype", "darts_v1", "-o", str(tmp_path / "net.onnx")]
    assert main(arguments) == 2
    assert "pip install onnx onnxruntime onnxscript" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("model", ["pcdarts_imagenet", "efficientnet_b0", "nb201-9930"])
def test_untrained_networks_keep_images_apart(model: str) -> None:
    torch.manual_seed(0)
    network = darts.create_network(model, num_classes=5)
    images = torch.randn(2, 3, 64, 64)
    before = [getattr(module, "momentum", None) for module in network.modules()]
    settle_norms(network, 64)
    with torch.no_grad():
        first, second = network(images)[0]
    assert not network.training
    assert (first - second).abs().max() > 0.1 * first.abs().max()
    assert [getattr(module, "momentum", None) for module in network.modules()] == before


def test_a_cell_by_the_command(
    kind: export.Format, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "net"
    save_genotype(CELL, tmp_path / "cell.yaml")
    arguments = ["export", "--genotype", str(tmp_path / "cell.yaml")]
    arguments += ["--channels", "2", "--layers", "3"]
    arguments += ["--image-size", "32", "--classes", "3", "--format", kind, "-o", str(file)]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "random weights" in said
    difference, largest = map(float, re.findall(r"(?:difference of logits|up to) ([-e.\d]+)", said))
    assert difference < 1e-4 * largest
    assert file.is_file()


def test_a_trained_network_by_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = training_options(tmp_path / "run", epochs=1, train_images=40, channels=4)
    save_genotype(CELL, tmp_path / "cell.yaml")
    train_network(options, CELL)
    file = tmp_path / "net"
    arguments = ["export", "--checkpoint", str(tmp_path / "run"), "--format", "torch-export"]
    arguments += ["-o", str(file)]
    assert main([*arguments, "--genotype", str(tmp_path / "cell.yaml")]) == 0
    said = capsys.readouterr().out
    assert "images [B, 3, 8, 8]" in said
    assert "largest difference" in said
    Image.new("RGB", (20, 20), (90, 30, 200)).save(tmp_path / "image.png")
    trained = load_trained(tmp_path / "run", torch.device("cpu"))
    image = load_image(tmp_path / "image.png", trained.card)
    with torch.no_grad():
        given = torch.export.load(file).module()(image)
        torch.testing.assert_close(given, trained.network(image)[0], atol=1e-5, rtol=1e-5)
    for wrong, message in (
        (["--genotype", "darts_v1"], "a different network, not darts_v1"),
        (["--channels", "8"], "--channels"),
        (["--image-size", "9"], "multiples of 4"),
        (["-o", str(tmp_path)], "is a directory"),
    ):
        assert main([*arguments, *wrong]) == 2
        assert message in capsys.readouterr().err


def test_a_network_is_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--format", "torch-export", "-o", str(tmp_path / "net")]) == 2
    assert "Which network?" in capsys.readouterr().err
