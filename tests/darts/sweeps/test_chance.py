"""Searched cells beside random ones, on made-up numbers."""

import pytest

from darts.statistics.estimates import difference
from darts.sweeps.chance import against_chance


def test_better_worse_and_not_shown() -> None:
    high, low, wide = (70.0, 70.2, 70.4), (65.0, 65.2, 65.1), (60.0, 75.0, 66.0)
    better, worse, unclear = (
        against_chance(high, low), against_chance(low, high), against_chance(wide, low)
    )  # fmt: skip
    assert better is not None
    assert worse is not None
    assert unclear is not None
    assert (better.verdict, worse.verdict, unclear.verdict) == ("better", "worse", "not shown")
    assert better.difference == difference(high, low)
    assert "surpasses 3 of 3 random cells of about the same cost" in better.sentence()
    assert "+5.10 points" in better.sentence()
    assert better.sentence().endswith("the search is better than chance.")
    assert worse.sentence().endswith("the search is worse than chance.")
    assert (worse.ahead, unclear.ahead) == (0, 3)
    assert "not shown" in unclear.sentence()
    assert better.as_dict()["verdict"] == "better"


def test_one_search_has_a_place_but_no_interval() -> None:
    one = against_chance([70.0], [69.0, 70.0, 71.0])
    assert one is not None
    assert (one.ahead, one.difference, one.verdict) == (1, None, "not shown")
    assert one.sentence() == (
        "The searched cell surpasses 1 of 3 random cells of about the same cost; with so few "
        "cells, chance is not known."
    )


@pytest.mark.parametrize("sides", [((), (1.0,)), ((1.0,), ())])
def test_without_one_side_there_is_no_answer(sides: tuple[tuple[float, ...], ...]) -> None:
    assert against_chance(*sides) is None
