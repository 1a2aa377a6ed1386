"""EfficientNets and FBNetV3s: rounding, published counts to the unit, torchvision's networks."""

import json
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from darts.costs.count import count
from darts.models.mbconv.config import MBConvConfig, round_width
from darts.models.mbconv.cost import mbconv_cost
from darts.models.mbconv.network import MBConvNet
from darts.models.mbconv.zoo import EFFICIENTNETS, efficientnet, find_mbconv_net, list_mbconv_nets
from darts.system.torchvision_compat import torchvision


def config(name: str) -> MBConvConfig:
    found = find_mbconv_net(name)
    assert found is not None
    return found


@cache
def build(name: str) -> MBConvNet:
    with torch.device("meta"):
        return MBConvNet(config(name), num_classes=1000)


@pytest.mark.parametrize(
    ("name", "params", "macs", "activations"),
    [
        # Counts of the authors' networks, at each model's own resolution.
        ("efficientnet_b0", 5_288_548, 385_814_752, 6_747_036),
        ("efficientnet_b1", 7_794_184, 686_802_832, 10_883_328),
        ("efficientnet_b2", 9_109_994, 993_561_872, 13_831_834),
        ("efficientnet_b3", None, 1_827_141_392, 23_830_296),
        ("efficientnet_b4", 19_341_616, 4_393_771_024, 49_488_032),
        ("efficientnet_b5", None, 10_266_384_752, 98_856_400),
        ("efficientnet_b6", 43_040_704, 19_067_593_536, 167_392_400),
        ("efficientnet_b7", None, 37_745_884_192, 289_938_464),
        ("efficientnet_b8", None, 62_597_461_568, 442_885_462),
        ("efficientnet_l2", None, 475_703_653_280, 1_707_389_020),
        ("fbnetv3_a0", 6_309_976, 217_917_744, None),
        ("fbnetv3_a", 8_598_480, 355_514_328, None),
        ("fbnetv3_b", 8_598_480, 460_150_000, None),
        ("fbnetv3_d", 10_306_296, 642_628_864, None),
        ("fbnetv3_g", 16_623_920, 2_125_187_200, 26_029_160),
        # As torchvision's network.
        ("mobilenet_v2", 3_504_872, 300_774_272, None),
    ],
)
def test_published_counts(
    name: str, params: int | None, macs: int, activations: int | None
) -> None:
    network = build(name)
    counted = count(network, network.resolution)
    closed = mbconv_cost(network.config)
    for cost in (counted, closed):
        assert cost.params == params or params is None
        assert cost.macs == macs
        assert cost.activations == activations or activations is None


@pytest.mark.parametrize(
    ("name", "resolution", "macs"),
    [
        ("efficientnet_b1", 224, 569_651_680),
        ("efficientnet_b4", 224, 1_503_710_432),
        ("efficientnet_b7", 224, 5_169_865_152),
        ("efficientnet_l2", 475, 170_892_857_680),
        # Counts of timm's FBNetV3-D and -G, which agree with the authors'.
        ("fbnetv3_d", 224, 501_971_056),
        ("fbnetv3_g", 240, 1_253_584_000),
    ],
)
def test_counts_at_other_resolutions(name: str, resolution: int, macs: int) -> None:
    assert mbconv_cost(config(name), resolution=resolution).macs == macs


@pytest.mark.parametrize(
    ("name", "flops", "weights"),
    [
        ("fbnetv3_a", 356.598280, 8.542224),
        ("fbnetv3_b", 461.550136, 8.542224),
        ("fbnetv3_c", 557.0, 9.9),
        ("fbnetv3_d", 644.420352, 10.237552),
        ("fbnetv3_e", 762.0, 10.7),
        ("fbnetv3_f", 1181.6, 13.8),
        ("fbnetv3_g", 2129.656384, 16.513648),
    ],
)
def test_published_figures_of_fbnetv3(name: str, flops: float, weights: float) -> None:
    digits = 6 if round(flops, 1) != flops else 1
    assert round(mbconv_cost(config(name)).fbnet_flops / 1e6, digits) == flops
    kernels = [p.numel() for p in build(name).parameters() if p.dim() > 1]
    assert round(sum(kernels) / 1e6, digits) == weights


