"""The ledger of seconds, and decisions that are made once."""

from __future__ import annotations

import json

import pytest

from darts.errors import UserError
from darts.fitting.decisions import Decisions
from darts.fitting.final import TimeLeft
from darts.fitting.spending import Spending
from tests.darts.fitting.conftest import Clock


def test_seconds_of_all_processes_add_up(tmp_path):
    path, clock = tmp_path / "spent.json", Clock()
    with Spending(path, 100.0, clock) as spent:
        clock.now = 30.0
        assert spent.left == 70.0
    clock.now = 500.0  # Nobody works.
    with Spending(path, 100.0, clock, begun=495.0) as spent:
        clock.now = 510.0
        assert spent.seconds == pytest.approx(45.0)
    assert json.loads(path.read_text())["seconds"] == pytest.approx(45.0)


def test_a_killed_process_leaves_what_it_wrote(tmp_path):
    clock = Clock()
    spent = Spending(tmp_path / "spent.json", 100.0, clock)
    clock.now = 20.0
    spent.write()
    clock.now = 21.5  # Killed here: no exit.
    assert Spending(tmp_path / "spent.json", 100.0, Clock()).left == 80.0


def test_a_damaged_ledger_begins_at_zero_and_damaged_decisions_are_refused(tmp_path):
    for name in ("spent.json", "decisions.json"):
        (tmp_path / name).write_text("{")
    assert Spending(tmp_path / "spent.json", 5.0, Clock()).seconds == 0
    with pytest.raises(UserError, match="cannot be read"):
        Decisions(tmp_path / "decisions.json")


def test_a_late_training_is_shortened_once_and_a_resumed_one_reads_it(tmp_path):
    path = tmp_path / "decisions.json"
    left = iter([100.0, 60.0, 60.0, 60.0])
    time = TimeLeft(decisions=Decisions(path), left=lambda: next(left), reserve=10.0, budget=200.0)
    assert time.shortened(2, 10, 5.0) == 10  # 8 · 5 s and 10 s are left of 100 s.
    assert time.shortened(3, 10, 10.0) == 8  # 50 s hold five more epochs.
    resumed = TimeLeft(decisions=Decisions(path), left=lambda: 1e9, reserve=10.0, budget=200.0)
    assert [resumed.decided(done, 10) for done in (2, 3, 7)] == [10, 8, 8]
    assert resumed.shortened(3, 10, 10.0) == 8
