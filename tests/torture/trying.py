"""Commands under bad input, each in a folder of its own, in a process that may hang or die.

A try is good if the command succeeds, or ends with one sentence and exit code 2; see `_fault` for
what is wrong otherwise. Commands run through the same function as from a shell. A training or
study stops where its first step would begin.
"""

from __future__ import annotations

import faulthandler
import io
import os
import re
import resource
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import IO

from tests.darts.processes import forkserver
from tests.torture.kinds import Effort, Kind, Tally
from tests.torture.stopping import Begun, stopping

Make = Callable[[Random, Path], list[str]]
"""Writes the files of a try into an empty folder, where the command will run, and returns the
arguments of `python -m darts`. It must be a function of a module."""

SECONDS = 20.0
"""Limit of a try, in seconds of the processor; far above what any needs."""
_PATIENCE = 15
_GIGABYTES = 2
_LONGEST = 2500
_UNFINISHED = re.compile(r"^\..*\.([a-z0-9_]{8}|partial)$")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
CANARY = "TORTURE_CANARY"


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, or the traceback, and what it printed."""

    code: int | None
    out: str
    err: str
    trace: str = ""


def commands(name: str, about: str, make: Make, cases: int, few: int) -> Kind:
    """A kind that runs a command for each try."""
    return Kind(name, about, partial(try_commands, name, make), cases, few)


def canary() -> str:
    """The file that planted code would create."""
    return os.environ.get(CANARY, "canary")


def try_commands(name: str, make: Make, effort: Effort, seconds: float = SECONDS) -> Tally:
    """Try `effort.cases` command lines; a process that hangs or dies is replaced."""
    tally, number, last = Tally(), effort.first, effort.first + effort.cases
    while number < last:
        ours, theirs = forkserver().Pipe()
        arguments = (name, make, effort, number, theirs)
        process = forkserver().Process(target=_work, args=arguments)
        process.start()
        theirs.close()
        try:
            while number < last:
                if not _answers(ours, process.pid or 0, seconds):
                    tally.faults.append(f"{number}: hangs: {_stack(effort.place)}")
                    number += 1
                    break
                kind, text, spent = ours.recv()
                tally.seconds += spent
                if kind == "fault":
                    tally.faults.append(f"{number}: {text}")
                else:
                    setattr(tally, kind, getattr(tally, kind) + 1)
                number += 1
        except EOFError:
            process.join()
            tally.faults.append(f"{number}: the process died with exit code {process.exitcode}")
            number += 1
        process.kill()
        process.join()
    return tally


def _answers(pipe: Connection, process: int, seconds: float) -> bool:
    """Whether a try ends in `seconds` of the processor; one that sleeps has far longer."""
    begun, used = time.monotonic(), _processor(process)
    while not pipe.poll(1.0):
        asleep = time.monotonic() - begun
        if _processor(process) - used > seconds or asleep > _PATIENCE * seconds:
            return False
    return True


def _processor(process: int) -> float:
    """Seconds of the processor that a process has had."""
    try:
        words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _work(name: str, make: Make, effort: Effort, first: int, pipe: Connection) -> None:
    place = effort.place.resolve()
    os.environ[CANARY] = str(place / "canary")
    for left in place.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    stacks = (place / ".stack").open("w", errors="backslashreplace")
    with stopping():
        for number in range(first, effort.first + effort.cases):
            stacks.seek(0)
            stacks.truncate()
            faulthandler.dump_traceback_later(SECONDS - 2, file=stacks)
            random, begun = Random(f"{name} {effort.seed} {number}"), time.process_time()
            ended = one_try(make, random, place / f"try-{number}", stacks)
            pipe.send((*ended, time.process_time() - begun))
            faulthandler.cancel_dump_traceback_later()


def one_try(make: Make, random: Random, place: Path, notes: IO[str]) -> tuple[str, str]:
    """Run one command: ("done" | "refused" | "fault", what is wrong).

    Args:
        make: Makes the files and the command line.
        random: Where choices come from.
        place: A new folder; the command runs two folders below, to see what leaves its own.
        notes: Where the command line is noted, in case that the command hangs.
    """
    folder = place / "a" / "b"
    folder.mkdir(parents=True)
    os.chdir(folder)
    try:
        try:
            arguments = make(random, folder)
        except Exception:
            return "fault", f"CANNOT BE MADE: {traceback.format_exc()[-400:]!r}"
        line = " ".join(map(repr, arguments))[:300]
        print(line, file=notes, flush=True)
        before = set(folder.rglob("*"))
        used = _memory()
        ended = run(arguments)
        up = any(".." in argument for argument in arguments)
        fault = _fault(ended, folder, before) or _escaped(place, up)
        if not fault and _memory() - used > _GIGABYTES:
            fault = f"took {_memory() - used:.1f} GB"
        if fault:
            return "fault", f"{fault}   [{line}]"
        return ("done" if ended.code == 0 else "refused"), ""
    finally:
        os.chdir(place.parent)
        shutil.rmtree(place, ignore_errors=True)


class _ReadData:
    """Opens a data set as every training does, without the training: `read-data DATA [FLAGS]`."""

    def run(self, arguments: Sequence[str], prog: str) -> None:
        from darts.data.options import DataOptions
        from darts.data.sources import open_dataset

        values = {"workers": 0, "dataset": arguments[0]}
        for flag, value in zip(arguments[1::2], arguments[2::2], strict=True):
            values[flag.removeprefix("--").replace("-", "_")] = value
        open_dataset(DataOptions(**values))  # type: ignore[arg-type]


def run(arguments: list[str]) -> Ended:
    """Run `python -m darts ARGUMENTS` here."""
    from darts import cli

    streams = sys.stdout, sys.stderr
    # As a terminal in UTF-8, which cannot show every name.
    texts = [io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2)]
    sys.stdout, sys.stderr = texts
    code, trace = None, ""
    try:
        if arguments[:1] == ["read-data"]:
            code = cli._exit_code(_ReadData(), arguments[1:], "")  # type: ignore[arg-type]
        else:
            code = cli.main(arguments)
    except Begun:
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        trace = traceback.format_exc()
    finally:
        sys.stdout, sys.stderr = streams
    out, err = (text.buffer.getvalue().decode("utf-8", "replace") for text in texts)  # type: ignore[attr-defined]
    return Ended(code, out, err, trace)


def _fault(ended: Ended, folder: Path, before: set[Path]) -> str:
    """What is wrong with the end of a command; "" if nothing is."""
    if ended.trace:
        return _where(ended.trace)
    if ended.code not in (0, 2):
        return f"exit code {ended.code}: {ended.err[-300:]!r}"
    text = ended.err.rpartition("error: ")[2] if ended.code == 2 else ""
    if ended.code == 2 and not text.strip():
        return "refused without a sentence"
    # Without a command there is a list of commands.
    if len(text) > _LONGEST or text.partition("\nusage:")[0].strip().count("\n") > 2:
        return f"more than a sentence: {text[:300]!r}"
    if found := _CONTROLS.search((ended.out + ended.err).replace("\r\n", "")):
        around = (ended.out + ended.err)[max(found.start() - 60, 0) :][:120]
        return f"a control character is printed: {around!r}"
    if "Traceback (most recent" in ended.err:
        return f"prints a traceback: {ended.err[-300:]!r}"
    new = [path for path in folder.rglob("*") if path not in before]
    if left := [path.name for path in new if _UNFINISHED.match(path.name)]:
        return f"unfinished files are left: {left}"
    return ""


def _escaped(place: Path, up: bool) -> str:
    """What was written outside of the folder of the try; `up`: the user named a folder above."""
    if (place / "a" / "b" / "canary").exists() or (place.parent / "canary").exists():
        (place.parent / "canary").unlink(missing_ok=True)
        return "CODE OF THE INPUT WAS RUN"
    inside = {".stack", place.name, *(("a", "b") if not up else ())}
    seen = (
        {place.parent: inside} if up else {place.parent: inside, place: {"a"}, place / "a": {"b"}}
    )
    others = [
        str(path) for at, usual in seen.items() for path in at.iterdir() if path.name not in usual
    ]
    return f"written outside of its folder: {others}" if others else ""


def _where(trace: str) -> str:
    """The error and the last line of the toolkit in a traceback."""
    places = re.findall(r'File "[^"]*?/((?:darts|genotypes|ops|cells)/[^"]*)", line (\d+)', trace)
    last = ":".join(places[-1]) if places else "?"
    kind = trace.strip().splitlines()[-1]
    return f"traceback: {kind[:200]} at {last}"


def _stack(place: Path) -> str:
    lines = (place / ".stack").read_text().splitlines() if (place / ".stack").is_file() else []
    ours = [line.strip() for line in lines if re.search(r"/(darts|genotypes|ops|cells)/", line)]
    return f"{ours[0] if ours else lines[1:4]}   [{lines[0]}]" if lines else "before it began"


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
