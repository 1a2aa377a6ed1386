"""Design spaces: the sizes of Table 1, and samples that satisfy the constraints."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from darts.design_space.distributions import Choice
from darts.design_space.spaces import (
    AnyNetSpace,
    Nondecreasing,
    RegNetSpace,
    Shared,
    create_space,
    list_spaces,
)
from darts.errors import UserError


@pytest.mark.parametrize(
    ("name", "dimensions", "size", "printed"),
    [
        # arXiv 2003.13678, Table 1.
        ("anynetx_a", 16, (16 * 128 * 3 * 6) ** 4, "1.8e+18"),
        ("anynetx_b", 13, (16 * 128 * 6) ** 4 * 3, "6.8e+16"),
        ("anynetx_c", 10, (16 * 128) ** 4 * 3 * 6, "3.2e+14"),
        ("anynetx_d", 10, 13_194_139_533_312, "1.3e+13"),
        ("anynetx_e", 10, 549_755_813_888, "5.5e+11"),
        ("regnetx", 6, 64**4 * 6 * 3, "3.0e+08"),
        ("regnety", 6, 64**4 * 6 * 3, "3.0e+08"),
        # Without groups, and without bottlenecks.
        ("anynetr_a", 12, (16 * 128 * 3) ** 4, "1.4e+15"),
        ("anynetvr_e", 8, (16 * 128) ** 4 // 24**2, "3.1e+10"),
        ("regnetv", 4, 64**4, "1.7e+07"),
    ],
)
def test_sizes(name: str, dimensions: int, size: int, printed: str) -> None:
    space = create_space(name)
    assert space.dimensions == dimensions
    assert space.size == size
    assert f"{space.size:.1e}" == printed


def test_exact_sizes_by_enumeration() -> None:
    few = Choice((1, 2, 4))
    space = AnyNetSpace(depth=few, width=Choice((8, 16)), bottleneck=few, group_width=Choice((1,)))
    space = replace(space, macro=replace(space.macro, stages=2))
    assert space.exact_size == 9 * 4 * 9
    # Ordered pairs of three values: 6, of two: 3.
    ordered = space & Nondecreasing("depth") & Nondecreasing("width") & Shared("bottleneck")
    assert ordered.exact_size == 6 * 3 * 3
    assert ordered.size == 9 * 4 * 3 // 2**2
    assert create_space("anynetx_c").exact_size == create_space("anynetx_c").size


def test_spaces_compose() -> None:
    c = AnyNetSpace() & Shared("group_width") & Shared("bottleneck")
    assert c == create_space("anynetx_c") == c & Shared("bottleneck")
    assert c != create_space("anynetx_b")


def test_restrictions_of_regnet() -> None:
    space = RegNetSpace()
    tied = replace(space, wa=None)
    assert (tied.dimensions, tied.size) == (5, 64**3 * 18)
    draws = tied.draw(np.random.default_rng(0), 2000)
    assert len(draws.table)
    assert np.array_equal(draws.parameters["wa"], draws.parameters["w0"])
    doubling = replace(space, wm=Choice((2.0,)))
    assert doubling.dimensions == 5
    parameters = doubling.draw(np.random.default_rng(0), 2000).parameters
    assert set(parameters["wm"].tolist()) == {2.0}
    parameters = space.constrained().draw(np.random.default_rng(0), 4000).parameters
    assert set(parameters["bottleneck"].tolist()) == {1.0}
    assert parameters["depth"].max() <= 40
    assert parameters["wm"].min() >= 2


@pytest.mark.parametrize("name", list_spaces())
@pytest.mark.parametrize("stages", [3, 4, 5])
def test_draws_obey(name: str, stages: int) -> None:
    space = create_space(name, stages=stages, stem="cifar", stem_width=12)
    draws = space.draw(np.random.default_rng(1), 600)
    table = draws.table
    assert len(table) == 600 if name.startswith("anynet") else 0 < len(table) < 600
    for index in range(0, len(table), max(1, len(table) // 15)):
        config = table.config(index)
        assert len(config.stages) == stages
        assert (config.stem, config.stem_width) == ("cifar", 12)
        assert {stage.se_ratio for stage in config.stages} == {0.25 if "nety" in name else 0.0}
        ratios = {stage.bottleneck for stage in config.stages}
        assert ratios <= ({1} if "netv" in name else {1, 2, 4})
        for stage in config.stages:
            assert stage.group_width <= (1 if name[6] in "rv" else 32)
            assert stage.inner_width % stage.group_width == 0
            assert stage.inner_width * stage.bottleneck == stage.width
        regnet = draws.regnet(index)
        if regnet is None:
            assert name.startswith("anynet")
            assert all(1 <= stage.depth <= 16 for stage in config.stages)
            # 1024 is a multiple of every group width; a small width grows by a third at most.
            assert all(8 <= stage.width <= 1024 for stage in config.stages)
        else:
            made = regnet.config(block=config.block, stem="cifar", stem_width=12)
            assert made == config
        letter = name[-1] if name.startswith("anynet") else "e"
        depths = [stage.depth for stage in config.stages]
        widths = [stage.width for stage in config.stages]
        if letter in "bcde":
            assert len(ratios) == 1
        if letter in "cde":
            # All the same but where the bottleneck is narrower.
            widest = max(stage.group_width for stage in config.stages)
            assert all(
                stage.group_width == min(widest, stage.inner_width) for stage in config.stages
            )
        if letter in "de":
            assert all(one <= other for one, other in pairwise(widths))
        if letter == "e" and regnet is None:
            assert all(one <= other for one, other in pairwise(depths))


def test_free_axes_differ() -> None:
    table = create_space("anynetx_a").draw(np.random.default_rng(0), 200).table
    for column in (table.depths, table.widths, table.bottlenecks, table.group_widths):
        assert (column[:, 1:] != column[:, :-1]).any(axis=1).mean() > 0.5
    assert (np.diff(table.widths, axis=1) < 0).any(axis=1).mean() > 0.8


def test_unknown_space() -> None:
    with pytest.raises(UserError, match="did you mean 'anynetx_a'"):
        create_space("anynetxa")
    assert create_space("RegNetX") == RegNetSpace()
