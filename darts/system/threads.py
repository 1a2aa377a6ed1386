"""How many CPU threads a run uses: as many as the work of one operation is worth.

An operation is divided among threads that wait asleep for it (`darts.system.waiting`), and to wake
one takes about as long as two million multiply-adds with their gradients. So each thread gets at
least three million multiply-adds of the mean operation's forward pass:

    work    = multiply-adds of a batch / number of operations
    threads = work / 3,000,000, at least 1, at most the usable processors

Threads that spin cost less to wake, so a quarter of that is enough. The rule never looks at a
clock: the same settings on the same machine give the same number. What the user has chosen
(`--threads`, OMP_NUM_THREADS, `torch.set_num_threads` before) is never changed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from darts.errors import UserError
from darts.run_files import RunFiles
from darts.system.cores import usable_cores
from darts.system.waiting import SHARE_OF_WORKER

# Variables with which a user chooses the number of threads.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_THREADS_OF_TORCH = torch.get_num_threads()
_ASLEEP, _SPINNING = 3_000_000, 750_000


def set_threads(number: int) -> None:
    """Use `number` CPU threads per operation; 0 keeps the default of torch.

    That default follows the affinity of the process. If the container's quota allows fewer
    processors, 0 means that many; `OMP_NUM_THREADS` and a number set before have priority.

    Raises:
        UserError: `number` is negative.
    """
    if number < 0:
        raise UserError(f"--threads must be 0 or more, not {number}.")
    if not number and not _chosen_by_user():
        number = _most()
    if number:
        torch.set_num_threads(number)


def fit_threads(
    asked: int, device: torch.device, work: Callable[[], float], resumed: str | None = None
) -> None:
    """Let the number of threads follow the work, unless the user has chosen one.

    Args:
        asked: The user's `--threads`; 0 leaves the choice to us.
        device: Where the run computes; on anything but a CPU, nothing is changed.
        work: Returns the mean multiply-adds of an operation; called only if needed.
        resumed: Directory of the run that is continued; it keeps its number of threads.
    """
    if asked or device.type != "cpu" or _chosen_by_user():
        return
    if resumed is None:
        torch.set_num_threads(threads_for(work(), _most()))
    elif kept := RunFiles(Path(resumed)).read_threads():
        torch.set_num_threads(kept)


def threads_for(work: float, most: int, environment: Mapping[str, str] = os.environ) -> int:
    """The number of threads for operations of so many multiply-adds on average.

    >>> [threads_for(work, 8, {"OMP_WAIT_POLICY": "PASSIVE"}) for work in (1e6, 7e6, 1e9)]
    [1, 2, 8]

    Args:
        work: Mean multiply-adds of an operation, of all images of a step together.
        most: Largest number.
        environment: Tells whether threads sleep while they wait.
    """
    asleep = environment.get("OMP_WAIT_POLICY", "").upper() == "PASSIVE"
    return min(most, max(1, int(work // (_ASLEEP if asleep else _SPINNING))))


@contextmanager
def restored_threads() -> Iterator[None]:
    """After the block, this process has the number of threads that it had before."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _most() -> int:
    return min(usable_cores(), int(os.environ.get(SHARE_OF_WORKER, _THREADS_OF_TORCH)))


def _chosen_by_user() -> bool:
    variables = any(name in os.environ for name in _THREAD_VARIABLES)
    if variables and SHARE_OF_WORKER not in os.environ:
        return True
    return torch.get_num_threads() not in (_THREADS_OF_TORCH, _most())
