"""The plan of a fit: a pure function of data, machine, time and options."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from darts.errors import UserError
from darts.fitting.options import FitOptions
from darts.fitting.plan import Machine, Plan
from darts.fitting.plan_words import plan_text
from darts.fitting.planning import make_plan
from tests.darts.fitting.conftest import machine, summary


def plan(budget: float, scale: float = 1.0, search: bool = False, **options: object) -> Plan:
    asked = FitOptions(data="digits", budget=budget, **options)  # type: ignore[arg-type]
    return make_plan(asked, summary(), machine(scale, search), 10.0)


@pytest.mark.parametrize("search", [False, True])
@pytest.mark.parametrize("budget", [120, 300, 900, 3600, 7200])
def test_the_parts_fit_into_the_budget(budget, search):
    made = plan(budget, search=search)
    searches = 0.0 if made.searches is None else made.searches.seconds
    rungs = sum(rung.seconds for rung in made.rungs)
    assert made.final_seconds > 0
    assert made.spent + searches + rungs + made.final_seconds + made.reserve <= budget * 1.001


@pytest.mark.parametrize("budget", [120, 300, 3600])
def test_the_field_always_has_every_kind(budget):
    field = plan(budget).field
    assert min(field.zoo, field.random, field.regnet, field.efficientnet) >= 1
    assert field.networks >= 4


def test_rungs_halve_the_field_and_lengthen_the_trainings():
    rungs = plan(3600).rungs
    assert [rung.networks for rung in rungs] == sorted(
        (rung.networks for rung in rungs), reverse=True
    )
    assert len({rung.epochs for rung in rungs}) == len(rungs) == 3
    assert rungs[-1].networks == 2
    assert rungs[-1].trainings == 3


def test_more_time_never_makes_a_smaller_field():
    sizes = [plan(budget).field.networks for budget in (120, 300, 900, 3600)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


def test_a_search_is_planned_only_where_it_is_long_enough():
    # A step takes 0.3 · 0.05 s + 0.7 · 0.1 s, and a fifth of the time must hold 400 of them.
    assert plan(170, search=True).searches is None
    assert any("No cell is searched" in one for one in plan(170, search=True).reasons)
    found = plan(3600, search=True).searches
    assert found is not None
    assert found.seeds == 4
    assert (found.settings["k"], found.settings["max_macs"]) == (1, "typical")
    assert found.settings["channels"] == 8


def test_the_ceiling_is_the_users_or_is_derived_and_said():
    assert plan(3600, max_macs="500k").ceiling == 500_000
    assert plan(7200).ceiling == 2_000_000  # What is usual for such images.
    slow = plan(3600, scale=40)
    assert slow.ceiling < 2_000_000
    assert "20 epochs" in slow.ceiling_why
    assert "asked was 2M" in plan(3600, scale=40, max_macs="2M").ceiling_why


def test_a_plan_survives_json():
    made = plan(3600, search=True)
    assert Plan.from_dict(json.loads(json.dumps(made.as_dict()))) == made
    here = machine(search=True)
    assert Machine.from_dict(json.loads(json.dumps(here.as_dict()))) == here


def test_the_text_says_what_is_run_and_what_is_not_known():
    text = plan_text(plan(300), summary())
    assert "1,440 training images" in text
    assert "Rung 1: all" in text
    assert "cannot be told apart" in text


def test_too_small_a_budget_says_how_much_is_needed():
    with pytest.raises(UserError, match=r"the least plan needs about \d+s") as refused:
        plan(18)
    needed = float(str(refused.value).rsplit("about ", 1)[1][:-2])
    assert 18 < needed < 120
    plan(needed)  # And that much is enough.


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (replace(summary(), train_counts=(100,), classes=("cat",)), "two classes"),
        (replace(summary(), train_counts=(8, 9), classes=("cat", "dog")), "20 training images"),
        (replace(summary(), train_counts=(90, 1), classes=("cat", "dog")), "1 of dog"),
    ],
)
def test_data_that_judge_nothing_are_refused(data, words):
    with pytest.raises(UserError, match=words):
        make_plan(FitOptions(data="digits", budget=900), data, machine(), 0.0)
