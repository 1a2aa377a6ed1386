"""Costs: published and derived counts of the zoo and of supernets, exact to the unit."""

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from darts.costs.count import Cost, count, operation_cost
from darts.errors import UserError
from darts.models.registry import create_network
from tests.reference.supernet import ReferenceSupernet
from tests.reference.test_supernet import uniform_tables

CIFAR10 = {
    # params, params with the auxiliary head, macs of convolutions
    "darts_v1": (3_169_414, 3_645_840, 500_981_760),
    "darts_v2": (3_349_342, 3_825_768, 528_353_280),
    "pcdarts_cifar10": (3_634_678, 4_111_104, 556_664_832),
    "pcdarts_imagenet": (3_721_510, 4_197_936, 570_461_184),
}
CIFAR100 = {
    "darts_v1": (3_221_344, 3_766_980, 500_981_760),
    "darts_v2": (3_401_272, 3_946_908, 528_353_280),
    "pcdarts_cifar10": (3_686_608, 4_232_244, 556_664_832),
    "pcdarts_imagenet": (3_773_440, 4_319_076, 570_461_184),
}
IMAGENET = {
    "darts_v1": (4_510_432, 5_771_208, 505_096_704),
    "darts_v2": (4_718_752, 5_979_528, 529_143_552),
    "pcdarts_cifar10": (5_270_560, 6_531_336, 570_369_408),
    "pcdarts_imagenet": (5_342_464, 6_603_240, 580_859_328),
}
TOTALS = {  # convolutions and linear layer, for CIFAR-10, CIFAR-100 and ImageNet
    "darts_v1": (500_987_520, 501_039_360, 505_864_704),
    "darts_v2": (528_359_040, 528_410_880, 529_911_552),
    "pcdarts_cifar10": (556_670_592, 556_722_432, 571_137_408),
    "pcdarts_imagenet": (570_466_944, 570_518_784, 581_627_328),
}
ELEMENTS = {  # ImageNet: outputs of batch norms and of ReLUs, macs by the published rule
    "darts_v1": (3_876_096, 5_531_904, 519_148_800),
    "darts_v2": (4_139_520, 5_795_328, 543_985_920),
    "pcdarts_cifar10": (4_271_232, 6_265_728, 585_945_600),
    "pcdarts_imagenet": (4_478_208, 6_472_704, 597_056_448),
}


@cache
def cost(model: str, stem: str, classes: int) -> tuple[Cost, int]:
    """The cost, and the number of parameters including the auxiliary head."""
    with torch.device("meta"):
        network = create_network(model, stem=stem, num_classes=classes, auxiliary=True)
    total = sum(parameter.numel() for parameter in network.parameters())
    return count(network, network.resolution), total


@pytest.mark.parametrize("model", CIFAR10)
@pytest.mark.parametrize(
    ("stem", "classes", "expected", "linear", "column"),
    [
        ("cifar", 10, CIFAR10, 5_760, 0),
        ("cifar", 100, CIFAR100, 57_600, 1),
        ("imagenet", 1000, IMAGENET, 768_000, 2),
    ],
)
def test_zoo(
    model: str,
    stem: str,
    classes: int,
    expected: dict[str, tuple[int, int, int]],
    linear: int,
    column: int,
) -> None:
    counted, with_head = cost(model, stem, classes)
    assert (counted.params, with_head, counted.conv_macs) == expected[model]
    assert counted.linear_macs == linear
    assert counted.macs == TOTALS[model][column]


@pytest.mark.parametrize("model", ELEMENTS)
def test_norms_relus_and_the_published_rule(model: str) -> None:
    counted, _ = cost(model, "imagenet", 1000)
    made = (counted.norm_elements, counted.relu_elements, counted.published_macs)
    assert made == ELEMENTS[model]


@pytest.mark.parametrize(
    ("model", "published"),
    [("pcdarts_cifar10", 586), ("pcdarts_imagenet", 597), ("pdarts_cifar10", 557)],
)
def test_published_multiply_adds_in_millions(model: str, published: int) -> None:
    counted, _ = cost(model, "imagenet", 1000)
    assert round(counted.published_macs / 1e6) == published


@pytest.mark.parametrize(
    ("stem", "classes", "published"), [("cifar", 10, 3.4), ("imagenet", 1000, 4.9)]
)
def test_published_parameters_of_p_darts(stem: str, classes: int, published: float) -> None:
    assert round(cost("pdarts_cifar10", stem, classes)[0].params / 1e6, 1) == published


