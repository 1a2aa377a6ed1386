"""Files that a run writes while its next steps are computed, by one thread and in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from torch import Tensor

Job = Callable[[], object]
"""Writes something; it must not use a device or a random stream of the run."""

_MOST = 64


class Background:
    """Does jobs one after the other, in a thread of its own.

    At most `_MOST` jobs wait; then `later` waits, too. After a job has failed none is done any
    more, and its error is raised by the next call of `later`, `finish` or `close`.

    >>> background, done = Background(), []
    >>> _ = background.later(lambda: done.append("picture"))
    >>> _ = background.later(lambda: done.append("checkpoint"))
    >>> background.close(); done
    ['picture', 'checkpoint']
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="darts-writer")
        self._waiting: deque[Future[None]] = deque()
        self._failed = False

    def later(self, job: Job) -> Future[None]:
        """Do the job after all earlier ones; only for the thread that made this object."""
        self._settle(_MOST)
        self._waiting.append(self._pool.submit(self._do, job))
        return self._waiting[-1]

    def finish(self) -> None:
        """Wait until every job is done."""
        self._settle(0)

    def close(self) -> None:
        """Finish, and end the thread."""
        try:
            self.finish()
        finally:
            self._pool.shutdown()

    def _do(self, job: Job) -> None:
        if self._failed:
            return
        try:
            job()
        except BaseException:
            self._failed = True
            raise

    def _settle(self, most: int) -> None:
        while self._waiting and (len(self._waiting) > most or self._waiting[0].done()):
            self._waiting.popleft().result()


def snapshot(value: Any) -> Any:
    """The value with copies of its tensors on the CPU, in new containers of the same types.

    >>> import torch
    >>> weight = torch.ones(2)
    >>> copy = snapshot({"weight": weight})
    >>> weight.zero_()[0].item(), copy["weight"][0].item()
    (0.0, 1.0)
    """
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        copied = {key: snapshot(part) for key, part in value.items()}
        return copied if type(value) is dict else type(value)(copied)
    if type(value) in (list, tuple):
        return type(value)(snapshot(part) for part in value)
    return value
