"""Networks of torchvision and timm with random weights give the same logits here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from darts.errors import UserError
from darts.models.mbconv.config import MBConvConfig
from darts.models.registry import create_network
from darts.models.weights.foreign import IMAGENET_MEAN, IMAGENET_STD, read_foreign
from darts.system.torchvision_compat import torchvision
from darts.training.pretrained import load_pretrained, pretrained_model

tv: Any = torchvision.models
bottleneck = tv.resnet.Bottleneck


def timm() -> Any:
    return pytest.importorskip("timm", reason="needs timm, whose networks are compared")


def timm_regnet(**settings: Any) -> nn.Module:
    models = pytest.importorskip("timm.models.regnet", reason="needs timm to compare with")
    return models.RegNet(models.RegNetCfg(depth=6, w0=16, wa=24, wm=2.0, **settings), num_classes=7)


def tv_regnet(**settings: Any) -> nn.Module:
    params = tv.regnet.BlockParams.from_init_params(depth=6, w_0=16, w_a=24, w_m=2.0, **settings)
    return tv.regnet.RegNet(params, num_classes=7, stem_width=16)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "torchvision-regnetx": lambda: tv_regnet(group_width=8),
    "torchvision-regnety": lambda: tv_regnet(group_width=8, se_ratio=0.25),
    "torchvision-resnet": lambda: tv.ResNet(bottleneck, [2, 1, 1, 1], num_classes=7),
    "torchvision-resnext": lambda: tv.ResNet(
        bottleneck, [1, 1, 1, 2], num_classes=7, groups=8, width_per_group=4
    ),
    "torchvision-resnet-basic": lambda: tv.ResNet(
        tv.resnet.BasicBlock, [2, 1, 1, 1], num_classes=7
    ),
    "timm-resnet-basic": lambda: timm().models.resnet.ResNet(
        timm().models.resnet.BasicBlock, (1, 1, 2, 1), num_classes=7
    ),
    "torchvision-mobilenet_v2": lambda: tv.mobilenet_v2(num_classes=7),
    "timm-mobilenetv2": lambda: timm().create_model("mobilenetv2_100", num_classes=7),
    "torchvision-efficientnet_b0": lambda: tv.efficientnet_b0(num_classes=7),
    "timm-regnetx": lambda: timm_regnet(group_size=8),
    "timm-regnety": lambda: timm_regnet(group_size=8, se_ratio=0.25),
    "timm-resnext": lambda: timm().models.resnet.ResNet(
        timm().models.resnet.Bottleneck, (1, 2, 1, 1), num_classes=7, cardinality=8, base_width=4
    ),
    "timm-efficientnet_b0": lambda: timm().create_model("efficientnet_b0", num_classes=7),
    "tf_efficientnet_b0": lambda: timm().create_model("tf_efficientnet_b0", num_classes=7),
    "timm-fbnetv3_b": lambda: timm().create_model("fbnetv3_b", num_classes=7),
}


def randomised(network: nn.Module) -> nn.Module:
    """`network` in float64, with random statistics and parameters of batch norms."""
    generator = torch.Generator().manual_seed(0)

    def uniform(value: torch.Tensor) -> torch.Tensor:
        return torch.rand(value.shape, generator=generator) + 0.5

    with torch.no_grad():
        for norm in network.modules():
            if isinstance(norm, nn.BatchNorm2d):
                for value in (norm.running_mean, norm.bias):
                    value.copy_(0.1 * torch.randn(value.shape, generator=generator))
                for value in (norm.running_var, norm.weight):
                    value.copy_(uniform(value))
    return network.double().eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_equal_logits(name: str, tmp_path: Path) -> None:
    theirs = randomised(NETWORKS[name]())
    file = tmp_path / f"{name}.pth"
    torch.save(theirs.state_dict(), file)
    ours = create_network(pretrained_model(file), num_classes=7).double().eval()
    assert load_pretrained(ours, file) == ()
    # An odd size, at which TensorFlow's padding differs from the symmetric one on both sides.
    images = torch.randn(2, 3, 45, 38, dtype=torch.float64, generator=torch.Generator())
    with torch.no_grad():
        expected, found = theirs(images), ours(images)[0]
    assert (found - expected).abs().max() < 1e-9 * expected.abs().max()


def tv_b0(path: Path) -> None:
    torch.save(tv.efficientnet_b0(num_classes=7).state_dict(), path)


def test_epsilon_and_padding_follow_the_program(tmp_path: Path) -> None:
    def settings(file: str, name: str | None = None) -> tuple[float, str]:
        config = read_foreign(tmp_path / file, name).config()
        assert isinstance(config, MBConvConfig)
        return config.norm_eps, config.padding

    tv_b0(tmp_path / "any.pth")
    assert settings("any.pth") == (1e-5, "symmetric")
    state = timm().create_model("efficientnet_b0", num_classes=7).state_dict()
    for file in ("efficientnet_b0_ra-3dd342df.pth", "tf_efficientnet_b0_ns.pth", "model.pth"):
        torch.save(state, tmp_path / file)
    assert settings("efficientnet_b0_ra-3dd342df.pth") == (1e-5, "symmetric")
    assert settings("tf_efficientnet_b0_ns.pth") == (1e-3, "same")
    assert settings("model.pth", "tf_efficientnet_b0") == (1e-3, "same")
    for name in (None, "tf_efficientnet_b3"):
        with pytest.raises(UserError, match=r"--pretrained-as tf_efficientnet_b0, or"):
            settings("model.pth", name)
    config = {"architecture": "tf_efficientnet_b0", "pretrained_cfg": {"mean": [0.5] * 3}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert settings("model.pth") == (1e-3, "same")
    assert read_foreign(tmp_path / "model.pth").normalisation == (
        (0.5, 0.5, 0.5),
        (0.229, 0.224, 0.225),
    )
    with pytest.raises(UserError, match="efficientnet_blur_b0 has the tensors of another network"):
        read_foreign(tmp_path / "any.pth", "efficientnet_blur_b0")


def test_a_network_with_another_epsilon_is_refused(tmp_path: Path) -> None:
    tv_b0(tmp_path / "b0.pth")
    network = create_network("efficientnet_b0", num_classes=7)
    with pytest.raises(UserError, match=r"norm_eps 1e-05, not 0\.001: create the network with"):
        load_pretrained(network, tmp_path / "b0.pth")


def test_wrappers_prefixes_and_other_classes(tmp_path: Path) -> None:
    network = tv_regnet(group_width=8)
    plain = network.state_dict()
    with torch.no_grad():
        averaged = {f"module.{name}": value + 1 for name, value in plain.items()}
    averaged["n_averaged"] = torch.tensor(3)
    file = tmp_path / "checkpoint.pth"
    torch.save({"model": plain, "model_ema": averaged, "epoch": 3, "args": {"lr": 0.1}}, file)
    foreign = read_foreign(file)
    assert foreign.title == "torchvision's RegNet, from model_ema"
    assert foreign.normalisation == (IMAGENET_MEAN, IMAGENET_STD)
    ours = create_network(foreign.config(), num_classes=3)
    assert load_pretrained(ours, file) == ("classifier.weight", "classifier.bias")
    assert ours.state_dict()["stem.conv.weight"].equal(plain["stem.0.weight"] + 1)
    maps = create_network(foreign.config(), features_only=True)
    assert load_pretrained(maps, file) == ()


def test_a_safetensors_file_equals_the_file_of_torch(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.torch", reason="needs safetensors to write a file")
    state = tv_regnet(group_width=8).state_dict()
    torch.save(state, tmp_path / "regnet.pth")
    library.save_file(state, tmp_path / "regnet.safetensors")
    one, other = (read_foreign(tmp_path / f"regnet.{end}") for end in ("pth", "safetensors"))
    assert one.config() == other.config()
    assert one.weights.tensors.keys() == other.weights.tensors.keys()
    assert all(other.weights.tensors[n].equal(value) for n, value in one.weights.tensors.items())


def test_what_is_another_network_is_named(tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"

    def refused(state: Any, problem: str) -> None:
        torch.save(state, file)
        with pytest.raises(UserError, match=problem):
            read_foreign(file).config()

    resnet = {**tv.resnet18().state_dict(), "layer1.0.conv4.weight": torch.ones(1)}
    refused(resnet, "a ResNet of another kind")
    state = tv.mobilenet_v3_small().state_dict()
    refused(state, "not recognised; its first tensor is 'features.0.0")
    for layers, words in (
        ("stem.conv stem.bn s1.b1.proj s1.b1.f.a s1.b1.f.a_bn head.fc", "pycls.* torchvision's"),
        ("_conv_stem _bn0 _blocks.0._depthwise_conv _fc", "EfficientNet-PyTorch.* timm's weights"),
    ):
        state = {f"{layer}.weight": torch.ones(2) for layer in layers.split()}
        refused({"model_state": state}, f"{words}.* instead")
    refused(tv.efficientnet_v2_s().state_dict(), "EfficientNetV2 has fused blocks")
    regnet = tv_regnet(group_width=8).state_dict()
    refused({**regnet, "extra.weight": torch.ones(1)}, "extra.weight has no counterpart")
    missing = {n: value for n, value in regnet.items() if "block1-0.f.b.1.bias" not in n}
    refused(missing, "stages.0.0.spatial.norm.bias is missing")
    refused({**regnet, "stem.1.bias": torch.full((16,), float("nan"))}, "not finite")
    refused([torch.ones(1)], "no state dict but list")
    refused({"state_dict": {"a": 3}}, "is no tensor")
    refused({"w": nn.Linear(1, 1)}, "objects of Python")
    torch.save(regnet, file)
    network = create_network("regnetx_200mf", num_classes=3)
    with pytest.raises(UserError, match="another network"):
        load_pretrained(network, file)
    for content in (b"", b"PK\x03\x04", b"text"):
        file.write_bytes(content)
        with pytest.raises(UserError, match="damaged"):
            read_foreign(file)
    with pytest.raises(UserError, match="does not exist"):
        read_foreign(tmp_path / "missing.safetensors")