def test_auxiliary_parameters_as_asked() -> None:
    network = create_network("darts_v1", auxiliary=True, channels=4, layers=3)
    plain, full = count(network, 8), count(network, 8, auxiliary=True)
    # 1x1 from 64 to 128, norm, 2x2 to 768, norm, linear to 10; macs stay.
    head = 64 * 128 + 2 * 128 + 4 * 128 * 768 + 2 * 768 + 768 * 10 + 10
    assert full == plain + Cost(params=head)


@pytest.mark.parametrize(
    ("options", "params", "conv_macs"),
    [
        ({}, 299_578, 56_594_432),
        ({"k": 2}, 671_482, None),
        ({"k": 1}, 1_930_618, 300_253_184),
        (
            {"k": 2, "stem": "imagenet", "num_classes": 1000, "resolution": 224},
            956_512,
            144_136_832,
        ),
    ],
)
def test_supernets(options: dict[str, Any], params: int, conv_macs: int | None) -> None:
    """Every edge evaluates every candidate once and separately, as papers count it."""
    counted = literal_cost(**options)
    assert counted.params == params
    assert conv_macs in (None, counted.conv_macs)


class Uniform(nn.Module):
    """The literal supernet with equal weights of all operations and edges."""

    def __init__(self, net: ReferenceSupernet, nodes: int) -> None:
        super().__init__()
        self.net, self.nodes = net, nodes

    def forward(self, images: Tensor) -> Tensor:
        tables = {
            kind: (operations.to(images), None)
            for kind, (operations, _) in uniform_tables(self.nodes).items()
        }
        return self.net(images, tables)


def literal_cost(resolution: int = 32, **options: Any) -> Cost:
    with torch.device("meta"):
        net = Uniform(ReferenceSupernet(**options), options.get("nodes", 4))
    return count(net, resolution)


def test_operation_cost() -> None:
    # 16 channels, 8x8 to 4x4: two depthwise 3x3 and two 1x1 convolutions, all on 16 outputs a
    # channel; the first ReLU sees the large image.
    sep = Cost(
        params=864,
        conv_macs=16 * 16 * (9 + 16 + 9 + 16),
        activations=4 * 256,
        norm_elements=2 * 256,
        relu_elements=16 * 64 + 256,
    )
    assert operation_cost("sep_conv_3x3", 16, 2, 8) == sep
    assert operation_cost("sep_conv_3x3", 16, 2, 8, searching=True).params == 800
    assert operation_cost("avg_pool_3x3", 16, 1, 8) == Cost()
    assert operation_cost("avg_pool_3x3", 16, 1, 8, searching=True) == Cost(norm_elements=1024)
    assert operation_cost("none", 16, 1, 8) == operation_cost("skip_connect", 16, 1, 8) == Cost()


def test_agrees_with_the_flop_counter_of_torch() -> None:
    network = create_network("amoebanet", channels=4, layers=4).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, 16, 16))
    assert counter.get_total_flops() == 2 * count(network, 16).macs


def test_groups_biases_and_rectangular_kernels() -> None:
    model = nn.Sequential(nn.Conv2d(4, 6, (3, 1), groups=2), nn.Flatten(), nn.Linear(6 * 6 * 8, 5))
    counted = count(model, 8, channels=4)
    assert counted == Cost(
        params=6 * 2 * 3 + 6 + 288 * 5 + 5,
        conv_macs=6 * 6 * 8 * 2 * 3,
        linear_macs=288 * 5,
        activations=288,
    )


def test_the_module_stays_as_it_was() -> None:
    network = create_network("darts_v1", channels=4, layers=3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    count(network, 8)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(part._forward_hooks for part in network.modules())
    assert all(p.requires_grad and p.device.type == "cpu" for p in network.parameters())


def test_an_image_size_that_does_not_fit() -> None:
    with pytest.raises(UserError, match="multiples of 4"):
        count(create_network("darts_v1", channels=4, layers=3), 10)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_counted_module_stays_as_it_was(device: str) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).to(device)
    module[1].eval()
    first = count(module, 8)
    assert [part.training for part in module.modules()] == [True, True, False, True]
    assert not any(part._forward_hooks for part in module.modules())
    assert all(parameter.device.type == device for parameter in module.parameters())
    with pytest.raises(RuntimeError):
        count(module, 8, channels=5)
    assert [part.training for part in module.modules()] == [True, True, False, True]
    assert (
        count(module, 8)
        == first
        == Cost(params=120, conv_macs=3888, activations=144, norm_elements=144, relu_elements=144)
    )
