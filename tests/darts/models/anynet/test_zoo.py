"""The published models: every published count to the unit, and torchvision's networks."""

from functools import cache

import pytest
import torch
from torch import Tensor, nn

from darts.costs.count import count
from darts.design_space.published import PublishedModel, published_models
from darts.models.anynet.config import AnyNetConfig
from darts.models.anynet.cost import anynet_cost
from darts.models.anynet.network import AnyNet
from darts.models.anynet.zoo import REGNETS, RESNETS, find_anynet, list_anynets
from darts.system.torchvision_compat import torchvision

PUBLISHED = {row.model: row for row in published_models() if row.model in list_anynets()}


@cache
def build(name: str) -> AnyNet:
    config = find_anynet(name)
    assert config is not None
    with torch.device("meta"):
        return AnyNet(config, num_classes=1000)


def count_as_pycls(module: nn.Module, resolution: int) -> tuple[int, int]:
    """pycls' flops and acts, counted on the module."""
    flops, acts = [], []

    def record(layer: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        acts.append(output.numel())
        if not isinstance(layer, nn.MaxPool2d):
            biases = 0 if layer.bias is None else len(layer.bias)
            flops.append(output.numel() * layer.weight[0].numel() + biases)

    handles = [
        layer.register_forward_hook(record)
        for layer in module.modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear, nn.MaxPool2d))
    ]
    module.eval()(torch.empty(1, 3, resolution, resolution, device="meta"))
    for handle in handles:
        handle.remove()
    return sum(flops), sum(acts)


def test_all_are_published() -> None:
    assert len(REGNETS) == 24
    assert len(RESNETS) == 8
    # ResNets of basic blocks are not in the RegNet paper.
    assert set(PUBLISHED) == set(list_anynets()) - {"resnet18", "resnet34"}


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [("resnet18", 11_689_512, 1_814_073_344), ("resnet34", 21_797_672, 3_663_761_408)],
)
def test_resnets_of_basic_blocks(name: str, params: int, macs: int) -> None:
    network = build(name)
    theirs = getattr(torchvision.models, name)
    with torch.device("meta"):
        assert sum(one.numel() for one in theirs().parameters()) == params
        assert count(theirs(), 224).macs == macs
    for cost in (count(network, 224), anynet_cost(network.config)):
        assert (cost.params, cost.macs) == (params, macs)
    assert find_anynet("ResNet-18") == RESNETS["resnet18"]
    assert AnyNetConfig.from_dict(network.config.as_dict()) == network.config


@pytest.mark.parametrize("row", PUBLISHED.values(), ids=lambda row: row.model)
def test_published_counts(row: PublishedModel) -> None:
    network = build(row.model)
    params = sum(parameter.numel() for parameter in network.parameters())
    expected = (row.params, row.flops, row.acts)
    assert (params, *count_as_pycls(network, 224)) == expected
    closed = anynet_cost(network.config)
    assert (closed.params, closed.pycls_flops, closed.pycls_acts) == expected
    counted = count(network, 224)
    assert (closed.conv_macs, closed.linear_macs) == (counted.conv_macs, counted.linear_macs)
    assert closed.activations == counted.activations


@pytest.mark.parametrize(
    ("name", "params", "flops", "acts"),
    [
        # Counts of pycls for its own networks, written out here.
        ("regnetx_200mf", 2_684_792, 199_040_872, 2_164_056),
        ("regnetx_16gf", 54_278_536, 15_940_756_456, 25_515_496),
        ("regnety_3.2gf", 19_436_338, 3_176_496_162, 11_263_418),
        ("regnety_32gf", 145_046_770, 32_279_583_362, 30_261_570),
        ("resnet50", 25_557_032, 4_089_185_256, 11_315_688),
        ("resnext50", 25_028_904, 4_230_480_872, 14_602_216),
    ],
)
def test_counts(name: str, params: int, flops: int, acts: int) -> None:
    cost = anynet_cost(build(name).config)
    assert (cost.params, cost.pycls_flops, cost.pycls_acts) == (params, flops, acts)
    # The paper defines activations as the outputs of convolutions only.
    pooled = 64 * 56 * 56 if name.startswith("res") else 0
    assert cost.activations == acts - 1000 - pooled


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("regnetx_800mf", "regnet_x_800mf"),
        ("regnety_400mf", "regnet_y_400mf"),
        ("resnet50", "resnet50"),
        ("resnext50", "resnext50_32x4d"),
    ],
)
def test_same_as_torchvision(name: str, theirs: str) -> None:
    other = torchvision.models.get_model(theirs)
    assert count(build(name), 224) == count(other, 224)
    shapes = [
        sorted(tuple(parameter.shape) for parameter in network.parameters())
        for network in (build(name), other)
    ]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(
    ("name", "theirs", "params", "ours", "others"),
    [
        ("regnetx_400mf", "regnet_x_400mf", 5_495_976, [32, 64, 160, 384], [32, 64, 160, 400]),
        ("regnety_800mf", "regnet_y_800mf", 6_432_512, [64, 128, 320, 768], [64, 144, 320, 784]),
        ("regnety_8.0gf", "regnet_y_8gf", 39_381_472, [168, 448, 896, 2016],
         [224, 448, 896, 2016]),
    ],
)  # fmt: skip
def test_torchvision_has_another_network_of_this_name(
    name: str, theirs: str, params: int, ours: list[int], others: list[int]
) -> None:
    other = torchvision.models.get_model(theirs)
    assert count(other, 224).params == params != count(build(name), 224).params
    assert [stage.width for stage in build(name).config.stages] == ours
    last = [list(stage.children())[-1] for stage in other.trunk_output.children()]
    assert [block.f.c[0].out_channels for block in last] == others


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("RegNetX-4.0GF", "regnetx_4.0gf"),
        ("regnetx_4gf", "regnetx_4.0gf"),
        ("regnety_8gf", "regnety_8.0gf"),
        ("regnetx_3.2gf", "regnetx_3.2gf"),
        ("ResNet-50", "resnet50"),
        ("resnext101_32x4d", "resnext101"),
        ("ResNeXt-152", "resnext152"),
    ],
)
def test_spellings(spelling: str, name: str) -> None:
    assert find_anynet(spelling) == find_anynet(name) is not None


@pytest.mark.parametrize(
    "name",
    ["resnet5", "regnetx", "regnetx_3gf", "resnet", "resnext101_64x4d", "regnet_x_400mf", ""],
)
def test_other_names(name: str) -> None:
    assert find_anynet(name) is None


def test_the_cifar_network_of_pycls_is_of_its_size() -> None:
    from darts.models.anynet.regnet import RegNet

    # configs/sweeps/cifar/cifar_best.yaml: a RegNet of up to 125 MF and two stages.
    model = RegNet(depth=12, w0=96, wa=19.5, wm=2.942, group_width=8, se_ratio=0.25)
    config = model.config(stem="cifar", stem_width=16)
    assert [(stage.depth, stage.width) for stage in config.stages] == [(4, 96), (8, 280)]
    cost = anynet_cost(config, resolution=32, num_classes=10)
    assert 118e6 < cost.macs < 125e6
