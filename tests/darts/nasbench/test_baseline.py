"""Random search in closed form, against all draws of small tables and published numbers."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from statistics import fmean, pstdev

import numpy as np
import pytest

from darts.nasbench.baseline import RandomSearch, best_weights, expected_best
from darts.nasbench.reading import read_table
from darts.nasbench.table import AccuracyTable

VALID = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0]
TEST = [10.0, 70.0, 40.0, 20.0, 60.0, 50.0, 30.0]


def table_of(valid: list[float], test: list[float]) -> AccuracyTable:
    columns = []
    for values in (valid, test):
        column = np.full(15625, np.nan)
        column[: len(values)] = values
        columns.append(column)
    return AccuracyTable(Path("t"), "cifar10", "CSV", *columns)


def outcomes(n: int) -> list[float]:
    """Test accuracy of the best by validation of every draw; ties in every order."""
    found = []
    for draw in itertools.combinations(range(len(VALID)), n):
        best = max(VALID[i] for i in draw)
        tied = [TEST[i] for i in draw if VALID[i] == best]
        found += [tied[place % len(tied)] for place in range(2)]
    return found


@pytest.mark.parametrize("n", range(1, 8))
def test_all_draws_by_hand(n: int) -> None:
    search = RandomSearch(table_of(VALID, TEST))
    found = search(n)
    assert found.test == pytest.approx(fmean(outcomes(n)))
    assert found.deviation == pytest.approx(pstdev(outcomes(n)), abs=1e-9)
    draws = [max(draw) for draw in itertools.combinations(VALID, n)]
    assert found.valid == pytest.approx(fmean(draws))
    assert expected_best(np.array([*VALID, np.nan]), n) == pytest.approx(fmean(draws))
    for least in (10, 35, 50, 71):
        share = fmean(test >= least for test in outcomes(n))
        assert search.chance(n, least) == pytest.approx(share)


@pytest.mark.parametrize("n", [1, 7, 100, 15625])
def test_weights_are_a_distribution(n: int) -> None:
    weights = best_weights(15625, n)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1, abs=1e-9)
    assert not weights[: n - 1].any()


def test_more_than_all_cells_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="8 of 7"):
        best_weights(7, 8)
    assert [one.n for one in RandomSearch(table_of(VALID, TEST)).baselines([3, 1, 3, 100])] == [
        1,
        3,
    ]


def test_the_number_of_random_cells_that_a_search_equals() -> None:
    rising = RandomSearch(table_of(sorted(VALID), sorted(TEST)))
    for test in (11, 35, 50, 69.5, 70):
        n = rising.equivalent(test)
        assert n is not None
        assert rising(n).test >= test
        assert n == 1 or rising(n - 1).test < test
    assert rising.equivalent(71) is None


def test_a_table_without_cells_has_no_baseline() -> None:
    search = RandomSearch(table_of([], []))
    assert (search.count, search.baselines([1, 3]), search.equivalent(1)) == (0, [], None)


BEST_TEST = {1: 87.06, 2: 91.25, 3: 92.07, 4: 92.43, 5: 92.64, 8: 92.97, 10: 93.10, 16: 93.31}
BEST_TEST |= {20: 93.40, 25: 93.48, 32: 93.56, 50: 93.69, 64: 93.75, 100: 93.85, 200: 93.97}
BEST_TEST |= {500: 94.12, 1000: 94.21}
BEST_VALID = {1: 83.67, 2: 87.97, 3: 88.83, 4: 89.21, 5: 89.44, 8: 89.82, 10: 89.97, 16: 90.25}
BEST_VALID |= {20: 90.38, 25: 90.49, 32: 90.61, 50: 90.80, 64: 90.89, 100: 91.03, 200: 91.19}
BEST_VALID |= {500: 91.35, 1000: 91.44}


def test_published_expectations(shared: Path) -> None:
    table = read_table(shared / "data" / "nb201_cifar10.csv.gz")
    for values, known in ((table.test, BEST_TEST), (table.valid, BEST_VALID)):
        for n, best in known.items():
            assert expected_best(values, n) == pytest.approx(best, abs=0.0056)
    search = RandomSearch(table)
    facts = json.loads((shared / "facts" / "nasbench201.json").read_text())["nb201"]
    for n, test in facts["expected_test_when_chosen_by_valid_among"].items():
        assert search(int(n)).test == pytest.approx(test, abs=6e-4)
    assert search(15625).test == pytest.approx(94.3733, abs=1e-4)
