import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darts.errors import UserError
from darts.joint.variables import CategoricalDomain, ContinuousDomain, GridDomain, Variable


def test_a_choice_is_one_hot() -> None:
    domain = CategoricalDomain(("a", "b", "c"))
    genes = domain.genes(["c", "a"])
    assert genes.tolist() == [2, 0]
    assert domain.features(genes).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert domain.decode(genes).tolist() == ["c", "a"]


def test_a_grid_is_min_max() -> None:
    domain = GridDomain(16, 24, 2)
    genes = domain.genes([16, 20, 24])
    assert domain.levels == 5
    assert domain.features(genes).tolist() == [[0], [0.5], [1]]
    assert domain.decode(genes).tolist() == [16, 20, 24]
    assert domain.decode(genes).dtype == np.int64


def test_decimal_steps_decode_exactly() -> None:
    domain = GridDomain(0.02, 0.03, 0.001, whole=False)
    expected = [0.02, 0.021, 0.022, 0.023, 0.024, 0.025, 0.026, 0.027, 0.028, 0.029, 0.03]
    assert domain.decode(np.arange(11.0)).tolist() == expected


def test_a_logarithmic_range_is_min_max_of_the_logarithm() -> None:
    domain = ContinuousDomain(0.01, 1.0, log=True)
    assert domain.features(domain.genes([0.01, 0.1, 1.0])) == pytest.approx(
        np.array([[0], [0.5], [1]])
    )
    assert domain.decode(np.array([0.0, 0.5, 1.0])) == pytest.approx([0.01, 0.1, 1.0])


def test_a_variable_with_one_value_has_no_features() -> None:
    for domain in (CategoricalDomain((3,)), GridDomain(6, 6, 1)):
        assert domain.features(np.zeros(4)).shape == (4, 0)
        assert domain.nearest(np.zeros((4, 0))).tolist() == [0] * 4


@given(st.integers(-50, 50), st.integers(1, 9), st.integers(0, 30), st.sampled_from([1, 0.1, 1e-6]))
def test_every_value_of_a_grid_survives_features(
    start: int, step: int, steps: int, unit: float
) -> None:
    low, high, step = start * unit, (start + step * steps) * unit, step * unit
    domain = GridDomain(low, high, step, whole=unit == 1)
    genes = np.arange(float(domain.levels))
    assert len(genes) == steps + 1
    assert (domain.nearest(domain.features(genes)) == genes).all()
    assert (domain.genes(domain.decode(genes)) == genes).all()


@given(st.floats(1e-6, 1e3), st.floats(1.001, 1e4), st.floats(0, 1), st.booleans())
def test_every_value_of_an_interval_survives_features(
    low: float, ratio: float, gene: float, log: bool
) -> None:
    domain = ContinuousDomain(low, low * ratio, log=log)
    genes = np.array([gene])
    assert domain.nearest(domain.features(genes)) == genes
    value = domain.decode(genes)
    assert domain.decode(domain.genes(value)) == pytest.approx(value, rel=1e-9)


def test_samples_are_uniform_over_the_values() -> None:
    variable = Variable(
        name="n", part="recipe", domain=CategoricalDomain((1, 2, 3, 4)), sets=("n",)
    )
    genes = variable.draw(np.linspace(0, 1, 400, endpoint=False))
    assert np.bincount(genes.astype(int)).tolist() == [100] * 4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CategoricalDomain(()), "needs values"),
        (lambda: CategoricalDomain((1, "a")), "all numbers, all words"),
        (lambda: CategoricalDomain((True, 1)), "all numbers, all words"),
        (lambda: CategoricalDomain(([1],)), "all numbers, all words"),
        (lambda: CategoricalDomain((1, 1)), "twice"),
        (lambda: GridDomain(3, 1, 1), "empty"),
        (lambda: GridDomain(0, 10, 3), "do not end at 10"),
        (lambda: GridDomain(0, 10, 0), "above 0"),
        (lambda: GridDomain(0, 1, 0.5), "whole numbers"),
        (lambda: ContinuousDomain(1, 1), "empty"),
        (lambda: ContinuousDomain(0, 1, log=True), "above 0"),
        (lambda: ContinuousDomain(0, float("inf")), "empty"),
        (lambda: CategoricalDomain((1, 2)).genes([3]), "3 is none of 1, 2"),
        (lambda: GridDomain(16, 24, 2).genes([17]), "17 is not 16 to 24 by 2"),
        (lambda: GridDomain(16, 24, 2).genes([26]), "26 is not"),
        (lambda: ContinuousDomain(0, 1).genes([float("nan")]), "nan is not"),
    ],
)
def test_invalid_domains_and_values(make, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()
