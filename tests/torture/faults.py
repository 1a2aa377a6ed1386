"""Faults of the machine befall every command with durable state; see `docs/reliability.md`.

    python -m tests.torture killed disk-full --each 20
    python -m tests.torture killed --first 17 --each 1     # try 17 alone

Each try runs a command of `commands.py` while the fault befalls it, then does what the messages
say until the command ends well, and compares the directory with that of an undisturbed run; see
`contents.py`. The number of a try decides the command and the call that is hit.
"""

from __future__ import annotations

import atexit
import os
import random
import re
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.torture.commands import COMMANDS, PRELOAD, images
from tests.torture.contents import contents, first_difference
from tests.torture.forker import Ended, Fault, Forker
from tests.torture.kinds import Effort, Kind, Tally

KILLS = 3
"""How often a process is killed in one try, at most."""
SEARCHES = tuple(name for name in COMMANDS if name.startswith("search") and "--" not in name)
RETRAININGS = tuple(name for name in COMMANDS if name.startswith("evaluate"))
KILLED: Counter[str] = Counter()
"""Kills of each command after which all was well."""
STUDIES = tuple(name for name in COMMANDS if name not in (*SEARCHES, *RETRAININGS))


class Broken(AssertionError):
    """A promise is broken; the text says which."""


@dataclass(frozen=True)
class Whole:
    """An undisturbed run.

    Attributes:
        contents: What it has written.
        calls: Number of calls by which it changed files.
        seconds: How long it took.
    """

    contents: dict[str, Any]
    calls: int
    seconds: float


class Bench:
    """One command in one working directory.

    Args:
        name: The command, of `COMMANDS`.
        place: An empty folder.
    """

    def __init__(self, name: str, place: Path) -> None:
        self.name, self.durable = name, COMMANDS[name]
        self.place = place / "work"
        self.run_dir = self.place / "run"
        self.place.mkdir(parents=True)
        _data(name, place / "data")

    def begin(self, **more: Any) -> Ended:
        """Give the first command line; the arguments are those of `Forker.run`."""
        return self.run(self.durable.begin, **more)

    def go_on(self, **more: Any) -> Ended:
        """Continue as the messages say: resume, or begin where there is nothing to resume."""
        if self.durable.resume is None or not self.run_dir.exists():
            return self.begin(**more)
        ended = self.run(self.durable.resume, **more)
        if ended.code == 2 and "config.yaml" in ended.err:  # It had written nothing yet.
            return self.begin(**more)
        return ended

    def finish(self) -> None:
        """Continue to the end, which must equal the undisturbed one."""
        ended = self.go_on()
        if ended.code != 0:
            raise Broken(f"does not continue: {said(ended)}")
        self.compare()

    def compare(self) -> None:
        """Check that what is there equals what the undisturbed run has written."""
        found = contents(self.place, self.durable.leave)
        difference = first_difference(whole(self.name).contents, found)
        if difference is not None:
            raise Broken(f"differs: {difference}")

    def run(self, line: str, *, number: int = 0, **more: Any) -> Ended:
        """Give any command line, by this forker of the thread."""
        more = {"prepare": self.durable.prepare, "below": self.run_dir, **more}
        return forker(number).run(line.split(), where=self.place, **more)


_wholes: dict[str, Whole] = {}
_locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
_own = threading.local()
_root: list[Path] = []


def forker(number: int = 0) -> Forker:
    """A process of this thread that starts commands."""
    if not hasattr(_own, "forkers"):
        _own.forkers = {}
    if number not in _own.forkers:
        _own.forkers[number] = Forker(PRELOAD).__enter__()
        atexit.register(_own.forkers[number].__exit__)
    return _own.forkers[number]


def whole(name: str) -> Whole:
    """The undisturbed run of a command, done once."""
    with _locks[name]:
        if name not in _wholes:
            place = Path(tempfile.mkdtemp(prefix="whole-"))
            bench = Bench(name, place)
            ended = bench.begin()
            if ended.code != 0:
                raise Broken(f"{name}, undisturbed: {said(ended)}")
            content = contents(bench.place, bench.durable.leave)
            _wholes[name] = Whole(content, ended.calls, ended.seconds)
            shutil.rmtree(place)
        return _wholes[name]


def _data(name: str, place: Path) -> None:
    """The data of a command: made once, then copied."""
    with _locks[f"data of {name}"]:
        if not _root:
            _root.append(Path(tempfile.mkdtemp(prefix="data-")))
            atexit.register(shutil.rmtree, _root[0], ignore_errors=True)
        made = _root[0] / re.sub(r"\W+", "-", name)
        if not made.exists():
            (COMMANDS[name].data or images)(made)
    shutil.copytree(made, place)


