"""ProgressLine of a run: a live display on a terminal, plain lines otherwise."""

from __future__ import annotations

import math
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import IO, TypeVar

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from darts.system.plain_text import direct_stream, printable

_SMOOTHING_SECONDS = 60.0
_REMEMBERED = 5
"""Epochs that a terminal shows beside the present one."""
_COLUMN = 9
"""Characters of a column of values."""
_CELL = 20
"""Characters of a short value below the columns."""

Shown = TypeVar("Shown", bound="LiveDisplay")


class Rate:
    """Steps and images per second, as an exponentially weighted average over about a minute.

    With w = exp(-Δt / 60 s), each sum becomes w·sum + new; the rate is sum of images / sum of
    seconds. The first update gives the plain average; steps before a resume never count.

    >>> rate = Rate()
    >>> rate.update(seconds=2.0, steps=4, images=64)
    >>> rate.images_per_second, rate.time_left(steps=10)
    (32.0, 5.0)
    """

    def __init__(self) -> None:
        self._seconds = self._steps = self._images = 0.0

    def update(self, seconds: float, steps: int, images: int) -> None:
        """Count `steps` and `images` that took `seconds`."""
        fade = math.exp(-seconds / _SMOOTHING_SECONDS)
        self._seconds = self._seconds * fade + seconds
        self._steps = self._steps * fade + steps
        self._images = self._images * fade + images

    @property
    def images_per_second(self) -> float | None:
        return self._images / self._seconds if self._seconds > 0 else None

    def time_left(self, steps: int) -> float | None:
        """Estimated seconds for `steps` more steps; None before the first update."""
        return steps * self._seconds / self._steps if self._steps > 0 else None


class LiveDisplay:
    """Shows what `display` returns, live on a terminal; otherwise only messages appear.

    Args:
        stream: Where to write; standard error by default.
        refresh_per_second: How often a terminal is refreshed.
    """

    def __init__(self, stream: IO[str] | None, refresh_per_second: float) -> None:
        self._stream = direct_stream(sys.stderr if stream is None else stream)
        self._refresh_per_second = refresh_per_second
        self._console: Console | None = None
        self._live: Live | None = None
        # Not rich's own test: with FORCE_COLOR set, it takes a pipe for a terminal.
        if self._stream.isatty() and os.environ.get("TERM") != "dumb":
            self._console = Console(file=self._stream, force_terminal=True)

    def __enter__(self: Shown) -> Shown:
        if self._console is not None:
            self._live = Live(
                console=self._console,
                get_renderable=self.display,
                refresh_per_second=self._refresh_per_second,
            )
            self._live.start(refresh=True)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._live is not None:
            self._live.stop()

    @property
    def on_terminal(self) -> bool:
        """Whether the live display is shown."""
        return self._console is not None

    def display(self) -> RenderableType:
        """What the terminal should show now."""
        raise NotImplementedError

    def message(self, text: str) -> None:
        """Print a line, above the live display."""
        text = printable(text)
        if self._console is not None:
            self._console.print(text, markup=False, highlight=False)
        else:
            print(text, file=self._stream, flush=True)


