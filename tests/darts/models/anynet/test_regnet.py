"""RegNet's parameters: the published models, and properties of all."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from darts.errors import UserError
from darts.models.anynet.regnet import RegNet, stages_of
from darts.models.anynet.zoo import REGNETS


def test_the_worked_example() -> None:
    model = RegNet(depth=13, w0=24, wa=36.44, wm=2.49, group_width=8)
    assert model.block_widths().tolist() == [24, 56] + [152] * 4 + [368] * 7
    stages = model.config().stages
    assert [stage.depth for stage in stages] == [1, 1, 4, 7]
    assert [stage.width for stage in stages] == [24, 56, 152, 368]


@pytest.mark.parametrize(
    ("name", "before", "widths", "depths", "groups"),
    [
        # 24 / 16 = 1.5 and 392 / 16 = 24.5: halves round to even.
        ("regnetx_400mf", [24, 64, 152, 392], [32, 64, 160, 384], [1, 2, 7, 12], [16] * 4),
        ("regnetx_1.6gf", [80, 176, 408, 912], [72, 168, 408, 912], [2, 4, 10, 2], [24] * 4),
        # The first stage is narrower than a group.
        ("regnetx_8.0gf", [80, 232, 664, 1912], [80, 240, 720, 1920], [2, 5, 15, 1],
         [80, 120, 120, 120]),
        ("regnety_800mf", [56, 136, 320, 776], [64, 128, 320, 768], [1, 3, 8, 2], [16] * 4),
    ],
)  # fmt: skip
def test_published_widths(
    name: str, before: list[int], widths: list[int], depths: list[int], groups: list[int]
) -> None:
    model = REGNETS[name]
    assert list(dict.fromkeys(model.block_widths().tolist())) == before
    stages = model.config().stages
    assert [stage.width for stage in stages] == widths
    assert [stage.depth for stage in stages] == depths
    assert [stage.group_width for stage in stages] == groups


def test_all_published_widths(shared: Path) -> None:
    facts = json.loads((shared / "facts" / "regnet.json").read_text())["models"]
    checked = 0
    for title, fact in facts.items():
        if not title.startswith("RegNet"):
            continue
        model = REGNETS[title.lower().replace("-", "_")]
        parameters = (model.depth, model.w0, model.wa, model.wm, model.group_width)
        assert parameters == tuple(fact[name] for name in ("d", "w0", "wa", "wm", "g")), title
        widths = dict.fromkeys(model.block_widths().tolist())
        assert list(widths) == fact["widths_before_adjust"], title
        for name, key in (("width", "widths"), ("depth", "depths"), ("group_width", "groups_eff")):
            made = [getattr(stage, name) for stage in model.config().stages]
            assert made == fact[key], (title, name)
        checked += 1
    assert checked == len(REGNETS) == 24


parameters = st.builds(
    RegNet,
    depth=st.integers(1, 63),
    w0=st.integers(1, 31).map(lambda n: 8 * n),
    wa=st.floats(0, 256),
    wm=st.floats(1.5, 3),
    group_width=st.sampled_from([1, 2, 4, 8, 16, 32]),
    bottleneck=st.sampled_from([1.0, 2.0, 4.0]),
)


@given(parameters)
def test_block_widths(model: RegNet) -> None:
    widths = model.block_widths()
    assert len(widths) == model.depth
    assert widths[0] == model.w0
    assert not (widths % 8).any()
    assert (np.diff(widths) >= 0).all()
    # Within half a step of the line in the logarithm, except for the rounding to 8.
    line = model.w0 + model.wa * np.arange(model.depth)
    slack = np.sqrt(model.wm) * (1 + 1e-9)
    assert (widths - 4 <= line * slack).all()
    assert (widths + 4 >= line / slack).all()


@given(parameters)
def test_stages(model: RegNet) -> None:
    config = model.config()
    widths = model.block_widths()
    assert config.depth == model.depth
    assert len(config.stages) == len(set(widths.tolist()))
    for stage in config.stages:
        assert stage.inner_width * model.bottleneck == stage.width
        assert stage.group_width == min(model.group_width, stage.inner_width)


@given(st.lists(parameters, min_size=1, max_size=8), st.integers(1, 5))
def test_many_at_once_are_the_same(models: list[RegNet], stages: int) -> None:
    columns = (np.array([getattr(m, name) for m in models]) for name in ("w0", "wa", "wm"))
    chosen, depths, widths = stages_of(np.array([m.depth for m in models]), *columns, stages)
    for row, index in enumerate(chosen):
        made, counts = np.unique(models[index].block_widths(), return_counts=True)
        assert made.tolist() == widths[row].tolist()
        assert counts.tolist() == depths[row].tolist()
    # A network is left out if its number of stages differs or if it skips an exponent.
    for index in set(range(len(models))) - set(chosen.tolist()):
        model = models[index]
        line = model.w0 + model.wa * np.arange(model.depth)
        exponents = set(np.round(np.log(line / model.w0) / np.log(model.wm)).tolist())
        widths_made = set(model.block_widths().tolist())
        assert not (exponents == set(range(stages)) and len(widths_made) == stages)


@given(parameters)
def test_flat_line_is_one_stage(model: RegNet) -> None:
    assume(model.depth > 1)
    flat = RegNet(depth=model.depth, w0=model.w0, wa=0, wm=model.wm, group_width=1)
    assert [(stage.depth, stage.width) for stage in flat.config().stages] == [
        (model.depth, model.w0)
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 0}, "depth"),
        ({"w0": 20}, "multiple of 8"),
        ({"w0": 0}, "multiple of 8"),
        ({"wa": -1.0}, "wa"),
        ({"wa": float("nan")}, "wa"),
        ({"wm": 1.0}, "wm"),
    ],
)
def test_impossible_parameters(options: dict, message: str) -> None:
    fine = {"depth": 13, "w0": 24, "wa": 36.44, "wm": 2.49, "group_width": 8}
    with pytest.raises(UserError, match=message):
        RegNet(**{**fine, **options})