@pytest.mark.parametrize(("name", "macs"), [("fbnetv3_a", 407_508_576), ("fbnetv3_b", 520_022_232)])
def test_odd_paddings_matter(name: str, macs: int) -> None:
    odd = config(name)
    usual = replace(odd, stages=tuple(replace(stage, padding=None) for stage in odd.stages))
    assert mbconv_cost(usual).macs == macs


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("fbnetv3_a", (112, 56, 28, 13, 6)),
        ("fbnetv3_b", (124, 62, 31, 15, 7)),
        ("fbnetv3_d", (124, 62, 31, 16, 8)),
        ("fbnetv3_e", (132, 66, 33, 16, 8)),
        ("fbnetv3_f", (136, 68, 34, 17, 8)),
    ],
)
def test_feature_sizes(name: str, sizes: tuple[int, ...]) -> None:
    network = build(name)
    expected = network.config.sizes(network.resolution)
    assert tuple(dict.fromkeys(expected)) == sizes
    x = torch.empty(1, 3, network.resolution, network.resolution, device="meta")
    x = network.stem(x)
    made = [x.shape[-1]]
    for stage in network.stages:
        assert isinstance(stage, nn.ModuleList)
        for block in stage:
            x = block(x)
        made.append(x.shape[-1])
    assert tuple(made) == expected


@pytest.mark.parametrize(
    ("name", "stem", "widths", "head", "depths"),
    [
        ("b2", 32, [16, 24, 48, 88, 120, 208, 352], 1408, [2, 3, 3, 4, 4, 5, 2]),
        ("b3", 40, [24, 32, 48, 96, 136, 232, 384], 1536, [2, 3, 3, 5, 5, 6, 2]),
        ("b5", 48, [24, 40, 64, 128, 176, 304, 512], 2048, [3, 5, 5, 7, 7, 9, 3]),
        ("b7", 64, [32, 48, 80, 160, 224, 384, 640], 2560, [4, 7, 7, 10, 10, 13, 4]),
        ("b8", 72, [32, 56, 88, 176, 248, 424, 704], 2816, [4, 8, 8, 11, 11, 15, 4]),
        ("l2", 136, [72, 104, 176, 344, 480, 824, 1376], 5504, [6, 11, 11, 16, 16, 22, 6]),
    ],
)
def test_filters_and_repeats(
    name: str, stem: int, widths: list[int], head: int, depths: list[int]
) -> None:
    made = config(f"efficientnet_{name}")
    assert (made.stem_width, made.head_width) == (stem, head)
    assert [stage.width for stage in made.stages] == widths
    assert [stage.depth for stage in made.stages] == depths


def test_rounding_by_hand() -> None:
    # 35.2 and 36 (a half goes up); 137.6; 10.4 would fall to 8 < 0.9 · 10.4; 8.8 to 8 > 7.92.
    assert round_width([35.2, 36, 137.6, 10.4, 8.8, 1]).tolist() == [32, 40, 136, 16, 8, 8]
    # 8.4 to 8 >= 0.95 · 8.4 = 7.98; 8.5 to 8 < 8.075.
    assert round_width([8.4, 8.5], least=0.95).tolist() == [8, 16]


def test_every_published_size(shared: Path) -> None:
    models = json.loads((shared / "facts/efficientnet.json").read_text())["models"]
    assert {f"efficientnet_{name}" for name in models} == set(EFFICIENTNETS)
    for name, model in models.items():
        made = config(f"efficientnet_{name}")
        assert made.depth == model["blocks"]
        assert (made.resolution, made.dropout) == (model["resolution"], model["dropout"])
        if "macs_at_224" in model:
            assert mbconv_cost(made, resolution=224).macs == model["macs_at_224"]
    searched = json.loads((shared / "facts/fbnetv3.json").read_text())["architectures"]
    for name, model in searched.items():
        made = config(name)
        assert made.resolution == model["resolution"]
        # The number of blocks there includes the stem and the head.
        assert made.depth + 2 == model["blocks"]


@pytest.mark.parametrize("name", ["efficientnet_b0", "efficientnet_b1"])
def test_same_numbers_as_torchvision(name: str) -> None:
    norm = partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)
    theirs = getattr(torchvision.models, name)(norm_layer=norm, num_classes=5).double().eval()
    ours = MBConvNet(config(name), num_classes=5).double().eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, 0.1, 0.1, generator=generator)
    state = zip(ours.state_dict(), theirs.state_dict().values(), strict=True)
    ours.load_state_dict(dict(state))
    x = torch.randn(1, 3, 64, 64, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(ours(x)[0], theirs(x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", [f"efficientnet_b{number}" for number in range(8)])
def test_same_parameters_as_torchvision(name: str) -> None:
    with torch.device("meta"):
        theirs = getattr(torchvision.models, name)()
    shapes: Any = [tuple(parameter.shape) for parameter in theirs.parameters()]
    assert [tuple(parameter.shape) for parameter in build(name).parameters()] == shapes


def test_names() -> None:
    assert len(list_mbconv_nets()) == 10 + 8 + 1
    assert find_mbconv_net("EfficientNet-B0") == efficientnet(1.0, 1.0)
    assert find_mbconv_net("FBNetV3-A0") == config("fbnetv3_a0")
    assert find_mbconv_net("efficientnet_b9") is None
    assert config("fbnetv3_a").stages == config("fbnetv3_b").stages
