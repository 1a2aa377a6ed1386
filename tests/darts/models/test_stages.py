"""The network of NAS-Bench-201: parts, sizes, options that it has not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cells.derived_cell import DerivedStageCell
from cells.skeleton import Skeleton
from darts.costs.cells import network_cost
from darts.costs.count import count
from darts.errors import UserError
from darts.models.features import FeatureMaps
from darts.models.genotype_network import create_cell_network
from darts.models.registry import create_network, find_model, network_from_description
from darts.models.stages import StageReduction, StagesNetwork
from genotypes import Genotype
from genotypes.nasbench201 import arch_string, genotype_of
from genotypes.nasbench201_cost import StagesSize

MIXED = genotype_of(
    ["skip_connect", "avg_pool_3x3", "none", "none", "avg_pool_3x3", "skip_connect"]
)


def network(genotype: Genotype = MIXED, layers: int = 3, channels: int = 4) -> StagesNetwork:
    net = create_cell_network(
        genotype, num_classes=10, channels=channels, layers=layers, stem="cifar"
    )
    assert isinstance(net, StagesNetwork)
    return net.double()


def by_hand(net: StagesNetwork, images: Tensor) -> Tensor:
    """The formulas of the module, one after the other, for the cell `MIXED`."""

    def pool(x: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)

    x = net.stem[1](net.stem[0](images))
    for stage in range(3):
        one = x
        two = pool(x)
        x = pool(one) + two
        if stage < 2:
            block = net.reductions[stage]
            assert isinstance(block, StageReduction)
            main = block.main
            inner = main[2](main[1](x.relu()))
            shortcut = block.shortcut[1](nn.functional.avg_pool2d(x, 2, 2))
            x = shortcut + main[5](main[4](inner.relu()))
    return net.classifier(net.head[0](x).relu().mean(dim=(2, 3)))


def test_the_network_follows_its_formulas(generator: torch.Generator) -> None:
    net = network().train()
    images = torch.randn(3, 3, 8, 8, generator=generator, dtype=torch.float64)
    expected = by_hand(net, images)
    logits, auxiliary = net(images)
    assert auxiliary is None
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-12)


def test_stages_and_their_places() -> None:
    skeleton = Skeleton.of_stages(layers=6, channels=4)
    assert [cell.channels for cell in skeleton.cells] == [4, 4, 8, 8, 16, 16]
    assert [cell.shrinkage for cell in skeleton.cells] == [1, 1, 2, 2, 4, 4]
    assert (skeleton.shrinkage, skeleton.out_channels, skeleton.reductions) == (4, 16, ())
    net = network(layers=6)
    assert all(isinstance(cell, DerivedStageCell) for cell in net.cells)
    assert [tuple(one.shape[1:]) for one in net.features(torch.zeros(1, 3, 8, 8).double())] == [
        (4, 8, 8),
        (8, 4, 4),
        (16, 2, 2),
    ]


def test_defaults_are_those_of_the_benchmark() -> None:
    with torch.device("meta"):
        made = create_network(MIXED)
    assert {name: made.description[name] for name in ("channels", "layers", "num_classes")} == {
        "channels": 16,
        "layers": 15,
        "num_classes": 10,
    }
    assert sum(p.numel() for p in made.parameters()) == StagesSize().parameters([])
    assert made.resolution == 32


@pytest.mark.parametrize(("channels", "layers", "size"), [(4, 3, 8), (6, 6, 16)])
def test_costs_in_closed_form(channels: int, layers: int, size: int) -> None:
    net = network(channels=channels, layers=layers)
    sizes = {"channels": channels, "layers": layers, "resolution": size}
    assert network_cost(MIXED, stem="cifar", num_classes=10, **sizes) == count(net, size)


def test_a_description_rebuilds_the_network() -> None:
    net = network().eval()
    again = network_from_description(net.description).double().eval()
    again.load_state_dict(net.state_dict())
    images = torch.ones(2, 3, 8, 8, dtype=torch.float64)
    assert again(images)[0].equal(net(images)[0])


def test_recomputed_cells_change_nothing(generator: torch.Generator) -> None:
    images = torch.randn(2, 3, 8, 8, generator=generator, dtype=torch.float64)
    net = network().train()
    gradients = []
    for net.recompute in (False, True):
        net.zero_grad()
        net(images)[0].square().sum().backward()
        gradients.append([parameter.grad for parameter in net.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert one is not None
        assert other is not None
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_a_cell_without_path_does_not_see_the_image(generator: torch.Generator) -> None:
    net = network(genotype_of(["skip_connect", "none", "none", "none", "none", "none"])).eval()
    images = torch.randn(4, 3, 8, 8, generator=generator, dtype=torch.float64)
    logits = net(images)[0]
    assert logits.std(dim=0).max() < 1e-12


def test_backbone_of_feature_maps() -> None:
    maps = FeatureMaps(network())(torch.zeros(1, 3, 8, 8).double())
    assert {stride: one.shape[1] for stride, one in maps.items()} == {"1": 4, "2": 8, "4": 16}


def test_a_string_is_a_model() -> None:
    assert find_model(MIXED.name) == find_model(arch_string(MIXED)) == MIXED


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": 8}, "--layers 8: 8 cells cannot be divided into 3 equal stages"),
        ({"stem": "imagenet"}, "--stem imagenet: a network of stages has a stem of its own"),
        ({"auxiliary": True}, "--auxiliary: a network of stages has no auxiliary head"),
        ({"channels": 0}, "needs channels of at least 1"),
    ],
)
def test_impossible_networks(settings: dict[str, int], message: str) -> None:
    sizes = {"num_classes": 10, "channels": 4, "layers": 3, "stem": "cifar", **settings}
    with pytest.raises(UserError, match=message):
        StagesNetwork(MIXED, **sizes)  # type: ignore[arg-type]


def test_images_that_cannot_be_halved_twice() -> None:
    with pytest.raises(UserError, match="multiple"):
        network()(torch.zeros(1, 3, 6, 6).double())
