"""The display of an experiment."""

from __future__ import annotations

import io

import pytest

from darts.trials.progress import TrialProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines_and_the_time_left() -> None:
    stream, now = io.StringIO(), 100.0
    progress = TrialProgress(
        title="nets", total=6, done=2, failed=1, stream=stream, clock=lambda: now
    )
    with progress:
        assert progress.time_left is None  # Earlier trials say nothing about this machine.
        progress.started("a")
        now += 30
        progress.best("12.50 (a)")
        progress.ended("a", "12.50")
        assert progress.time_left == 90
        now += 10
        progress.ended("b", "failed: too large", failed=True)
        assert progress.time_left == 40  # 20 seconds a trial.
    assert stream.getvalue().splitlines() == [
        "nets  a 12.50  3/6  failed 1  best 12.50 (a)  left 0:01:30",
        "nets  b failed: too large  4/6  failed 2  best 12.50 (a)  left 0:00:40",
    ]


def test_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    stream = Terminal()
    with TrialProgress(title="nets", total=3, stream=stream) as progress:
        progress.started("a")
        progress.started("b")
        progress.reported("a", "epoch 1  loss 0.5 " + "and so on " * 20)
        progress.best("12.50 (a)")
        progress.ended("a", "12.50")
        progress.ended("b", "failed: too large", failed=True)
        progress.started("c")
    shown = stream.getvalue()
    assert "b failed: too large" in shown
    assert "2/3  failed 1  best 12.50 (a)" in shown
    assert "a: epoch 1  loss 0.5" in shown
    assert "…" in shown  # One line, however much was measured.
