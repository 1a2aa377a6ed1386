"""Ranges of a space as options, and the sizes of RegNet's Table 1."""

import json
from typing import Any

import numpy as np
import pytest

from darts.cli import main
from darts.design_space.options import PopulationOptions, SpaceOptions, recipe_of
from darts.design_space.ranges import space_with_ranges
from darts.design_space.sampling import sample_population
from darts.errors import UserError
from darts.models.image_spec import ImageSpec


def test_list_equals_table_1(capsys: pytest.CaptureFixture[str]) -> None:
    """RegNet (arXiv 2003.13678), Table 1: dimensions and sizes of the spaces."""
    assert main(["space", "list", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["name"], one["dimensions"]) for one in found] == [
        *(("anynetx_a", 16), ("anynetx_b", 13), ("anynetx_c", 10)),
        *(("anynetx_d", 10), ("anynetx_e", 10), ("regnetx", 6)),
    ]
    printed = [1.8e18, 6.8e16, 3.2e14, 1.3e13, 5.5e11, 3.0e8]
    assert [one["size"] for one in found] == pytest.approx(printed, rel=0.03)


def test_every_network_lies_within_the_ranges() -> None:
    options = SpaceOptions(
        n=12, wm="2", tie_wa=True, bottleneck=0.25, depth="8-28", group_width="8,16"
    )
    for one in sample_population(options, ImageSpec.of(224, 1000, "imagenet"), 0):
        regnet = one.regnet
        assert regnet is not None
        assert (regnet.wm, regnet.wa, regnet.bottleneck) == (2.0, regnet.w0, 0.25)
        # Four stages: log2(1 + j) rounds to at most 3 for all j < d.
        assert 8 <= regnet.depth <= 11
        assert regnet.group_width in (8, 16)
        # An inverted bottleneck is four times as wide inside.
        assert one.config.stages[0].inner_width == 4 * one.config.stages[0].width


def test_the_constrained_space() -> None:
    space = space_with_ranges(SpaceOptions(constrained=True), "simple")
    drawn = space.draw(np.random.default_rng(0), 500)
    assert drawn.parameters is not None
    assert drawn.parameters["depth"].max() <= 40
    assert drawn.parameters["wm"].min() >= 2
    assert set(drawn.parameters["bottleneck"]) == {1}


def test_without_ranges_the_space_and_the_recipe_are_as_before() -> None:
    plain = sample_population(SpaceOptions(n=3), ImageSpec.of(224, 1000, "imagenet"), 0)
    wide = sample_population(
        SpaceOptions(n=3, wm="1.5-3", depth="1-63"), ImageSpec.of(224, 1000, "imagenet"), 0
    )
    assert plain == wide
    new = {"constrained", "tie_wa", "depth", "bottleneck", "group_width", "w0", "wa", "wm"}
    assert not new & set(recipe_of(PopulationOptions()))
    assert recipe_of(PopulationOptions(tie_wa=True, wm="2"))["wm"] == "2"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"wm": "three"}, "--wm three: give a value"),
        ({"depth": "28-12"}, "--depth 28-12: give a value"),
        ({"w0": "10-20"}, "multiples of 8"),
        ({"bottleneck": "1-4"}, "give single values"),
        ({"depth": "1.5"}, "whole numbers"),
        ({"space": "anynetx_a", "wm": "2"}, "--wm: anynetx_a has no such parameter"),
        ({"space": "anynetx_a", "constrained": True}, "it narrows RegNets"),
        ({"wa": "8-16", "tie_wa": True}, "give one of the two"),
    ],
)
def test_what_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        space_with_ranges(SpaceOptions(**options), "simple")


def test_flags(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--wm=2", "--tie-wa", "--bottleneck=0.25", "--depth=8-28"]
    assert main(["space", "sample", "--n=2", *flags, "--json"]) == 0
    found = [json.loads(line)["regnet"] for line in capsys.readouterr().out.splitlines()]
    assert [(one["wm"], one["bottleneck"]) for one in found] == [(2.0, 0.25)] * 2


def test_ranges_without_a_network() -> None:
    options = SpaceOptions(n=1, wm="2", tie_wa=True, depth="12-28")
    with pytest.raises(UserError, match="has 4 stages"):
        sample_population(options, ImageSpec.of(224, 1000, "imagenet"), 0)
