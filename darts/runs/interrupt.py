"""Stop a run on request: finish the step, write the checkpoint, say how to continue."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType, MethodType
from typing import Any

# SIGHUP: the terminal was closed. Windows has none.
_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
# Tools like `timeout` signal both the process and its group; that is one request.
_ONE_REQUEST_SECONDS = 0.1


class Interrupted(Exception):
    """The run was asked to stop and its checkpoint is written; commands exit with code 130."""

    def __init__(self, run_dir: os.PathLike[str] | str) -> None:
        self.run_dir = os.fspath(run_dir)
        super().__init__(
            f"Interrupted; the checkpoint is written. Continue with --resume {self.run_dir}"
        )


class InterruptGuard:
    """Turns the first SIGINT, SIGTERM or SIGHUP into `requested`; the second raises
    KeyboardInterrupt.

    A signal that is ignored, as SIGHUP is under nohup, stays so.

    A loop checks `guard.requested` after each step. The previous handlers are restored on exit.
    A guard inside another one takes its signals, and passes the request on when it ends. Outside
    the main thread, where Python allows no handlers, the guard does nothing.

    Args:
        one_request: Signals within this many seconds count as one.

    Attributes:
        requested: Whether a signal has come.
        at_once: Raise on the first signal, too (there is no state to save).

    >>> with InterruptGuard() as guard:
    ...     guard.requested
    False
    """

    def __init__(self, one_request: float = _ONE_REQUEST_SECONDS) -> None:
        self.requested = self.at_once = False
        self._one_request = one_request
        self._requested_at = 0.0
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> InterruptGuard:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if number != signal.SIGINT and signal.getsignal(number) is signal.SIG_IGN:
                    continue
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        while self._previous:
            number, handler = self._previous.popitem()
            if self.requested and isinstance(handler, MethodType):
                outer = handler.__self__
                if isinstance(outer, InterruptGuard):
                    outer.requested = True
            # None: the previous handler was not installed from Python.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.requested:
            self.requested, self._requested_at = True, now
            if self.at_once:
                raise KeyboardInterrupt
        elif now - self._requested_at > self._one_request:
            raise KeyboardInterrupt
