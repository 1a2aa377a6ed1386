"""The module and its config: shapes, errors, drop path, weights."""

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from darts.cli import main
from darts.errors import UserError
from darts.models.mbconv.config import MBConvConfig, MBConvStage
from darts.models.mbconv.network import MBConvNet
from darts.models.mbconv.zoo import find_mbconv_net
from darts.models.registry import create_network, network_from_description

FINE: dict[str, Any] = {"depth": 2, "width": 8, "expansion": 2, "se_ratio": 0.25}
STAGES = (
    MBConvStage(**FINE, stride=2),
    MBConvStage(**{**FINE, "depth": 3}, stride=2, kernel=5),
)


def config(**options: Any) -> MBConvConfig:
    return MBConvConfig(
        **{"stages": STAGES, "stem_width": 8, "head_width": 12, "resolution": 48, **options}
    )


def net(seed: int = 0, **options: Any) -> MBConvNet:
    generator = torch.Generator().manual_seed(seed)
    return MBConvNet(config(**options), num_classes=5, generator=generator)


def images(size: int, batch: int = 3) -> Tensor:
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("activation", ["swish", "hard-swish", "relu"])
@pytest.mark.parametrize("head", ["conv", "pool"])
@pytest.mark.parametrize("padding", ["symmetric", "same"])
def test_logits_of_every_kind(activation: str, head: str, padding: str) -> None:
    model = net(activation=activation, head=head, padding=padding, gate="hard-sigmoid")
    for size in (16, 19):
        logits, auxiliary = model(images(size))
        assert logits.shape == (3, 5)
        assert auxiliary is None
        assert logits.isfinite().all()
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_drop_connect_grows_with_depth() -> None:
    model = net().eval()
    seen: list[float] = []
    for stage in model.stages:
        for block in stage:
            block.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[1]))
    model.train()(images(16), 0.2, torch.Generator().manual_seed(0))
    assert seen == pytest.approx([0.0, 0.04, 0.08, 0.12, 0.16])


def test_dropping_in_training_only() -> None:
    model, x = net(dropout=0.5), images(16)
    draws = [model(x, 0.0, torch.Generator().manual_seed(s))[0] for s in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    with pytest.raises(ValueError, match="generator"):
        model(x)
    with pytest.raises(ValueError, match="generator"):
        net()(x, 0.1)
    model.eval()
    before = torch.random.get_rng_state()
    assert torch.equal(model(x)[0], model(x, 0.2, torch.Generator())[0])
    assert torch.equal(before, torch.random.get_rng_state())


def test_weights_come_from_the_generator_alone() -> None:
    first, second, third = net(0), net(0), net(1)
    for one, two in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, two)
    assert not torch.equal(first.classifier.weight, third.classifier.weight)


def test_zero_gamma_where_a_skip_is() -> None:
    for zero in (False, True):
        made = [
            bool(block.project.norm.weight.any())
            for stage in net(zero_gamma=zero).stages
            for block in stage
        ]
        assert made == ([True, False, True, False, False] if zero else [True] * 5)


def test_norms_as_published() -> None:
    for name, eps, momentum in (("efficientnet_b0", 1e-3, 0.01), ("fbnetv3_b", 1e-5, 0.1)):
        with torch.device("meta"):
            network = create_network(name)
        norms = [part for part in network.modules() if isinstance(part, torch.nn.BatchNorm2d)]
        assert {(norm.eps, norm.momentum) for norm in norms} == {(eps, momentum)}


@pytest.mark.parametrize(
    ("name", "strides"),
    [
        ("efficientnet_b0", [1, 1, 2, 2, 1, 2, 1]),
        ("fbnetv3_b", [1, 1, 1, 2, 1, 2, 1, 1, 1, 2, 1, 1]),
    ],
)
def test_small_images(name: str, strides: list[int]) -> None:
    network = create_network(name, stem="cifar")
    assert isinstance(network, MBConvNet)
    assert [stage.stride for stage in network.config.stages] == strides
    assert network.resolution == 32
    assert network.config.sizes(32)[-1] == 4
    assert network.classifier.out_features == 10
    assert network.config.for_small_images() == network.config
    assert network.eval()(images(32, 1))[0].shape == (1, 10)


def test_rebuilt_from_its_description() -> None:
    network = create_network("fbnetv3_a0", stem="cifar", num_classes=4)
    again = network_from_description(json.loads(json.dumps(network.description)))
    assert again.config == network.config
    again.load_state_dict(network.state_dict())
    x = images(32, 2)
    assert torch.equal(again.eval()(x)[0], network.eval()(x)[0])


def test_images_too_small() -> None:
    with pytest.raises(UserError, match="at least 8x8"):
        net()(images(7))
    odd = find_mbconv_net("fbnetv3_b")
    assert odd is not None
    # 49 pixels, halved three times and rounded up: 7; then (7 + 2 - 5) // 2 + 1 = 3 and 1.
    with pytest.raises(UserError, match="at least 49x49"):
        odd.check_image_size(48, 200)
    odd.check_image_size(49, 49)
    assert odd.sizes(49)[-3:] == (1, 1, 1)


@pytest.mark.parametrize(
    ("stage", "options", "message"),
    [
        ({"depth": 0}, {}, "Stage 2.*depth"),
        ({"width": 2.5}, {}, "width is a whole number"),
        ({"kernel": 4}, {}, "kernel is odd"),
        ({"expansion": 0}, {}, "expansion"),
        ({"se_ratio": -1}, {}, "se_ratio"),
        ({"padding": 1}, {}, "only a strided"),
        ({"stride": 2, "padding": -1}, {}, "padding"),
        ({}, {"stem": "simple"}, "stem is one of imagenet, cifar, not 'simple'"),
        ({}, {"activation": "gelu"}, "activation is one of"),
        ({}, {"stages": ()}, "at least one stage"),
        ({}, {"head_width": 0}, "head_width"),
        ({}, {"dropout": 1.0}, "dropout"),
        ({}, {"norm_eps": 0}, "norm_eps"),
        ({}, {"head_expansion": -1}, "head_expansion"),
    ],
)
def test_impossible_networks(stage: dict, options: dict, message: str) -> None:
    stages = (MBConvStage(**FINE), MBConvStage(**{**FINE, **stage}))
    with pytest.raises(UserError, match=message):
        MBConvConfig(**{"stages": stages, **options})


@pytest.mark.parametrize(
    "values", [{}, {"stages": [{"depth": 1}]}, {"stages": [], "colour": 1}, {"stages": 3}]
)
def test_wrong_plain_values(values: dict) -> None:
    with pytest.raises(UserError, match="Not an MBConv network"):
        MBConvConfig.from_dict(values)


def test_plain_values_there_and_back() -> None:
    made = config(padding="same", dropout=0.3)
    assert MBConvConfig.from_dict(json.loads(json.dumps(made.as_dict()))) == made
    assert replace(made, dropout=0.0) != made


def test_needs_classes() -> None:
    with pytest.raises(UserError, match="num_classes"):
        MBConvNet(config(), num_classes=0)


def test_cost_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "EfficientNet-B1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "model": "EfficientNet-B1",
        "params": 7_794_184,
        "macs": 686_802_832,
        "activations": 10_883_328,
        "resolution": 240,
    }
    assert main(["cost", "fbnetv3_b"]) == 0
    assert "461,550,136" in capsys.readouterr().out
