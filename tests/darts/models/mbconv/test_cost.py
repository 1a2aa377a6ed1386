"""Closed forms equal the counts of the module, for any network and for many at once."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from darts.costs.count import count
from darts.models.mbconv.config import MBConvConfig, MBConvStage
from darts.models.mbconv.cost import MBConvCost, MBConvTable, mbconv_cost, mbconv_costs
from darts.models.mbconv.network import MBConvNet
from darts.models.mbconv.zoo import B0

stages = st.builds(
    lambda depth, width, kernel, stride, expansion, se, lost: MBConvStage(
        depth=depth, width=width, kernel=kernel, stride=stride, expansion=expansion, se_ratio=se,
        padding=None if stride == 1 or lost is None else max(kernel // 2 - lost, 0),
    ),
    depth=st.integers(1, 3),
    width=st.integers(1, 40),
    kernel=st.sampled_from([1, 3, 5]),
    stride=st.integers(1, 3),
    expansion=st.sampled_from([0.5, 1, 2.5, 6]),
    se=st.sampled_from([0.0, 0.25, 0.5]),
    lost=st.sampled_from([None, 0, 1]),
)  # fmt: skip


@settings(max_examples=30)
@given(
    stages=st.lists(stages, min_size=1, max_size=4),
    multiple=st.sampled_from([1, 8]),
    head=st.sampled_from(["conv", "pool"]),
    stem=st.sampled_from(["imagenet", "cifar"]),
    padding=st.sampled_from(["symmetric", "same"]),
    more=st.integers(0, 9),
)
def test_any_network(
    stages: list[MBConvStage], multiple: int, head: Any, stem: Any, padding: Any, more: int
) -> None:
    config = MBConvConfig(
        stages=tuple(stages), channel_multiple=multiple, head=head, stem=stem, padding=padding,
        stem_width=5, stem_bias=head == "pool", head_width=11, head_expansion=2.5,
    )  # fmt: skip
    resolution = config.total_stride + more
    while config.sizes(resolution)[-1] < 1:
        resolution += 1
    config.check_image_size(resolution, resolution)
    with torch.device("meta"):
        network = MBConvNet(config, num_classes=3)
    counted = count(network, resolution)
    closed = mbconv_cost(config, resolution=resolution, num_classes=3)
    for name in ("params", "conv_macs", "linear_macs", "activations", "macs"):
        assert getattr(closed, name) == getattr(counted, name), name


def test_by_hand() -> None:
    # 3x3 stem to 4 channels at 4x4; a block to 6 with stride 2: 1x1 to 8 at 4x4, 3x3 depthwise at
    # 2x2, squeezed to 4 · 0.5 = 2, 1x1 to 6 at 2x2; 1x1 to 10, mean, 7 classes.
    stage = MBConvStage(depth=1, width=6, stride=2, expansion=2, se_ratio=0.5)
    config = MBConvConfig(stages=(stage,), stem="cifar", stem_width=4, head_width=10)
    cost = mbconv_cost(config, resolution=4, num_classes=7)
    assert cost.params == (
        27 * 4 + 8 + (32 + 16) + (72 + 16) + (8 * 2 + 2 + 2 * 8 + 8) + (48 + 12) + (60 + 20) + 77
    )
    assert cost.conv_macs == 16 * (27 * 4 + 32) + 4 * (72 + 48 + 60) + 2 * 16
    assert cost.linear_macs == 70
    assert cost.activations == 16 * (4 + 8) + 4 * (8 + 6 + 10) + 2 + 8
    assert cost.averaged == 8 * 4 + 10 * 4


def test_many_at_once() -> None:
    tables = [MBConvTable.from_config(replace(B0, stem_width=width)) for width in (16, 32, 48)]
    columns = {
        field.name: np.concatenate([getattr(table, field.name) for table in tables])
        for field in fields(MBConvTable)
        if isinstance(getattr(tables[0], field.name), np.ndarray)
    }
    table = MBConvTable(**columns)
    assert len(table) == 3
    costs = mbconv_costs(table, resolution=np.array([64, 224, 97]))
    for index, (width, resolution) in enumerate(((16, 64), (32, 224), (48, 97))):
        single = mbconv_cost(replace(B0, stem_width=width), resolution=resolution)
        for field in fields(MBConvCost):
            assert getattr(costs, field.name)[index] == getattr(single, field.name)
            assert type(getattr(single, field.name)) is int
