"""Variance between and within groups: numbers by hand, the two-group case, simulated components."""

import numpy as np
import pytest
from scipy import stats

from darts.statistics.components import components, pooled_difference


def test_by_hand() -> None:
    # Means 2, 6, 4 and one of two values: SSW = 2 + 2, SSB = 2·4 + 2·4 + 1·0.
    found = components([[1, 3], [5, 7], [4]])
    assert (found.groups, found.values) == (3, 5)
    assert found.within == pytest.approx(2**0.5)
    size = (5 - (4 + 4 + 1) / 5) / 2
    assert found.between == pytest.approx(((16 / 2 - 4 / 2) / size) ** 0.5)
    assert found.p_value == pytest.approx(stats.f_oneway([1, 3], [5, 7], [4]).pvalue)


def test_what_cannot_be_told() -> None:
    assert components([[1], [2]]).within is None
    assert components([[1, 3]]).between is None
    assert components([[1, 1], [2, 2]]).p_value is None  # F is infinite or undefined.
    # Groups that differ less than chance: the estimate is cut off at 0.
    assert components([[1, 5], [2, 4]]).between == 0
    assert pooled_difference([[1], [2]], 0, 1) is None


def test_two_groups_are_students_test() -> None:
    first, second = [81.2, 80.4, 82.0], [79.5, 80.1, 79.9]
    found = pooled_difference([first, second], 0, 1)
    wanted = stats.ttest_ind(first, second).confidence_interval()
    assert found is not None
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))


def test_known_components_are_found() -> None:
    generator = np.random.default_rng(0)
    groups = generator.normal(0, 2, (2000, 1)) + generator.normal(0, 0.5, (2000, 3))
    found = components(groups.tolist())
    assert found.within == pytest.approx(0.5, rel=0.03)
    assert found.between == pytest.approx(2, rel=0.05)
