"""The summaries, comparisons and caveats of an analysis."""

from dataclasses import replace

import numpy as np
import pytest

from darts.design_space import linear_fit, statistics
from darts.design_space.analysis import analyse
from darts.design_space.population import Population
from darts.design_space.sampling import sample
from darts.design_space.spaces import create_space
from darts.errors import UserError


def population(name: str, errors: np.ndarray, **more) -> Population:
    return Population(name=name, errors=errors, **more)


LOW = np.linspace(10, 20, 16)


def test_figures_by_hand() -> None:
    found = analyse([population("low", LOW, labels=tuple(f"n{i}" for i in range(16)))])
    values = found.as_dict()["populations"][0]
    assert (values["min"], values["mean"], values["median"]) == (10, 15, 15)
    assert (values["networks"], values["best"], found.summaries[0].best) == (16, "n0", 0)
    assert found.differences == ()
    assert found.notes == ()


def test_repeats_from_its_seed() -> None:
    both = [population("low", LOW), population("high", LOW + 1)]
    first, again, other = analyse(both), analyse(both), analyse(both, seed=1)
    assert first.as_dict() == again.as_dict()
    assert first.differences[0].mean.middle == other.differences[0].mean.middle == -1
    assert first.differences[0].mean != other.differences[0].mean


def test_properties_share_resamples_and_networks_a_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    # What keeps an analysis of many networks short; benchmarks/population_analysis.py measures it.
    resamples, points = [], []
    resample_best, log_widths = statistics.resample_best, linear_fit._log_widths

    def resampled(*arguments, **settings):
        resamples.append(arguments)
        return resample_best(*arguments, **settings)

    def evaluated(grid, depth):
        points.append(len(grid))
        return log_widths(grid, depth)

    monkeypatch.setattr(statistics, "resample_best", resampled)
    monkeypatch.setattr(linear_fit, "_log_widths", evaluated)
    linear_fit._grid.cache_clear()
    drawn = sample(create_space("anynetx_a"), 20, np.random.default_rng(0))
    noise = np.random.default_rng(0)
    made = population(
        "a",
        noise.normal(40, 3, 20),
        properties={str(number): noise.random(20) for number in range(8)},
        configs=tuple(one.config for one in drawn),
    )
    (summary,) = analyse([made]).summaries
    assert len(summary.best_values) == 20
    assert len(resamples) == 1
    # The whole grid once, and for each network a small one about its best point.
    assert len(points) == 1 + 20
    assert max(points[1:]) < points[0] / 20


def test_notes() -> None:
    a = population("a", LOW, recipe={"epochs": 10, "seed": 1}, properties={"macs": LOW * 0 + 4e6})
    b = replace(a, recipe={"epochs": 20, "seed": 1}, missing=4, properties={"macs": LOW * 0 + 5e6})
    found = analyse([a, b, population("b", LOW[:5])])
    assert [one.name for one in found.populations] == ["a (1)", "a (2)", "b"]
    text = " ".join(found.notes)
    assert "a (2): 4 of 20 trials have no result" in text
    assert "b: 5 networks are too few for the bootstrap" in text
    assert "not trained alike: epochs differ" in text
    assert "4 M" not in text  # b does not know its costs.
    assert "4 M to 5 M multiply-adds" in " ".join(analyse([a, b]).notes)
    assert found.summaries[2].best_values == {}


@pytest.mark.parametrize(
    ("populations", "message"),
    [
        ([], "at least one population"),
        ([population("a", LOW[:1], missing=3)], "1 trained networks and 3 without a result"),
        ([population("a", LOW), population("b", LOW[:0])], "b has 0 trained networks; a dist"),
    ],
)
def test_too_little(populations: list[Population], message: str) -> None:
    with pytest.raises(UserError, match=message):
        analyse(populations)
