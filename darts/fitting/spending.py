"""The time that a fit has spent, over all processes that worked on it.

`spent.json` has the seconds of all processes. A thread adds those of this process every two
seconds, so that a killed process loses no more than these.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from darts.files import read_json_file

_EVERY = 2.0


class Spending:
    """Counts the seconds that a fit has spent, while it is used in `with`.

    >>> import tempfile
    >>> now = iter([10.0, 13.0, 14.0, 14.0]).__next__
    >>> with Spending(Path(tempfile.mkdtemp()) / "spent.json", 20.0, now, begun=8.0) as spent:
    ...     spent.seconds, spent.left
    (2.0, 15.0)

    Args:
        path: The file.
        budget: Seconds that the fit may take.
        clock: Returns seconds.
        begun: When this process began, by the clock; by default now.
    """

    def __init__(
        self,
        path: Path,
        budget: float,
        clock: Callable[[], float] = time.monotonic,
        begun: float | None = None,
    ) -> None:
        self._path, self.budget, self._clock = path, budget, clock
        self._begun = clock() if begun is None else begun
        self._earlier = _read(path)
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return self._earlier + self._clock() - self._begun

    @property
    def left(self) -> float:
        """Seconds that are left of the budget; negative if it is exceeded."""
        return self.budget - self.seconds

    def write(self) -> None:
        """Write the seconds so far.

        In place, by one call of fixed length, because `atomic_write` changes the process's umask
        for a moment, which another thread must not see.
        """
        text = f'{{"seconds": {self.seconds:14.3f}}}\n'.encode()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o666)
        try:
            os.pwrite(descriptor, text, 0)
        finally:
            os.close(descriptor)

    def __enter__(self) -> Spending:
        self._thread = threading.Thread(target=self._keep, name="spending", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self.write()

    def _keep(self) -> None:
        while not self._ended.wait(_EVERY):
            self.write()


def _read(path: Path) -> float:
    try:
        return float(read_json_file(path)["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0