class ProgressLine(LiveDisplay):
    """Shows epoch, step, loss, accuracy, learning rate, images/s and the time left of the run.

    On a terminal: a bar, a table of the last epochs and the present one, and below it what is too
    long for a column. Without one: a plain line for each epoch, when all of it is known, and one
    every `interval` seconds within longer epochs, without control codes.

    Args:
        total_steps: Steps of the complete run.
        steps_per_epoch: Steps of an epoch.
        epochs: Epochs of the complete run.
        title: What is running.
        start_step: Steps that a resumed run has already done.
        stream: Where to write; standard error by default.
        interval: Seconds between two plain lines of one epoch.
        clock: Returns the current time in seconds.
    """

    def __init__(
        self,
        *,
        total_steps: int,
        steps_per_epoch: int,
        epochs: int,
        title: str,
        start_step: int = 0,
        stream: IO[str] | None = None,
        interval: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(stream, refresh_per_second=4)
        self.step = start_step
        self._total, self._per_epoch, self._epochs = total_steps, steps_per_epoch, epochs
        self._title, self._interval, self._clock = title, interval, clock
        self._rate = Rate()
        # Ends of epochs: measured ones, their seconds, and all since the first step of the run.
        self._ends, self._end_seconds = 0, 0.0
        self._ended = start_step // steps_per_epoch
        self._fields: dict[str, str] = {}
        self._history: deque[Mapping[str, str]] = deque(maxlen=_REMEMBERED)
        self._drawing: Sequence[str] = ()
        self._now = self._printed = clock()

    def __enter__(self) -> ProgressLine:
        self._now = self._printed = self._clock()
        return super().__enter__()

    @property
    def images_per_second(self) -> float | None:
        return self._rate.images_per_second

    @property
    def time_left(self) -> float | None:
        """Estimated seconds to the end of the run; None before the first step.

        The steps at their present pace, and the ends of epochs (validation, drawing, checkpoint) at
        their mean so far. Before the first end of an epoch only the steps are known.
        """
        steps = self._rate.time_left(max(self._total - self.step, 0))
        if steps is None or not self._ends:
            return steps
        due = self._total // self._per_epoch - self._ended
        return steps + max(due, 0) * self._end_seconds / self._ends

    def advance(
        self,
        *,
        images: int,
        steps: int = 1,
        loss: float | None = None,
        accuracy: float | None = None,
        learning_rate: float | None = None,
        **extra: object,
    ) -> None:
        """Count finished steps with `images` images and show the given values.

        A value that is not given stays as it was, so that it need not be read from the device
        after every step. `accuracy` is in %; `extra` is shown as `name value`.
        """
        now = self._clock()
        self._rate.update(now - self._now, steps, images)
        self._now = now
        self.step += steps
        if loss is not None:
            self._fields["loss"] = f"{loss:.4f}"
        if accuracy is not None:
            self._fields["accuracy"] = f"{accuracy:.2f} %"
        if learning_rate is not None:
            self._fields["lr"] = f"{learning_rate:.4g}"
        self._note(extra)
        if (speed := self.images_per_second) is not None:
            self._fields["images/s"] = f"{speed:.0f}" if speed >= 10 else f"{speed:.2f}"
        if now - self._printed >= self._interval and self.step % self._per_epoch:
            self._print()

    def epoch_ended(self, *, drawing: Sequence[str] = (), **extra: object) -> None:
        """Count the time since the last step (validation, checkpoint …) as the end of an epoch.

        It belongs to the time left, but not to the pace of steps.

        Args:
            drawing: Lines that a terminal shows below the values: the cell as it is now.
            extra: What is known of the epoch only now.
        """
        now = self._clock()
        self._end_seconds += now - self._now
        self._ends += 1
        self._ended += 1
        self._now = now
        self._note(extra)
        self._drawing = drawing
        self._history.append({"epoch": str(self._epoch), **self._fields})
        self._print()

    def _note(self, extra: Mapping[str, object]) -> None:
        self._fields.update({name.replace("_", " "): str(value) for name, value in extra.items()})

    def _print(self) -> None:
        self._printed = self._now
        if not self.on_terminal:
            values = [f"{name} {value}" for name, value in self._fields.items()]
            left = f"left {format_time(self.time_left)}"
            self.message("  ".join([self._title, self._position(), *values, left]))

    @property
    def _epoch(self) -> int:
        return min(max(math.ceil(self.step / self._per_epoch), 1), self._epochs)

    def _position(self) -> str:
        return f"epoch {self._epoch}/{self._epochs}  step {self.step}/{self._total}"

    def display(self) -> Group:
        """A bar of the steps, the last epochs, and the latest values."""
        line = bar_line(self._title, self.step, self._total, self._position(), self.time_left)
        rows = list(self._history)
        if self._fields and (not rows or rows[-1]["epoch"] != str(self._epoch)):
            rows.append({"epoch": str(self._epoch), **self._fields})
        width = self._console.width if self._console is not None else 80
        return Group(line, *value_table(rows, width), *map(_faint, self._drawing))


def value_table(rows: Sequence[Mapping[str, str]], width: int) -> list[RenderableType]:
    """The values of some epochs below one another, in columns that never move.

    A value that is too long for a column, or has no room in a row, stands in a line of its own,
    for the last epoch only.

    Args:
        rows: Name and text of each value, the present epoch last.
        width: Columns of the terminal.
    """
    if not rows:
        return []
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    columns: list[str] = []
    taken, short, below = 0, "", []
    for name, value in rows[-1].items():
        wide = max(len(name), _COLUMN if name != "epoch" else 5)
        if len(value) > wide or taken + wide > width:
            text = f"{name} {value}"
            if len(text) < _CELL and len(short) + _CELL <= width:
                short += text.ljust(_CELL)
            else:
                below.append(text)
            continue
        columns.append(name)
        taken += wide + 2
        table.add_column(name, width=wide, no_wrap=True)
    for row in rows:
        style = "" if row is rows[-1] else "dim"
        table.add_row(*(row.get(name, "") for name in columns), style=style)
    below += [short] * bool(short)
    return [table, *(Text(one, no_wrap=True, overflow="ellipsis") for one in below)]


def _faint(line: str) -> Text:
    return Text(line, style="dim", no_wrap=True, overflow="ellipsis")


def bar_line(title: str, done: int, total: int, status: str, seconds: float | None) -> Table:
    """A line of full width: title, bar, status and time left."""
    line = Table.grid(padding=(0, 2), expand=True)
    line.add_column(no_wrap=True)
    line.add_column(ratio=1)
    line.add_column(no_wrap=True)
    line.add_column(no_wrap=True)
    line.add_row(
        Text(printable(title), style="bold"),
        ProgressBar(total=max(total, 1), completed=done),
        Text(status),
        Text(f"left {format_time(seconds)}", style="cyan"),
    )
    return line


def format_time(seconds: float | None) -> str:
    """`h:mm:ss`, preceded by the days if there are any; `-:--:--` for None.

    >>> format_time(93784), format_time(None)
    ('1d 2:03:04', '-:--:--')
    """
    if seconds is None:
        return "-:--:--"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return (f"{days}d " if days else "") + f"{hour}:{minute:02d}:{second:02d}"
