"""Threads follow the work, the processors and the quota; what the user has chosen stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from darts.errors import UserError
from darts.system import threads as numbers
from darts.system.waiting import SHARE_OF_WORKER

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def untouched(monkeypatch):
    """Four processors, and no choice of the user's."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", SHARE_OF_WORKER):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setattr(numbers, "usable_cores", lambda: 4)
    monkeypatch.setattr(numbers, "_THREADS_OF_TORCH", 4)
    with numbers.restored_threads():
        torch.set_num_threads(4)
        yield


def test_threads():
    before = torch.get_num_threads()
    try:
        numbers.set_threads(3)
        numbers.set_threads(0)
        assert torch.get_num_threads() == 3
        with pytest.raises(UserError, match="-1"):
            numbers.set_threads(-1)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("quota", "variables", "expected"),
    [(2, {}, 2), (9, {}, 4), (2, {"OMP_NUM_THREADS": "4"}, 4), (2, {"MKL_NUM_THREADS": "4"}, 4)],
)
def test_by_default_threads_follow_the_quota_unless_the_user_has_chosen(
    quota, variables, expected, monkeypatch
):
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(numbers, "usable_cores", lambda: quota)
    monkeypatch.setattr(numbers, "_THREADS_OF_TORCH", 4)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        numbers.set_threads(0)
        assert torch.get_num_threads() == expected
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("work", "asleep", "spinning"),
    [(1e3, 1, 1), (2e6, 1, 2), (6e6, 2, 4), (9e6, 3, 4), (1e9, 4, 4)],
)
def test_threads_follow_the_work_of_an_operation(work, asleep, spinning):
    assert numbers.threads_for(work, 4, {"OMP_WAIT_POLICY": "passive"}) == asleep
    assert numbers.threads_for(work, 4, {}) == spinning


def test_small_work_takes_one_thread_and_is_not_computed_without_need(monkeypatch):
    def needless():
        raise AssertionError

    numbers.fit_threads(3, CPU, needless)
    numbers.fit_threads(0, torch.device("cuda"), needless)
    assert torch.get_num_threads() == 4
    numbers.fit_threads(0, CPU, lambda: 1.0)
    assert torch.get_num_threads() == 1
    torch.set_num_threads(3)  # By the user.
    numbers.fit_threads(0, CPU, needless)
    assert torch.get_num_threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    torch.set_num_threads(4)
    numbers.fit_threads(0, CPU, needless)
    assert torch.get_num_threads() == 4


def test_the_share_of_a_worker_is_a_limit_and_no_choice(monkeypatch):
    for name in ("OMP_NUM_THREADS", SHARE_OF_WORKER):
        monkeypatch.setenv(name, "2")
    monkeypatch.setattr(numbers, "_THREADS_OF_TORCH", 2)
    for work, expected in ((1e9, 2), (1.0, 1)):
        torch.set_num_threads(2)
        numbers.fit_threads(0, CPU, lambda work=work: work)
        assert torch.get_num_threads() == expected


@pytest.mark.parametrize(
    ("records", "expected"), [([{"threads": 1}, {"threads": 3}], 3), ([{"cpus": 2}], 4), ("x", 4)]
)
def test_a_continued_run_keeps_its_number(records, expected, tmp_path: Path):
    (tmp_path / "environment.json").write_text(json.dumps(records))
    numbers.fit_threads(0, CPU, lambda: 1.0, resumed=str(tmp_path))
    assert torch.get_num_threads() == expected


def test_the_process_has_its_own_number_afterwards():
    with numbers.restored_threads():
        torch.set_num_threads(1)
    assert torch.get_num_threads() == 4
