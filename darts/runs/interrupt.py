"""Ending a run in good order: finish the step, write the checkpoint, say how to go on."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Tools like `timeout` send the same signal to the process and to its group; that is one request.
_ONE_REQUEST_SECONDS = 0.1


class Interrupted(Exception):
    """The run was asked to stop and its checkpoint is written; commands exit with code 130."""

    def __init__(self, run_dir: os.PathLike[str] | str) -> None:
        self.run_dir = os.fspath(run_dir)
        super().__init__(
            f"Interrupted; the checkpoint is written. Go on with --resume {self.run_dir}"
        )


class InterruptGuard:
    """Turns the first SIGINT or SIGTERM into `requested`; the second raises KeyboardInterrupt.

    The loop asks `guard.requested` after each step. The handlers found are put back at the end.
    Outside the main thread, where Python allows no handlers, the guard does nothing.

    Args:
        one_request: Seconds within which several signals count as one.

    Attributes:
        requested: A signal came.
        at_once: Let the first signal raise, too, while nothing is under way that has to be ended
            in good order.
    """

    def __init__(self, one_request: float = _ONE_REQUEST_SECONDS) -> None:
        self.requested = self.at_once = False
        self._one_request = one_request
        self._requested_at = 0.0
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> InterruptGuard:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        while self._previous:
            number, handler = self._previous.popitem()
            # None stands for a handler that was not installed from Python and cannot be named.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.requested:
            self.requested, self._requested_at = True, now
            if self.at_once:
                raise KeyboardInterrupt
        elif now - self._requested_at > self._one_request:
            raise KeyboardInterrupt
