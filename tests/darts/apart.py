"""Commands in processes of their own: what they register is not there for other tests."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from darts.cli import main
from tests.darts.processes import SECONDS, forkserver


class Answer(NamedTuple):
    """What a process ended with and printed."""

    code: int | None
    out: str
    err: str


def apart(folder: Path, function: Callable[..., int | None], *arguments: Any) -> Answer:
    """Call a function of a test module in another process, in `folder`."""
    process = forkserver().Process(target=_call, args=(folder, function, arguments))
    process.start()
    process.join(SECONDS)
    out, err = (folder / name for name in (".out", ".err"))
    return Answer(process.exitcode, out.read_text(), err.read_text())


def command(folder: Path, *arguments: str) -> Answer:
    """Run a command of the toolkit in another process, in `folder`."""
    return apart(folder, main, list(arguments))


def interrupted(arguments: list[str], steps: int) -> int:
    """A search that gets SIGTERM in one of its steps."""
    from darts.searching.task import SearchTask

    step, done = SearchTask.step, 0

    def interrupting(self: SearchTask) -> Any:
        nonlocal done
        done += 1
        if done == steps:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self)

    SearchTask.step = interrupting  # type: ignore[method-assign]
    return main(arguments)


def _call(folder: Path, function: Callable[..., int | None], arguments: tuple[Any, ...]) -> None:
    os.chdir(folder)
    for name, stream in ((".out", sys.stdout), (".err", sys.stderr)):
        opened = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(opened, stream.fileno())
    try:
        code = function(*arguments) or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
