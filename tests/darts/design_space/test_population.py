"""A population checks and selects its arrays."""

import numpy as np
import pytest

from darts.design_space.population import Population
from darts.errors import UserError
from darts.models.anynet.zoo import REGNETS

CONFIGS = tuple(REGNETS[f"regnetx_{size}mf"].config() for size in (200, 400, 600))


def test_selection_keeps_everything_together() -> None:
    population = Population(
        name="x",
        errors=[30.0, 10.0, 20.0],  # type: ignore[arg-type]
        properties={"depth": [13, 22, 16]},  # type: ignore[dict-item]
        configs=CONFIGS,
        labels=("a", "b", "c"),
        missing=2,
    )
    assert len(population) == 3
    better = population.select(population.errors < 25, "better")
    assert (better.name, better.labels, better.missing) == ("better", ("b", "c"), 2)
    assert better.configs == CONFIGS[1:]
    assert better.errors.tolist() == [10, 20]
    assert better.properties["depth"].tolist() == [22, 16]
    assert population.select([2, 0]).label(0) == "c"
    assert Population(name="y", errors=np.array([1.0])).label(0) == "y 0"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"errors": [1.0, np.nan]}, "between 0 and 100"),
        ({"errors": [1.0, 101.0]}, "between 0 and 100"),
        ({"errors": [[1.0], [2.0]]}, "one number per network"),
        ({"properties": {"depth": [1, 2, 3]}}, "depth has 3 entries for 2"),
        ({"configs": CONFIGS}, "configs has 3 entries for 2"),
        ({"labels": ("a",)}, "labels has 1 entries for 2"),
    ],
)
def test_arrays_that_do_not_fit(wrong: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Population(**{"name": "x", "errors": [1.0, 2.0], **wrong})
