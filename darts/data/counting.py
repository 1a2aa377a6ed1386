"""The progress of a pass over many images."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from darts.system.plain_text import direct_stream

LINE_EVERY = 10.0  # seconds between two plain lines


@contextmanager
def counting(what: str, total: int, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Show the progress of a pass and yield a function that takes the number of finished images.

    On a terminal this is a progress bar; otherwise a line every 10 seconds, so a short pass prints
    nothing.

    >>> with counting("reading", 2) as advance:
    ...     advance(1)
    ...     advance(1)

    Args:
        what: What is done, for the bar and the lines.
        total: Number of images.
        done: Number of images that were finished earlier.
    """
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        console = Console(file=direct_stream(sys.stderr))
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task(what, total=total, completed=done)
            yield lambda count: progress.update(task, advance=count)
        return
    finished, printed = done, time.monotonic()

    def advance(count: int) -> None:
        nonlocal finished, printed
        finished += count
        if time.monotonic() - printed >= LINE_EVERY:
            printed = time.monotonic()
            print(f"{what}: {finished:,} of {total:,}", file=sys.stderr, flush=True)

    yield advance
