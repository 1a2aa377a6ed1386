"""Models are found, built and described by name."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import darts
from darts.cli import main
from darts.errors import UserError
from darts.models.anynet.config import AnyNetConfig, Stage
from darts.models.anynet.network import AnyNet
from darts.models.anynet.zoo import find_anynet
from darts.models.derived import Network
from darts.models.registry import (
    create_network,
    find_model,
    list_models,
    network_from_description,
    save_model,
)
from genotypes import GenotypeError, load_genotype, save_genotype

TINY = {"channels": 4, "layers": 3, "num_classes": 5}
CONFIG = AnyNetConfig(stages=(Stage(depth=1, width=8, group_width=4, se_ratio=0.25),))


def test_is_the_public_one() -> None:
    assert darts.create_network is create_network


def test_genotypes_in_all_forms(tmp_path: Path) -> None:
    save_genotype(load_genotype("darts_v1"), tmp_path / "own.yaml")
    made = [
        create_network(model, generator=torch.Generator().manual_seed(0), **TINY)
        for model in ("darts_v1", load_genotype("darts_v1"), str(tmp_path / "own.yaml"))
    ]
    for network in made:
        assert isinstance(network, Network)
        assert network.description == made[0].description
        assert torch.equal(network.classifier.weight, made[0].classifier.weight)


@pytest.mark.parametrize(
    ("stem", "classes", "expected", "resolution", "strides"),
    [
        (None, None, 1000, 224, [2, 2, 2, 2]),
        ("imagenet", 7, 7, 224, [2, 2, 2, 2]),
        ("cifar", None, 10, 32, [1, 2, 2, 2]),
    ],
)
def test_published_networks(
    stem: str | None, classes: int | None, expected: int, resolution: int, strides: list[int]
) -> None:
    with torch.device("meta"):
        network = create_network("regnetx_200mf", stem=stem, num_classes=classes)
    assert isinstance(network, AnyNet)
    assert network.classifier.out_features == expected
    assert network.resolution == resolution
    assert [stage.stride for stage in network.config.stages] == strides
    logits, auxiliary = network(torch.empty(2, 3, resolution, resolution, device="meta"))
    assert logits.shape == (2, expected)
    assert auxiliary is None


@pytest.mark.parametrize("name", list_models())
def test_every_name_gives_a_network(name: str) -> None:
    with torch.device("meta"):
        create_network(name, stem="cifar")


def test_seeds() -> None:
    first, second, third = (
        create_network(CONFIG, num_classes=3, generator=torch.Generator().manual_seed(seed))
        for seed in (0, 0, 1)
    )
    assert torch.equal(first.classifier.weight, second.classifier.weight)
    assert not torch.equal(first.classifier.weight, third.classifier.weight)


@pytest.mark.parametrize(
    "build",
    [
        lambda: create_network("pcdarts_cifar10", auxiliary=True, **TINY),
        lambda: create_network(CONFIG, num_classes=4),
        lambda: create_network(CONFIG, stem="cifar"),
    ],
)
def test_rebuilt_from_its_description(build: Any) -> None:
    network = build()
    description = json.loads(json.dumps(network.description))
    again = network_from_description(description)
    assert again.description == network.description
    assert again.resolution == network.resolution
    again.load_state_dict(network.state_dict())
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again.eval()(images)[0], network.eval()(images)[0])


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("regnetx_400", "regnetx_400mf"),
        ("pcdarts_cifar", "pcdarts_cifar10"),
        ("resnet5", "resnet50"),
        ("ResNext51", "resnext50"),
    ],
)
def test_unknown_names(name: str, close: str) -> None:
    with pytest.raises(UserError, match=rf"no model '{name}'.*Did you mean.*{close}"):
        create_network(name)


def test_unknown_without_a_guess() -> None:
    with pytest.raises(UserError, match=r"no model 'zzz'\. Known are the genotypes amoebanet"):
        create_network("zzz")


def test_files_are_still_files(tmp_path: Path) -> None:
    with pytest.raises(GenotypeError, match=r"no such file"):
        create_network("nowhere.yaml")
    with pytest.raises(GenotypeError, match=r"genotype\.yaml"):
        create_network(str(tmp_path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 36}, "resnet50 takes no channels"),
        ({"layers": 3, "auxiliary": True}, "takes no layers or auxiliary"),
        ({"stem": "simple"}, "no stem 'simple'; the stems are cifar, imagenet"),
    ],
)
def test_options_of_other_models(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        create_network("resnet50", **options)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["regnetx_400mf"], (5_157_512, 397_677_568, 3_142_272, 224)),
        (["resnet50"], (25_557_032, 4_089_184_256, 11_113_984, 224)),
        (["regnety_400mf"], (4_344_144, 401_842_848, 3_891_496, 224)),
    ],
)
def test_cost_in_json(
    arguments: list[str], expected: tuple[int, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cost", *arguments, "--json"]) == 0
    names = ("params", "macs", "activations", "resolution")
    made = {"model": arguments[0], **dict(zip(names, expected, strict=True))}
    assert json.loads(capsys.readouterr().out) == made


def test_cost_of_another_resolution_and_setting(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "resnext101", "--json", "--setting", "cifar", "--classes", "5"]) == 0
    small = json.loads(capsys.readouterr().out)
    config = find_anynet("resnext101")
    assert config is not None
    # The stem is 3x3 instead of 7x7, and there are 5 classes instead of 1000.
    assert small["params"] == 44_177_704 - 64 * 3 * (49 - 9) - 2049 * 995
    assert small["resolution"] == 32
    assert main(["cost", "regnetx_200mf", "--json", "--resolution", "64"]) == 0
    assert json.loads(capsys.readouterr().out)["resolution"] == 64


def test_cost_for_people_shows_the_published_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "resnet50"]) == 0
    shown = capsys.readouterr().out
    assert "4,089,185,256" in shown
    assert "11,315,688" in shown


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["regnetx_400mf", "--layers", "3"], "takes no layers"),
        (["regnetx_400mf", "--resolution", "28"], "at least 32x32"),
        (["regnet_x_400mf"], "regnetx_400mf"),
    ],
)
def test_cost_refuses(arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", *arguments]) == 2
    assert part in capsys.readouterr().err


def test_a_network_is_found_in_its_file(tmp_path: Path) -> None:
    config = find_model("regnety_400mf")
    assert isinstance(config, AnyNetConfig)
    save_model(config, tmp_path / "mine.yaml")
    assert find_model(str(tmp_path / "mine.yaml")) == config
    (tmp_path / "broken.yaml").write_text("anynet: {stages: [{depth: 0, width: 8}]}")
    with pytest.raises(UserError, match=r"broken\.yaml: Stage 1 .* depth"):
        find_model(str(tmp_path / "broken.yaml"))
