"""Rungs are rounded as the networks need, and their costs equal those of the built networks."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from darts.costs.count import count
from darts.errors import UserError
from darts.models.anynet.config import AnyNetConfig
from darts.models.mbconv.zoo import EFFICIENTNETS
from darts.models.registry import create_network, find_model
from darts.scaling.bases import CellBase, NetworkBase, create_base
from darts.scaling.coefficients import Factors

SAME = Factors(1, 1, 1)


@pytest.mark.parametrize(
    "name", ["pcdarts_imagenet", "efficientnet_b1", "fbnetv3_a0", "regnety_1.6gf", "resnext50"]
)
def test_factors_of_one_change_nothing(name: str) -> None:
    model = find_model(name)
    base = create_base(model)
    rung = base.rung(SAME)
    assert rung.model == model
    assert (rung.depth, rung.width, rung.resolution) == (base.depth, 1.0, base.resolution)


@pytest.mark.parametrize(
    "name", ["pcdarts_cifar10", "efficientnet_b0", "regnetx_200mf", "resnet50"]
)
@pytest.mark.parametrize("stem", ["cifar", "imagenet"])
def test_costs_are_those_of_the_network(name: str, stem: str) -> None:
    sizes: dict[str, Any] = {"channels": 8, "layers": 6} if name == "pcdarts_cifar10" else {}
    base = create_base(find_model(name), stem=stem, num_classes=7, **sizes)
    rung = base.rung(Factors(0.4, 1.3, 1.2))
    cells = {key: rung.settings[key] for key in ("channels", "layers") if key in rung.settings}
    with torch.device("meta"):
        network = create_network(rung.model, num_classes=7, stem=rung.settings["stem"], **cells)
    counted = count(network, rung.settings["image_size"])
    assert rung.cost.params == counted.params
    assert rung.cost.macs == counted.macs
    assert rung.cost.activations == counted.activations


@pytest.mark.parametrize("name", list(EFFICIENTNETS)[1:8])
def test_the_papers_factors_give_the_papers_networks(name: str) -> None:
    width, depth, resolution, _ = EFFICIENTNETS[name]
    base = create_base(find_model("efficientnet_b0"), resolution_multiple=4)
    rung = base.rung(Factors(depth, width, resolution / 224))
    published = find_model(name)
    assert rung.resolution == resolution
    # The paper sets dropout by hand.
    assert replace(rung.model, dropout=published.dropout) == published  # type: ignore[type-var, union-attr]


def test_resnet50_as_in_the_paper() -> None:
    # Table 3: r = 2 has 16.4 G multiply-adds.
    rung = create_base(find_model("resnet50")).rung(Factors(1, 1, 2))
    assert round(rung.cost.macs / 1e9, 1) == 16.4


def test_cells_by_hand() -> None:
    base = create_base(find_model("pcdarts_imagenet"))
    assert isinstance(base, CellBase)
    # 14 · 1.2 = 16.8; 48 · 1.1 = 52.8 to an even number; 224 · 1.15 = 257.6 to a multiple of 32.
    rung = base.rung(Factors(1.2, 1.1, 1.15))
    assert rung.settings == {"stem": "imagenet", "image_size": 256, "channels": 52, "layers": 17}
    # Below 224 pixels the feature map is too small for the auxiliary head.
    assert base.rung(Factors(1, 1, 0.9)).settings["auxiliary"] is False
    smallest = base.rung(Factors(0.01, 0.01, 0.01))
    assert (smallest.depth, smallest.channels, smallest.resolution) == (3, 2, 32)


def test_widths_that_a_search_can_split() -> None:
    base = create_base(find_model("pcdarts_imagenet"), channel_multiple=8)
    assert [base.rung(Factors(1, w, 1)).channels for w in (0.9, 1.08, 1.1)] == [40, 48, 56]


def test_groups_of_anynets() -> None:
    regnet = create_base(find_model("regnetx_400mf")).rung(Factors(1, 1.3, 1)).model
    assert isinstance(regnet, AnyNetConfig)
    # 32, 64, 160, 384 times 1.3, rounded to multiples of 8 (40, 80, 208, 496), then of the group
    # width 16.
    assert [stage.width for stage in regnet.stages] == [32, 80, 208, 496]
    assert {stage.group_width for stage in regnet.stages} == {16}
    resnet = create_base(find_model("resnet50")).rung(Factors(1, 1.5, 1)).model
    assert isinstance(resnet, AnyNetConfig)
    assert [stage.group_width for stage in resnet.stages] == [96, 192, 384, 768]
    assert [stage.width for stage in resnet.stages] == [384, 768, 1536, 3072]


def test_resolutions_are_as_fine_as_published_ones() -> None:
    base = create_base(find_model("efficientnet_b1"))
    assert base.rung(Factors(1, 1, 1.1)).resolution == 264
    assert base.rung(Factors(1, 1, 1.09)).resolution == 260  # 261.6, in multiples of 4.
    small = create_base(find_model("efficientnet_b0"))
    sizes = [resolution for _, _, resolution, _ in EFFICIENTNETS.values()]
    assert [small.rung(Factors(1, 1, size / 224)).resolution for size in sizes] == sizes
    assert base.rung(Factors(1, 1, 0.001)).resolution == 32
    assert isinstance(base, NetworkBase)
    # FBNetV3-B pads some strides less and needs 49 pixels: the next multiple of 4 is 52.
    odd = create_base(find_model("fbnetv3_b")).rung(Factors(1, 1, 0.001))
    assert odd.resolution == 52
    assert odd.cost.macs > 0


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("pcdarts_imagenet", {"resolution": 225}, "--resolution 225.*224 and 256"),
        ("pcdarts_imagenet", {"resolution_multiple": 24}, "multiple 24: .* by 32"),
        ("pcdarts_imagenet", {"channel_multiple": 3}, "even"),
        ("pcdarts_imagenet", {"channel_multiple": 32}, "--channels 48.*32 and 64"),
        ("pcdarts_imagenet", {"channels": 7}, "--channels 7: not a multiple of 2.*6 and 8"),
        ("pcdarts_imagenet", {"layers": 2}, "at least 3 cells"),
        ("resnet50", {"channels": 32}, "--channels: .* only to networks of cells"),
        ("resnet50", {"resolution": 16}, "at least 32x32"),
        ("resnet50", {"resolution": 225, "resolution_multiple": 32}, "224 and 256"),
        ("resnet50", {"resolution_multiple": -4}, "not a multiple"),
    ],
)
def test_refuses(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        create_base(find_model(name), **options)
