"""What a run writes in the background: in order, never lost, and errors are raised."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import nn

from darts.runs.background import Background, snapshot
from darts.runs.tracking import Tracker


def test_jobs_are_done_in_order_by_another_thread_and_all_before_the_end() -> None:
    background, done, gate = Background(), [], threading.Event()
    threads = set()

    def job(number: int) -> None:
        gate.wait(10)
        threads.add(threading.get_ident())
        done.append(number)

    for number in range(20):
        background.later(lambda number=number: job(number))
    assert not done
    gate.set()
    background.close()
    assert done == list(range(20))
    assert threading.get_ident() not in threads


def test_the_queue_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr("darts.runs.background._MOST", 2)
    background, gate = Background(), threading.Event()
    threading.Timer(0.2, gate.set).start()
    for _ in range(6):
        background.later(lambda: gate.wait(10))
    assert gate.is_set()  # The fourth call had to wait for it.
    background.close()


def test_an_error_is_raised_once_and_nothing_is_written_after_it() -> None:
    background, done, gate = Background(), [], threading.Event()

    def broken() -> None:
        gate.wait(10)
        raise OSError("disk full")

    background.later(broken)
    skipped = background.later(lambda: done.append("checkpoint"))
    gate.set()
    with pytest.raises(OSError, match="disk full"):
        background.finish()
    background.close()
    assert skipped.done()
    assert not done


def test_the_first_error_of_a_run_is_the_one_to_see(tmp_path: Path) -> None:
    def broken() -> None:
        raise OSError("disk full")

    def run(error: Exception | None) -> None:
        with Tracker(tmp_path) as tracker:
            tracker.later(broken)
            if error is not None:
                raise error

    with pytest.raises(ValueError, match="diverged"):
        run(ValueError("diverged"))
    with pytest.raises(OSError, match="disk full"):
        run(None)


def test_a_snapshot_holds_the_values_of_its_moment() -> None:
    net = nn.Conv2d(2, 4, 3).to(memory_format=torch.channels_last)
    before = net.weight.detach().clone()
    state = {"net": net.state_dict(), "more": [1, (net.weight, None)], "name": "x"}
    copied = snapshot(state)
    with torch.no_grad():
        net.weight.zero_()
    assert type(copied["net"]) is OrderedDict
    for tensor in (copied["net"]["weight"], copied["more"][1][0]):
        assert torch.equal(tensor, before)
        assert tensor.stride() == net.weight.stride()
        assert not tensor.requires_grad
    assert copied["more"][0] == 1
    assert copied["name"] == "x"
