"""alpha, beta, gamma and phi."""

import pytest

from darts.errors import UserError
from darts.scaling.coefficients import STRATEGIES, Coefficients, find_coefficients


def test_those_of_the_paper() -> None:
    paper = Coefficients()
    assert paper.growth == pytest.approx(1.92027)
    seventh = paper.factors(7)
    # EfficientNet, Eq. 3 with the coefficients of §4: 1.2^7, 1.1^7 and 224 · 1.15^7.
    assert round(seventh.depth, 2) == 3.58
    assert round(seventh.width, 2) == 1.95
    assert round(224 * seventh.resolution) == 596


def test_single_dimensions_double_the_cost() -> None:
    for name, coefficients in STRATEGIES.items():
        if name != "compound":
            assert coefficients.growth == pytest.approx(2)
            factors = coefficients.factors(2)
            moved = [name for name, value in vars(factors).items() if value != 1]
            assert moved == [name]


def test_own_coefficients_are_the_compound_ones() -> None:
    own = Coefficients(1.3, 1.0, 1.2)
    assert find_coefficients("compound", own) is own
    assert find_coefficients("width", own) is STRATEGIES["width"]
    with pytest.raises(UserError, match=r"no strategy 'wide'\. Choose from compound, depth"):
        find_coefficients("wide")


@pytest.mark.parametrize(
    ("values", "message"),
    [((0.9, 1.1, 1.1), "alpha 0.9"), ((1, 1, 1), "nothing grows"), ((1, float("nan"), 1), "beta")],
)
def test_impossible(values: tuple[float, float, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Coefficients(*values)
