"""A family that is defined here and registered by one line works in every command."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import nn

from darts.cli import main
from darts.costs.count import count
from darts.models import registry
from darts.models.family import Family
from darts.models.rounding import nearest_multiple
from darts.models.staged_config import StagedConfig
from darts.models.staged_cost import StagedCost
from darts.models.staged_network import StagedNetwork, create_stages
from ops.blocks import ConvNorm
from ops.initialise import initialise_by_fan_out


class PlainBlock(ConvNorm):
    """A 3x3 convolution, batch norm and ReLU; drop path has nothing to drop."""

    def forward(self, x: torch.Tensor, *_: object) -> torch.Tensor:
        return super().forward(x)


@dataclass(frozen=True, kw_only=True)
class PlainStage:
    depth: int
    width: int
    stride: int = 2


@dataclass(frozen=True, kw_only=True)
class PlainConfig(StagedConfig):
    kind = "a plain network"
    stage_type = PlainStage
    stem: str = "imagenet"
    stem_width: int = 8

    @property
    def stem_stride(self) -> int:
        return 1

    @property
    def resolution(self) -> int:
        return 32

    def for_small_images(self) -> "PlainConfig":
        return replace(self, stem="cifar")


class PlainNet(StagedNetwork):
    key = "plain"

    def __init__(self, config: PlainConfig, *, num_classes: int, generator=None) -> None:
        super().__init__(config, num_classes)
        self.stem = ConvNorm(3, config.stem_width, 3, relu=True)

        def block(stage: PlainStage, c_in: int, first: bool) -> nn.Module:
            return PlainBlock(c_in, stage.width, 3, stride=stage.stride if first else 1, relu=True)

        self.stages = create_stages(config, config.stem_width, block)
        self.classifier = nn.Linear(config.stages[-1].width, num_classes)
        initialise_by_fan_out(self, generator)


def plain_cost(config: PlainConfig, *, resolution: int = 32, num_classes: int = 10) -> StagedCost:
    c_in, size, params, macs, outputs = 3, resolution, 0, 0, 0
    layers = [(config.stem_width, 1)]
    for stage in config.stages:
        layers += [(stage.width, stage.stride), *[(stage.width, 1)] * (stage.depth - 1)]
    for width, stride in layers:
        size = -(-size // stride)
        params += 9 * c_in * width + 2 * width
        macs += 9 * c_in * width * size**2
        outputs += width * size**2
        c_in = width
    return StagedCost(
        params=params + (c_in + 1) * num_classes,
        conv_macs=macs,
        linear_macs=c_in * num_classes,
        activations=outputs,
    )


def scaled_plain(base: PlainConfig, *, width: float, depth: float, resolution: int) -> PlainConfig:
    stages = (
        replace(
            stage,
            width=nearest_multiple(stage.width * width, 2),
            depth=nearest_multiple(stage.depth * depth, 1),
        )
        for stage in base.stages
    )
    return replace(
        base, stages=tuple(stages), stem_width=nearest_multiple(base.stem_width * width, 2)
    )


TINY = PlainConfig(stages=(PlainStage(depth=1, width=16), PlainStage(depth=2, width=32)))

PLAIN = Family(
    config=PlainConfig,
    network=PlainNet,
    names=lambda: ("plain_tiny",),
    find={"plain_tiny": TINY}.get,
    cost=plain_cost,
    scaled=scaled_plain,
)

TRAINING = [
    *("--model=plain_tiny", "--dataset=digits", "--epochs=1", "--batch-size=64", "--cutout=0"),
    *("--train-images=128", "--test-images=100", "--threads=1", "--device=cpu"),
]


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "FAMILIES", [*registry.FAMILIES])
    registry.register_family(PLAIN)


def test_a_key_belongs_to_one_family() -> None:
    assert registry.register_family(PLAIN) is PLAIN
    with pytest.raises(ValueError, match="already a family 'plain'"):
        registry.register_family(replace(PLAIN, names=lambda: ()))


def test_the_closed_form_is_what_is_counted() -> None:
    counted = count(registry.create_network(TINY, num_classes=10), 32)
    closed = plain_cost(TINY)
    for name in ("params", "macs", "activations"):
        assert getattr(closed, name) == getattr(counted, name)


def test_cost(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "plain_tiny", "--json", "--setting", "cifar"]) == 0
    assert json.loads(capsys.readouterr().out)["params"] == plain_cost(TINY).params
    assert main(["cost", "plain_tiny", "--layers", "3"]) == 2
    assert "takes no layers" in capsys.readouterr().err


def test_scale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["scale", "plain_tiny", "--phi", "0", "1", "--json", "-o", str(tmp_path / "ladder")]
    assert main([*arguments, "--setting", "cifar"]) == 0
    base, larger = json.loads(capsys.readouterr().out)
    assert base["params"] == plain_cost(TINY).params < larger["params"]
    written = tmp_path / "ladder" / "plain_tiny-phi1.network.yaml"
    assert registry.find_model(str(written)).depth == larger["depth"]


def test_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(tmp_path / "run")
    assert main(["evaluate", *TRAINING, "--run-dir", run]) == 0
    assert "plain_tiny" in capsys.readouterr().out
    assert main(["evaluate", "--test-only", "--checkpoint", run, *TRAINING[1:]]) == 0
    assert main(["evaluate", "--resume", run]) == 0
    capsys.readouterr()


def test_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "comparison"
    arguments = ["--baseline=regnetx", "--population=2", "--tolerance=0.8", "--stem-width=8"]
    more = ["--latency-batch=0", "--run-dir", str(run)]
    assert main(["compare", *TRAINING, *arguments, *more]) == 0
    found = json.loads((run / "comparison.json").read_text())
    assert found["genotype"] == "plain_tiny"
    capsys.readouterr()
