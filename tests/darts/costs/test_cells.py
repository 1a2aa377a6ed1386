"""The closed form of the cost of derived networks, compared with counting on the module."""

import pytest
import torch

from darts.costs.cells import network_cost
from darts.costs.count import count
from darts.errors import UserError
from darts.models.derived import Network
from darts.models.registry import create_network
from genotypes import list_genotypes, load_genotype


@pytest.mark.parametrize("name", list_genotypes())
@pytest.mark.parametrize(
    ("stem", "channels", "layers", "resolution"), [("cifar", 10, 4, 36), ("imagenet", 14, 3, 96)]
)
def test_every_genotype(name: str, stem: str, channels: int, layers: int, resolution: int) -> None:
    genotype = load_genotype(name)
    with torch.device("meta"):
        network = Network(genotype, num_classes=7, channels=channels, layers=layers, stem=stem)
    closed = network_cost(
        genotype,
        channels=channels,
        layers=layers,
        stem=stem,
        resolution=resolution,
        num_classes=7,
    )
    # All fields, including those of the published counting rule.
    assert closed == count(network, resolution)


@pytest.mark.parametrize("layers", [1, 2, 5, 8])
def test_few_cells(layers: int) -> None:
    genotype = load_genotype("darts_v2")
    with torch.device("meta"):
        network = Network(genotype, num_classes=10, channels=8, layers=layers, stem="cifar")
    closed = network_cost(genotype, channels=8, layers=layers, stem="cifar")
    assert closed == count(network, 32)


def test_defaults_are_those_of_the_papers() -> None:
    with torch.device("meta"):
        network = create_network("pcdarts_imagenet")
    genotype = load_genotype("pcdarts_imagenet")
    closed = network_cost(genotype, channels=48, layers=14, stem="imagenet")
    assert closed == count(network, 224)
    # 597 M by the published counting rule (PC-DARTS, Table 2).
    assert round(closed.published_macs / 1e6) == 597


def test_refuses_what_the_network_refuses() -> None:
    with pytest.raises(UserError, match="multiples of 32"):
        network_cost(
            load_genotype("darts_v1"), channels=8, layers=8, stem="imagenet", resolution=225
        )
