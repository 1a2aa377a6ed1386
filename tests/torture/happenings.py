"""What else befalls a process: signals, closed streams, clocks, a second command, odd surroundings.

The commands and what is compared are those of `faults.py`.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from tests.torture.faults import (
    Bench,
    Broken,
    fault_kind,
    said,
    shot,
    went_well,
    whole,
)
from tests.torture.forker import Fault
from tests.torture.kinds import Kind

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop(bench: Bench, draws: random.Random) -> bool:
    """Ctrl-C, the end of a job, a closed terminal: exit code 130, and it continues."""
    moment, sent = draws.uniform(0, whole(bench.name).seconds), draws.choice(_STOPS)
    ended = bench.begin(meanwhile=shot(moment, sent))
    # Before and after its loop a command has nothing to save, and ends at once.
    if ended.code not in (0, 130, -sent) or ended.traceback:
        raise Broken(f"{sent.name}: {said(ended)}")
    bench.finish()
    return True


def pause(bench: Bench, draws: random.Random) -> bool:
    """SIGSTOP for a second, then SIGCONT."""
    moment = draws.uniform(0, whole(bench.name).seconds)

    def paused(pid: int) -> None:
        shot(moment, signal.SIGSTOP)(pid)
        shot(1.0, signal.SIGCONT)(pid)

    return _undisturbed(bench, meanwhile=paused)


def close(bench: Bench, draws: random.Random) -> bool:
    """Nobody reads standard error, or standard output, any more."""
    return _undisturbed(bench, closed=draws.choice((1, 2)))


def jump(bench: Bench, draws: random.Random) -> bool:
    """The wall clock jumps back and forth by up to a year: no time is measured with it."""
    _undisturbed(bench, fault=Fault(jump=draws.randint(3_600, 31_000_000)))
    for file in bench.run_dir.rglob("result.json"):
        seconds = json.loads(file.read_text()).get("seconds", 0.0)
        if not 0 <= seconds < 3_600:
            raise Broken(f"{file.name}: {seconds} seconds")
    return True


def _undisturbed(bench: Bench, **more: Any) -> bool:
    ended = bench.begin(**more)
    if ended.code != 0:
        raise Broken(said(ended))
    bench.compare()
    return True


def second(bench: Bench, draws: random.Random) -> bool:
    """A second command on the directory of a running one; the first is then killed."""
    answers = []

    def meddle(pid: int) -> None:
        if not _until(lambda: _is_locked(bench.run_dir), 60):
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
        try:
            if _is_locked(bench.run_dir):
                answers.append(bench.go_on(number=1))
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    bench.begin(meanwhile=meddle)
    for ended in answers:
        if ended.code != 2 or ended.traceback or "Another process" not in ended.err:
            raise Broken(f"the second command was not refused: {said(ended)}")
    bench.finish()
    return not answers


def _is_locked(folder: Path) -> bool:
    """Whether some process holds one of the locks below a directory."""
    import fcntl

    for lock in (*folder.glob("*.lock"), *folder.glob(".lock")):
        with suppress(FileNotFoundError), lock.open() as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    return False


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.01)
    return False


def _no_temporary_folder() -> None:
    """As on a machine whose temporary folders cannot be written."""
    import tempfile

    def missing() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    tempfile.tempdir = None
    tempfile._get_default_tempdir = missing  # type: ignore[attr-defined]


def no_temporary_folder() -> None:
    """`_no_temporary_folder`, and what the command itself needs."""
    _no_temporary_folder()
    from tests.torture.commands import still_fit

    still_fit()


_NO_CACHE = {"HOME": "../home", "XDG_CACHE_HOME": None, "DARTS_BACKEND": None}
SURROUNDINGS: dict[str, dict[str, Any]] = {
    "no home": {"environment": {"HOME": None, "XDG_CACHE_HOME": None}},
    "no temporary folder": {"prepare": "tests.torture.happenings:no_temporary_folder"},
    "no compiler": {
        "environment": {**_NO_CACHE, "PATH": "/nonexistent"},
    },
    "cache not writable": {
        "environment": {**_NO_CACHE, "PATH": "/nonexistent"},
        "fault": Fault(mode="forbid", at=1, error="EACCES"),
        "below": "../home",
    },
    "no room for the cache": {
        "environment": {**_NO_CACHE},
        "fault": Fault(mode="full", at=1, error="ENOSPC"),
        "below": "../home",
    },
}


def surround(bench: Bench, draws: random.Random) -> bool:
    """No home, no temporary folder, no compiler, a cache that is not writable or has no room."""
    name = draws.choice(list(SURROUNDINGS))
    chosen = dict(SURROUNDINGS[name])
    (bench.place.parent / "home").mkdir()
    if "below" in chosen:
        chosen["below"] = bench.place / chosen["below"]
    ended = bench.begin(**chosen)
    try:
        done = went_well(ended)
    except Broken as broken:
        raise Broken(f"{name}: {broken}") from None
    if not done:
        bench.finish()
    return done


def lose(bench: Bench, draws: random.Random) -> bool:
    """One of the worker processes of a population is killed."""
    killed = []

    def murder(pid: int) -> None:
        at_work = draws.random() < 0.7
        while not killed and os.path.exists(f"/proc/{pid}"):
            workers = _children(pid)
            if workers and (not at_work or _running(bench.run_dir / "population.sqlite")):
                time.sleep(draws.uniform(0, 1))
                killed.append(draws.choice(workers))
                with suppress(ProcessLookupError):
                    os.kill(killed[0], signal.SIGKILL)
            time.sleep(0.02)
            if _is_over(pid):
                break

    line = bench.durable.begin.replace("in-process", "processes --parallel 2")
    ended = bench.run(line, meanwhile=murder)
    if ended.traceback or ended.code not in (0, 2):
        raise Broken(said(ended))
    bench.finish()
    return ended.code == 0


def _running(store: Path) -> bool:
    """Whether a trial is under way."""
    try:
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as file:
            query = "SELECT count(*) FROM trial WHERE status = 'running'"
            return file.execute(query).fetchone()[0] > 0
    except sqlite3.Error:
        return False


def _children(pid: int) -> list[int]:
    """The worker processes of a process: not the one that tracks its resources."""
    found = []
    for entry in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with suppress(OSError):
            if b"spawn_main" in Path(f"/proc/{entry}/cmdline").read_bytes():
                found.append(int(entry))
    return found


def _is_over(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


KINDS: tuple[Kind, ...] = (
    fault_kind("stopped", "SIGINT, SIGTERM or SIGHUP at any moment", stop, 20),
    fault_kind("paused", "SIGSTOP and, a second later, SIGCONT", pause, 6),
    fault_kind("unheard", "standard output or standard error is closed", close, 8),
    fault_kind("clock", "the wall clock jumps back and forth", jump, 8),
    fault_kind("second-command", "two commands on a directory; the first is killed", second, 16),
    fault_kind("surroundings", "no home, temporary folder, compiler or cache", surround, 16),
    fault_kind("worker-killed", "SIGKILL of a worker", lose, 4, ("space train",)),
)
