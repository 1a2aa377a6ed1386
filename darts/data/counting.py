"""How far a pass over many images has come."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE = 10.0  # seconds between two plain lines


@contextmanager
def counting(what: str, total: int, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Give a function that counts finished images: a bar on a terminal, else a line now and then.

    A short pass without a terminal prints nothing.
    """
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task(what, total=total, completed=done)
            yield lambda count: progress.update(task, advance=count)
        return
    finished, printed = done, time.monotonic()

    def advance(count: int) -> None:
        nonlocal finished, printed
        finished += count
        if time.monotonic() - printed >= PATIENCE:
            printed = time.monotonic()
            print(f"{what}: {finished:,} of {total:,}", file=sys.stderr, flush=True)

    yield advance