def said(ended: Ended) -> str:
    """Exit code and last lines of an ended command."""
    lines = ended.err.strip().splitlines()
    return f"exit code {ended.code}: {' / '.join(lines[-3:])[-400:]}"


def kill(bench: Bench, draws: random.Random) -> bool:
    """SIGKILL, up to `KILLS` times, each in the run that continues the one before.

    It comes at a call that changes a file (of a write the first half arrives), or at a time.
    """
    usual, kills = whole(bench.name), 0
    for _ in range(KILLS):
        if draws.random() < 0.7:
            ended = bench.go_on(fault=Fault(mode="kill", at=draws.randint(1, usual.calls)))
        else:
            ended = bench.go_on(meanwhile=shot(draws.uniform(0, usual.seconds)))
        if ended.code == 0:
            break
        if ended.code != -signal.SIGKILL:
            raise Broken(said(ended))
        kills += 1
    bench.finish()
    KILLED[bench.name] += kills
    return True


def shot(moment: float, sent: signal.Signals = signal.SIGKILL) -> Callable[[int], None]:
    """Sends a signal to a process after some seconds."""

    def shoot(pid: int) -> None:
        time.sleep(moment)
        with suppress(ProcessLookupError):
            os.kill(pid, sent)

    return shoot


def refuse(mode: str, error: str) -> Callable[[Bench, random.Random], bool]:
    """A call fails, and perhaps all later ones: one sentence, and nothing is lost."""

    def one(bench: Bench, draws: random.Random) -> bool:
        at = draws.randint(1, whole(bench.name).calls)
        ended = bench.begin(fault=Fault(mode=mode, at=at, error=error))
        done = went_well(ended, always=mode == "vanish")
        gone = bench.place / "run.gone"
        if gone.exists():
            shutil.rmtree(bench.run_dir, ignore_errors=True)
            gone.rename(bench.run_dir)
        bench.finish()
        return done

    return one


_WAYS_ON = re.compile("--resume|same command|choose another|Choose another")


def went_well(ended: Ended, always: bool = False) -> bool:
    """Whether a command ended as if nothing were wrong; else with one sentence and a way on.

    Args:
        always: The sentence need not name a way on: there may be none.
    """
    if ended.code == 0:
        return True
    if ended.traceback or ended.code != 2:
        raise Broken(said(ended))
    errors = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    if len(errors) != 1 or not (always or _WAYS_ON.search(errors[0])):
        raise Broken(f"{len(errors)} errors: {said(ended)}")
    return False


def fault_kind(
    name: str,
    about: str,
    one: Callable[[Bench, random.Random], bool],
    cases: int,
    commands: Sequence[str] = tuple(COMMANDS),
) -> Kind:
    """A kind of fault, tried with one command after the other.

    Args:
        name: Its name.
        about: What happens.
        one: One try; returns whether the command ended as if nothing were wrong.
        cases: Number of tries of `make torture`.
        commands: Names of the commands.
    """

    def run(effort: Effort) -> Tally:
        tally = Tally()
        for number in range(effort.first, effort.first + effort.cases):
            draws = random.Random(f"{name} {effort.seed} {number}")
            # Few tries reach commands of all kinds.
            command = commands[number * 7 % len(commands)]
            place = effort.place / str(number)
            try:
                if one(Bench(command, place), draws):
                    tally.done += 1
                else:
                    tally.refused += 1
            except Broken as broken:
                tally.faults.append(f"{number} ({command}): {broken}")
            shutil.rmtree(place, ignore_errors=True)
        if kills := sum(KILLED[command] for command in commands if one is kill):
            print(f"  {name}: {kills} kills", flush=True)
        return tally

    return Kind(name, about, run, cases, grows=False)


_KILLED = "SIGKILL at any moment, up to three times"
KINDS = (
    fault_kind("killed-searches", _KILLED, kill, 30, SEARCHES),
    fault_kind("killed-retrainings", _KILLED, kill, 10, RETRAININGS),
    fault_kind("killed-studies", _KILLED, kill, 16, STUDIES),
    fault_kind("disk-full", "no room from some call on", refuse("full", "ENOSPC"), 40),
    fault_kind("read-only", "no changes from some call on", refuse("forbid", "EROFS"), 20),
    fault_kind("vanished", "the directory is renamed in a call", refuse("vanish", "ENOENT"), 20),
    fault_kind("disk-error", "one call fails with EIO", refuse("once", "EIO"), 20),
)
