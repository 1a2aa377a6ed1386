"""The outcome in words: the first sentence, certainty, and what more time would buy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from darts.fitting.field import RANDOM, SEARCHED, Entrant
from darts.fitting.halving import Standing
from darts.fitting.judged import FinalFigures
from darts.fitting.options import FitOptions
from darts.fitting.outcome import Outcome, more_time
from darts.fitting.planning import make_plan
from darts.statistics.shares import share_interval
from tests.darts.fitting.conftest import machine, summary


def entrant(name: str, kind: str) -> Entrant:
    costs = {"macs": 10**6, "params": 10**4, "latency": 0.001}
    return Entrant(name=name, kind=kind, model={}, channels=None, layers=None, **costs)


def standing(name: str, rung: int, *accuracies: float) -> Standing:
    return Standing(name=name, rung=rung, epochs=rung, accuracies=accuracies, epoch_seconds=1.0)


def outcome(*standings: Standing) -> Outcome:
    plan = make_plan(FitOptions(data="digits", budget=300), summary(), machine(), 10.0)
    test = FinalFigures(
        kind="single-label",
        measure="accuracy",
        images=100,
        accuracy=90.0,
        low=82.4,
        high=95.1,
        lines=(("accuracy", "90.00 %"), ("balanced", "89.00 %")),
        recalls=(90.0,),
        counts=(100,),
        confusion=((90,),),
        worst=(),
    )
    return Outcome(
        plan=plan,
        field=(entrant("searched-0", SEARCHED), entrant("random-1", RANDOM)),
        standings=standings,
        aside=200,
        final={"epoch": plan.final_epochs},
        test=test,
        exports={},
        majority=10.0,
        spent=250.0,
    )


def test_the_first_sentence_says_that_the_searched_cell_lost():
    lost = outcome(standing("random-1", 2, 80.0, 82.0), standing("searched-0", 1, 70.0))
    assert lost.headline().startswith(
        "The searched cell lost: searched-0 reached 70.00 % on set-aside images in rung 1; "
        "random-1 (a random cell) won"
    )
    won = outcome(standing("searched-0", 2, 80.0, 82.0), standing("random-1", 1, 70.0))
    assert won.headline().startswith("The searched cell won: searched-0 is delivered: 90.00 %")
    none = replace(lost, field=lost.field[1:], standings=lost.standings[:1])
    assert none.headline().startswith("No cell was searched; random-1")


def test_a_difference_within_the_noise_is_called_chance():
    close = outcome(standing("random-1", 2, 80.0, 84.0), standing("searched-0", 2, 79.0, 83.0))
    assert "chance explains that" in close.sentences()[0]
    clear = outcome(standing("random-1", 2, 90.0, 90.2), standing("searched-0", 2, 70.0, 70.2))
    assert clear.lead is not None
    assert clear.lead.middle == pytest.approx(20)
    assert "more than chance" in clear.sentences()[0]
    single = outcome(standing("random-1", 1, 90.0), standing("searched-0", 1, 70.0))
    assert single.lead is None
    assert "not known" in single.sentences()[0]


def test_a_short_final_training_is_said():
    found = outcome(standing("random-1", 1, 80.0))
    assert not any("were planned" in one for one in found.sentences())
    short = replace(found, final={"epoch": 1})
    assert any("had 1 epochs, not the" in one for one in short.sentences())


def test_intervals_are_exact():
    # Clopper and Pearson for 9 of 10: 55.50 to 99.75 %.
    found = share_interval(9, 10)
    assert (round(found.low, 2), found.middle, round(found.high, 2)) == (55.5, 90.0, 99.75)
    assert share_interval(0, 10).low == 0
    measured = outcome(standing("random-1", 1, 50.0))
    interval = measured.interval(measured.standings[0])
    assert interval is not None
    assert 50 - interval.low == pytest.approx(interval.high - 50)


def test_what_more_time_would_buy_is_never_more_than_was_seen():
    assert "gained nothing" in more_time([(2, 80.0), (6, 79.0)])
    assert "tripling" in more_time([(2, 80.0), (6, 90.0)])
    assert "one rung only" in more_time([(2, 80.0)])


def test_as_plain_values():
    values = outcome(standing("random-1", 1, 80.0)).as_dict()
    assert values["field"][0]["mean"] == 80.0
    assert values["winner"]["name"] == "random-1"
    assert values["headline"] in outcome(standing("random-1", 1, 80.0)).headline()
