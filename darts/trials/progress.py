"""Progress of an experiment: finished trials, the best so far, failures, time left."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import IO

from rich.console import Group
from rich.text import Text

from darts.runs.progress import LiveDisplay, bar_line, format_time


class TrialProgress(LiveDisplay):
    """A live line on a terminal; otherwise one plain line per trial that ends.

    Args:
        title: Name of the experiment.
        total: Number of trials.
        done: Number of trials that ended earlier, including failed ones.
        failed: Number of trials that failed earlier.
        stream: Where to write; standard error by default.
        clock: Returns the current time in seconds.
    """

    def __init__(
        self,
        *,
        title: str,
        total: int,
        done: int = 0,
        failed: int = 0,
        stream: IO[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(stream, refresh_per_second=2)
        self._title, self._total, self._failed = title, total, failed
        self._ended = self._begun_with = done
        self._best = self._now = ""
        self._running: set[str] = set()
        self._clock = clock
        self._begun = clock()

    @property
    def time_left(self) -> float | None:
        """Estimated seconds to the end at the pace so far; None before a trial has ended."""
        ended = self._ended - self._begun_with
        if not ended:
            return None
        return (self._clock() - self._begun) / ended * (self._total - self._ended)

    def started(self, key: str) -> None:
        self._running.add(key)

    def released(self, key: str) -> None:
        self._running.discard(key)

    def reported(self, key: str, text: str) -> None:
        """Show the last measurement of a running trial."""
        self._now = f"{key}: {text}"

    def best(self, text: str) -> None:
        """Show the best result so far."""
        self._best = text

    def ended(self, key: str, text: str, *, failed: bool = False) -> None:
        """Count a trial that has finished or failed."""
        self._running.discard(key)
        self._ended += 1
        self._failed += failed
        if not self.on_terminal:
            parts = [f"{key} {text}", *self._values(), f"left {format_time(self.time_left)}"]
            self.message("  ".join([self._title, *parts]))
        elif failed:
            self.message(f"{key} {text}")

    def _values(self) -> list[str]:
        failed = [f"failed {self._failed}"] if self._failed else []
        best = [f"best {self._best}"] if self._best else []
        return [f"{self._ended}/{self._total}", *failed, *best]

    def display(self) -> Group:
        """A bar of the trials, and the last measurement of a running one."""
        status = "  ".join(self._values())
        line = bar_line(self._title, self._ended, self._total, status, self.time_left)
        running = f"{len(self._running)} running  " if len(self._running) > 1 else ""
        return Group(
            line, Text(running + self._now, style="dim", no_wrap=True, overflow="ellipsis")
        )
