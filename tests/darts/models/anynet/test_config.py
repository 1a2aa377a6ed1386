"""AnyNets as plain values: validation, strides of stems, compatible groups."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darts.errors import UserError
from darts.models.anynet.config import (
    AnyNetConfig,
    Stage,
    compatible_widths,
    squeezed_width,
    stage_strides,
)


@pytest.mark.parametrize(
    ("width", "b", "g", "expected"),
    [
        # Expected (width, group width), by hand. 24 / 16 = 1.5, 392 / 16 = 24.5: halves to even.
        (24, 1, 16, (32, 16)),
        (392, 1, 16, (384, 16)),
        (152, 1, 16, (160, 16)),
        # 80 / 24 = 3.33; 96 / 40 = 2.4: the first width falls below w_0.
        (80, 1, 24, (72, 24)),
        (96, 1, 40, (80, 40)),
        # A group is at most as wide as the bottleneck: 80 < 120, and 64 / 4 = 16 < 32.
        (80, 1, 120, (80, 80)),
        (64, 4, 32, (64, 16)),
        # Bottlenecks: 72 / 2 = 36, to 32 (36 / 32 = 1.125); 200 / 4 = 50, to 48.
        (72, 2, 32, (64, 32)),
        (200, 4, 8, (192, 8)),
        # At least one group: 8 / 4 = 2 channels in groups of 2.
        (8, 4, 8, (8, 2)),
        # Inverted, m_b = 8: 24 · 8 = 192, to a multiple of lcm(80, 8) = 80: 160 (192 / 80 = 2.4).
        (24, 0.125, 80, (20, 80)),
        # lcm(12, 8) = 24: 21 · 8 = 168 = 7 · 24 stays.
        (21, 0.125, 12, (21, 12)),
        (1, 4, 1, (4, 1)),
    ],
)
def test_groups_fit_by_hand(width: int, b: float, g: int, expected: tuple[int, int]) -> None:
    widths, groups = compatible_widths(width, b, g)
    assert (int(widths), int(groups)) == expected


@given(
    st.integers(1, 128).map(lambda n: 8 * n),
    st.sampled_from([0.125, 0.25, 0.5, 1, 2, 4]),
    st.sampled_from([1, 2, 4, 8, 16, 32, 24, 40, 56, 112]),
)
def test_groups_fit(width: int, b: float, g: int) -> None:
    widths, groups = compatible_widths([width], b, g)
    made, group = int(widths[0]), int(groups[0])
    inner = made / b
    assert inner == int(inner)
    assert inner % group == 0
    assert 1 <= group <= g
    # RegNet, appendix D: widths change by at most a third.
    assert abs(made - width) <= max(width, made) / 3 + 1e-9
    # Compatible widths do not change.
    again, still = compatible_widths(widths, b, groups)
    assert (int(again[0]), int(still[0])) == (made, group)


@pytest.mark.parametrize(
    ("c_in", "ratio", "squeezed"),
    [(24, 0.25, 6), (32, 0.25, 8), (10, 0.25, 2), (14, 0.25, 4), (2, 0.25, 1), (696, 0.25, 174)],
)
def test_squeezed_width_rounds_half_to_even(c_in: int, ratio: float, squeezed: int) -> None:
    assert squeezed_width(c_in, ratio) == squeezed
    assert squeezed_width(c_in, 0.0) == 0


def test_squeezed_width_of_arrays() -> None:
    made = squeezed_width(np.array([8, 16, 24]), np.array([0.25, 0.0, 0.5]))
    assert made.tolist() == [2, 0, 12]


@pytest.mark.parametrize(
    ("stem", "stages", "strides", "total"),
    [
        ("simple", 4, (2, 2, 2, 2), 32),
        ("simple", 5, (2, 2, 2, 2, 2), 64),
        ("resnet", 4, (1, 2, 2, 2), 32),
        ("cifar", 4, (1, 2, 2, 2), 8),
        ("cifar", 5, (1, 1, 2, 2, 2), 8),
        ("cifar", 3, (2, 2, 2), 8),
        ("cifar", 2, (2, 2), 4),
    ],
)
def test_strides(stem: Any, stages: int, strides: tuple[int, ...], total: int) -> None:
    assert stage_strides(stem, stages) == strides
    made = tuple(Stage(depth=1, width=8, stride=stride) for stride in strides)
    config = AnyNetConfig(stages=made, stem=stem)
    assert config.total_stride == total
    config.check_image_size(total, total)
    with pytest.raises(UserError, match=f"at least {total}x{total}"):
        config.check_image_size(total, total - 1)


def test_form_for_small_images() -> None:
    stages = tuple(Stage(depth=d, width=8 * d, group_width=4) for d in (1, 2, 3, 4))
    small = AnyNetConfig(stages=stages, stem_width=24).for_small_images()
    assert small.stem == "cifar"
    assert small.stem_width == 24
    assert [stage.stride for stage in small.stages] == [1, 2, 2, 2]
    assert [(stage.depth, stage.group_width) for stage in small.stages] == [
        (1, 4), (2, 4), (3, 4), (4, 4),
    ]  # fmt: skip


def test_plain_values_there_and_back() -> None:
    config = AnyNetConfig(
        stages=(
            Stage(depth=2, width=24, bottleneck=0.5, group_width=16, se_ratio=0.25),
            Stage(depth=1, width=48, stride=3, bottleneck=4, group_width=6),
        ),
        stem="resnet",
        stem_width=7,
    )
    assert AnyNetConfig.from_dict(json.loads(json.dumps(config.as_dict()))) == config
    assert config.depth == 3
    assert [stage.inner_width for stage in config.stages] == [48, 12]


FINE = {"depth": 1, "width": 24, "group_width": 8}


@pytest.mark.parametrize(
    ("stage", "options", "message"),
    [
        ({"depth": 0}, {}, "Stage 2.*depth"),
        ({"width": 2.5}, {}, "width is a whole number"),
        ({"stride": -1}, {}, "stride"),
        ({"bottleneck": 0}, {}, "bottleneck"),
        ({"group_width": 16}, {}, "groups of 16 channels do not divide the bottleneck's 24"),
        ({"se_ratio": -1}, {}, "se_ratio"),
        ({"se_ratio": 0.25}, {"block": "v"}, "no squeeze-excitation"),
        ({}, {"block": "z"}, "no block 'z'"),
        ({}, {"stem": "imagenet"}, "no stem 'imagenet'"),
        ({}, {"stem_width": 0}, "stem"),
        ({}, {"stages": ()}, "at least one stage"),
    ],
)
def test_impossible_networks(stage: dict, options: dict, message: str) -> None:
    stages = (Stage(**FINE), Stage(**{**FINE, **stage}))
    with pytest.raises(UserError, match=message):
        AnyNetConfig(**{"stages": stages, **options})


def test_groups_mean_nothing_to_other_blocks() -> None:
    stages = (Stage(depth=1, width=24, group_width=7),)
    for block in ("r", "v", "vr"):
        AnyNetConfig(stages=stages, block=block)


@pytest.mark.parametrize(
    "values", [{}, {"stages": [{"depth": 1}]}, {"stages": [], "colour": 1}, {"stages": 3}]
)
def test_wrong_plain_values(values: dict) -> None:
    with pytest.raises(UserError, match="Not an AnyNet"):
        AnyNetConfig.from_dict(values)
