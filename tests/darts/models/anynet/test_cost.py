"""Closed forms equal the counts of the module, for random models of every space."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from darts.costs.count import count
from darts.design_space.spaces import create_space, list_spaces
from darts.models.anynet.config import AnyNetConfig, Stage
from darts.models.anynet.cost import AnyNetCost, anynet_cost, anynet_costs
from darts.models.anynet.network import AnyNet
from darts.models.anynet.table import AnyNetTable
from tests.darts.models.anynet.test_zoo import count_as_pycls


def check(config: AnyNetConfig, resolution: int, classes: int) -> None:
    closed = anynet_cost(config, resolution=resolution, num_classes=classes)
    with torch.device("meta"):
        network = AnyNet(config, num_classes=classes)
    counted = count(network, resolution)
    for name in ("params", "conv_macs", "linear_macs", "activations", "macs"):
        assert getattr(closed, name) == getattr(counted, name), name
    assert (closed.pycls_flops, closed.pycls_acts) == count_as_pycls(network, resolution)


@pytest.mark.parametrize("name", list_spaces())
def test_random_models_of_every_space(name: str) -> None:
    for stem, resolution in (("simple", 100), ("cifar", 13)):
        space = create_space(name, stem=stem, stem_width=10)
        draws = space.draw(np.random.default_rng(3), 32)
        costs = anynet_costs(draws.table, resolution=resolution, num_classes=7)
        for index in range(min(len(draws.table), 8)):
            single = anynet_cost(draws.table.config(index), resolution=resolution, num_classes=7)
            assert costs.at(index) == single
        shallow = np.argmin(draws.table.depths.sum(axis=1))  # It is fast to build.
        check(draws.table.config(shallow), resolution, 7)


stages = st.builds(
    lambda depth, groups, g, b, stride, se: Stage(
        depth=depth, width=groups * g * b, stride=stride, bottleneck=b, group_width=g, se_ratio=se
    ),
    depth=st.integers(1, 3),
    groups=st.integers(1, 4),
    g=st.integers(1, 5),
    b=st.sampled_from([1, 2, 4]),
    stride=st.integers(1, 3),
    se=st.sampled_from([0.0, 0.25, 0.5]),
)


@settings(max_examples=25)
@given(
    stages=st.lists(stages, min_size=1, max_size=5),
    block=st.sampled_from(["x", "r", "v", "vr"]),
    stem=st.sampled_from(["simple", "resnet", "cifar"]),
    more=st.integers(0, 9),
)
def test_any_network(stages: list[Stage], block: Any, stem: Any, more: int) -> None:
    if block in ("v", "vr"):
        stages = [replace(stage, se_ratio=0.0) for stage in stages]
    config = AnyNetConfig(stages=tuple(stages), block=block, stem=stem, stem_width=5)
    check(config, config.total_stride + more, 3)


def test_by_hand() -> None:
    # 3x3 stem to 4 channels at 4x4; one Y block to 6 of stride 2: 1x1 to 3 at 4x4, 3x3 in one
    # group of 3 at 2x2, squeezed to 4 · 0.25 = 1, 1x1 to 6 at 2x2, shortcut 4 to 6 at 2x2.
    stage = Stage(depth=1, width=6, bottleneck=2, group_width=3, se_ratio=0.25)
    config = AnyNetConfig(stages=(stage,), stem="cifar", stem_width=4)
    cost = anynet_cost(config, resolution=4, num_classes=10)
    weights = 27 * 4, 4 * 3, 9 * 3 * 3, 3 * 6, 4 * 6
    norms = 2 * (4 + 3 + 3 + 6 + 6)
    assert cost.params == sum(weights) + norms + (3 * 1 + 1 + 1 * 3 + 3) + 6 * 10 + 10
    assert cost.conv_macs == 16 * (weights[0] + weights[1]) + 4 * sum(weights[2:]) + 3 + 3
    assert cost.linear_macs == 60
    assert cost.activations == 16 * (4 + 3) + 4 * (3 + 6 + 6) + 1 + 3
    assert cost.biases == 1 + 3 + 10
    assert cost.other_outputs == 10


def test_tables_and_networks_there_and_back() -> None:
    stages = (Stage(depth=2, width=24, group_width=8), Stage(depth=1, width=8, se_ratio=0.5))
    config = AnyNetConfig(stages=stages, stem="resnet", stem_width=12)
    table = AnyNetTable.from_config(config)
    assert (len(table), table.stages) == (1, 2)
    assert table.config(0) == config


def test_types() -> None:
    config = AnyNetConfig(stages=(Stage(depth=1, width=8),))
    single = anynet_cost(config)
    assert all(type(getattr(single, field.name)) is int for field in fields(AnyNetCost))
    many = anynet_costs(AnyNetTable.from_config(config))
    assert all(getattr(many, field.name).shape == (1,) for field in fields(AnyNetCost))
