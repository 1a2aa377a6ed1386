"""Ladders: tables, recipes for evaluate.py, plots, and the command."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from darts import api
from darts.cli import main
from darts.models.registry import create_network, find_model
from darts.scaling.bases import create_base
from darts.scaling.coefficients import Coefficients, Factors
from darts.scaling.ladder import Latency, create_rung_network, ladder, write_rungs
from darts.settings.parsing import parse_options
from darts.training.choice import plan_training
from darts.training.options import TrainingOptions, training_overlay
from genotypes import load_genotype, save_genotype


def options_of(recipe: Path) -> TrainingOptions:
    return parse_options(
        TrainingOptions, ["--config", str(recipe)], prog="test", overlay=training_overlay
    )


def test_a_cells_recipe_is_what_evaluate_runs(tmp_path: Path) -> None:
    base = create_base(find_model("pcdarts_imagenet"))
    fits = ladder(base, Coefficients(), [3e8], "macs")
    rung = fits["300M"].rung
    paths = write_rungs(tmp_path, "pcdarts_imagenet", fits, "Why.")
    text = paths["300M"].read_text()
    assert text.startswith(f"# pcdarts_imagenet, 300M: {rung.cost.macs:,} multiply-adds. Why.\n")
    options = options_of(paths["300M"])
    assert (options.channels, options.layers) == (rung.channels, rung.depth)
    assert (options.image_size, options.stem) == (rung.resolution, "imagenet")
    assert not options.auxiliary  # It needs 224 pixels.
    assert options.dataset == "imagenet"
    assert plan_training(options).model == find_model("pcdarts_imagenet")


def test_a_networks_recipe_brings_the_network(tmp_path: Path) -> None:
    base = create_base(find_model("efficientnet_b0"), stem="cifar")
    fits = ladder(base, Coefficients(), [1, 2], "phi")
    paths = write_rungs(tmp_path, "efficientnet_b0", fits)
    for name, path in paths.items():
        options = options_of(path)
        model: Any = plan_training(options).model
        assert model == fits[name].rung.model
        # The trainer builds the same network from the recipe.
        network = create_network(model, num_classes=10, stem=options.stem)
        assert network.config == model
    assert fits["phi1"].rung.resolution == 36  # 32 · 1.15 = 36.8, in multiples of 4.


def test_a_recipe_finds_its_genotype_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_genotype(load_genotype("darts_v1"), tmp_path / "own.yaml")
    fits = ladder(create_base(find_model("own.yaml"), stem="cifar"), Coefficients(), [1], "phi")
    path = write_rungs(tmp_path / "out", "own.yaml", fits)["phi1"]
    assert yaml.safe_load(path.read_text())["genotype"] == str(tmp_path / "own.yaml")


def test_latency_is_measured_once_a_rung() -> None:
    base = create_base(find_model("pcdarts_cifar10"), channels=4, layers=3, resolution=16)
    latency = Latency(base.num_classes, torch.device("cpu"))
    first = latency(base.rung(Factors(1, 1, 1)))
    assert first > 0
    assert latency(base.rung(Factors(1.01, 1, 1))) == first
    assert latency(base.rung(Factors(2, 1, 1))) != first


def test_budgets_of_time() -> None:
    base = create_base(find_model("pcdarts_cifar10"), channels=4, layers=3, resolution=16)
    # A substitute for measured latency: one microsecond per thousand multiply-adds.
    fits = ladder(base, Coefficients(), [1e-3], "latency", latency=lambda r: r.cost.macs / 1e9)
    found = fits["1ms"]
    assert found.amount == found.rung.cost.macs / 1e9
    # No dimension is adjusted: this is the shape of phi, rounded.
    assert found.rung.depth == pytest.approx(3 * found.factors.depth, abs=0.51)
    assert found.rung.channels == pytest.approx(4 * found.factors.width, abs=1.01)
    assert found.rung.resolution == pytest.approx(16 * found.factors.resolution, abs=2.01)


def test_the_same_weights_for_every_measurement() -> None:
    rung = create_base(find_model("darts_v2"), channels=4, layers=3).rung(Factors(1, 1, 1))
    one, two = create_rung_network(rung, 10), create_rung_network(rung, 10)
    for first, second in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(first, second)


def test_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    budgets = ["300M", "1.2G", "4G"]
    assert main(["scale", "pcdarts_imagenet", "--macs", *budgets]) == 0
    shown = capsys.readouterr().out
    assert "581,627,328" in shown  # The multiply-adds of the base.
    assert "python evaluate.py --config ladder-pcdarts_imagenet/pcdarts_imagenet-300M.yaml" in shown
    for suffix in ("svg", "png"):
        assert (tmp_path / f"ladder-pcdarts_imagenet/ladder.{suffix}").stat().st_size > 5000
    arguments = ["scale", "efficientnet_b0", "--phi", "0", "1", "--json", "-o", str(tmp_path)]
    assert main(arguments) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0]["macs"] == 385_814_752
    assert rows[1]["resolution"] == 256
    assert Path(rows[1]["config"]).is_file()


def test_command_says_what_rounding_forbids(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--macs", "600M", "--strategy", "resolution", "-o", str(tmp_path)]
    assert main(["scale", "pcdarts_imagenet", *arguments]) == 0
    assert "rounding forbids 2 %; the nearest network is -3.1 % off" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--macs", "10k"], "infeasible"),
        (["--macs", "much"], "--macs: a number such as"),
        (["--latency", "20"], "--latency: a time such as"),
        (["--phi", "1", "--macs", "1G"], "not allowed with"),
        (["--alpha", "0.5"], "--alpha 0.5"),
        (["--strategy", "wide"], "no strategy 'wide'"),
        (["--resolution", "225"], "not a multiple of 32"),
        (["--k", "32"], "--channels 48: not a multiple of 64"),
        (["--k", "0"], "--k: must be 1 or more"),
        (["--tolerance", "0"], "--tolerance"),
    ],
)
def test_command_refuses(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    assert main(["scale", "pcdarts_imagenet", *arguments, "-o", str(output)]) == 2
    assert message in capsys.readouterr().err
    assert not output.exists()


@pytest.fixture
def data(tmp_path: Path) -> str:
    random = np.random.default_rng(0)
    labels = np.arange(40) % 2
    shade = (labels * 120 + 40)[:, None, None, None]
    images = (shade + random.integers(0, 40, (40, 8, 8, 3))).astype(np.uint8)
    file = tmp_path / "data.npz"
    np.savez(file, x_train=images, y_train=labels, x_test=images[:10], y_test=labels[:10])
    return f"array:{file}"


def test_a_rung_trains(tmp_path: Path, data: str) -> None:
    base = create_base(find_model("pcdarts_cifar10"), channels=4, layers=3, resolution=8)
    path = write_rungs(tmp_path, "pcdarts_cifar10", ladder(base, Coefficients(), [1], "phi"))[
        "phi1"
    ]
    settings = {"epochs": 1, "batch_size": 20, "threads": 1, "device": "cpu", "cutout": 0}
    recipe = yaml.safe_load(path.read_text())
    result = api.evaluate(**recipe, **{**settings, "run_dir": str(tmp_path / "run")}, dataset=data)
    saved = json.loads((result.run_dir / "result.json").read_text())
    counted = base.rung(Coefficients().factors(1)).cost
    # Two classes instead of ten: the classifier has 8 outputs fewer.
    features = (saved["parameters"] - counted.params) / (2 - 10) - 1
    assert saved["macs"] == counted.macs - 8 * features
