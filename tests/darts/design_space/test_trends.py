"""Properties that follow from configs, and populations split by the trend of their stages."""

import numpy as np

from darts.design_space.population import Population
from darts.design_space.trends import by_trend, trend_of, with_structure
from darts.models.anynet.config import AnyNetConfig, Stage


def network(*stages: tuple[int, int]) -> AnyNetConfig:
    return AnyNetConfig(
        stages=tuple(
            Stage(depth=depth, width=width, group_width=8, bottleneck=2) for depth, width in stages
        )
    )


CONFIGS = (
    network((1, 16), (2, 32)),
    network((3, 32), (3, 32)),
    network((2, 64), (1, 32)),
    network((1, 16), (5, 32), (2, 16)),
)


def test_structure() -> None:
    known = {"depth": np.array([99.0, 98, 97, 96])}
    population = Population(name="x", errors=np.arange(4.0), properties=known, configs=CONFIGS)
    full = with_structure(population).properties
    assert full["depth"].tolist() == [99, 98, 97, 96]
    assert full["w1"].tolist() == [16, 32, 64, 16]
    assert full["d2"].tolist() == [2, 3, 1, 5]
    assert np.isnan(full["w3"]).tolist() == [True, True, True, False]
    assert full["group_width"].tolist() == [8] * 4
    assert full["bottleneck"].tolist() == [2] * 4
    assert full["fit_error"][1] == 0
    plain = Population(name="cells", errors=np.arange(4.0))
    assert with_structure(plain) is plain


def test_trends() -> None:
    assert [trend_of(config, "width") for config in CONFIGS] == [
        "growing", "constant", "falling", "mixed"
    ]  # fmt: skip
    assert trend_of(CONFIGS[0], "depth") == "growing"
    population = Population(name="x", errors=np.arange(4.0), configs=CONFIGS)
    parts = by_trend(population, "depth")
    assert {name: part.errors.tolist() for name, part in parts.items()} == {
        "growing": [0], "constant": [1], "falling": [2], "mixed": [3]
    }  # fmt: skip
    assert parts["growing"].name == "depth growing"
