"""Commands of the toolkit in processes that a fault befalls, started within milliseconds.

A `Forker` is a process that has imported the toolkit, with `faulty.c` preloaded, and forks itself
for each command. It needs Linux and a C compiler; see `can_inject`.
"""

from __future__ import annotations

import ctypes
import errno
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MODES = ("count", "kill", "full", "once", "vanish", "forbid")
HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What befalls a process.

    Attributes:
        mode: count: nothing; the calls are counted. kill: SIGKILL. full: from here on, what needs
            room fails. once: this call fails. vanish: the directory is renamed. forbid: from here
            on, every change fails.
        at: The call, counted from 1, that changes a file below the directory.
        error: Name of the error of a failing call.
        jump: Seconds by which the wall clock jumps back and forth.
    """

    mode: str = "count"
    at: int = 0
    error: str = "ENOSPC"
    jump: int = 0


NOTHING = Fault()


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: Exit code; negative: the signal that ended it; None: it hung and was killed.
        calls: Number of calls that changed files below the directory (0 if it was killed).
        failed: Number of calls that were made to fail.
        out: What it printed.
        err: What it printed on standard error.
        seconds: How long it took.
    """

    code: int | None
    calls: int
    failed: int
    out: str
    err: str
    seconds: float

    @property
    def traceback(self) -> bool:
        return "Traceback (most recent call last)" in self.err


def can_inject() -> bool:
    """Whether this machine can build and preload `faulty.c`."""
    return sys.platform == "linux" and shutil.which("cc") is not None


@dataclass
class Forker:
    """Starts commands; use it in `with`.

    Args:
        preload: Modules to import before the first fork.
    """

    preload: Sequence[str] = ()
    _folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="faulty-")))

    def __enter__(self) -> Forker:
        library = self._folder / "faulty.so"
        source = HERE / "faulty.c"
        build = ["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
        subprocess.run(build, check=True)
        environment = {
            **os.environ,
            "LD_PRELOAD": str(library),
            "OMP_NUM_THREADS": "1",
            "OMP_WAIT_POLICY": "passive",
            "MPLBACKEND": "agg",
            "DARTS_BACKEND": "native",
            "FAULTY": str(library),
        }
        self._server = subprocess.Popen(
            [sys.executable, "-c", "from tests.torture.forker import serve; serve()"],
            cwd=HERE.parents[1],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._ask({"preload": list(self.preload)})
        return self

    def __exit__(self, *exception: object) -> None:
        assert self._server.stdin
        self._server.stdin.close()
        self._server.wait()
        shutil.rmtree(self._folder)

    def run(
        self,
        arguments: Sequence[str],
        *,
        where: Path,
        below: Path | None = None,
        fault: Fault = NOTHING,
        environment: Mapping[str, str | None] | None = None,
        prepare: str | None = None,
        timeout: float = 300.0,
        meanwhile: Callable[[int], None] | None = None,
        closed: int | None = None,
    ) -> Ended:
        """Run `darts.cli.main(arguments)` in the directory `where`.

        Args:
            arguments: The command line.
            where: The working directory; output is kept in `.out` and `.err` beside it.
            below: Where calls are counted; `where` by default.
            fault: What befalls the process.
            environment: Variables to set, or, where None, to remove.
            prepare: "module:function", called before the command in the same process.
            timeout: Seconds after which it has hung.
            meanwhile: Called with the process id while it runs.
            closed: Descriptor of the stream that nobody reads.
        """
        self._tell(
            {
                "arguments": list(arguments),
                "where": str(where),
                "below": str(below or where),
                "fault": fault.__dict__,
                "environment": dict(environment or {}),
                "prepare": prepare,
                "timeout": timeout,
                "closed": closed,
            }
        )
        pid = self._hear()["pid"]
        if meanwhile is not None:
            meanwhile(pid)
        answer = self._hear()
        out, err = (_beside(where, name).read_text(errors="replace") for name in (".out", ".err"))
        return Ended(out=out, err=err, **answer)

    def _ask(self, request: Any) -> Any:
        self._tell(request)
        return self._hear()

    def _tell(self, request: Any) -> None:
        assert self._server.stdin
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()

    def _hear(self) -> Any:
        assert self._server.stdout
        line = self._server.stdout.readline()
        if not line:
            raise RuntimeError("The process that forks has ended.")
        return json.loads(line)


def _beside(where: Path, suffix: str) -> Path:
    return where.with_name(where.name + suffix)


def serve() -> None:
    """Be the process that forks: read requests, answer them."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # What a module prints while it is imported is no answer.

    def answer(content: Any) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    del os.environ["LD_PRELOAD"]  # Not for the compilers and other programs of a command.
    library = ctypes.CDLL(os.environ["FAULTY"])
    for name in ("faulty_calls", "faulty_failed"):
        getattr(library, name).restype = ctypes.c_long
    for module in json.loads(sys.stdin.readline())["preload"]:
        importlib.import_module(module)
    answer({})
    for line in sys.stdin:
        request = json.loads(line)
        read, write = os.pipe()
        started = time.monotonic()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            _child(request, library, write)
        os.close(write)
        answer({"pid": pid})
        code = _wait(pid, request["timeout"])
        with os.fdopen(read) as stream:
            counted = stream.read()
        calls, failed = map(int, counted.split()) if counted else (0, 0)
        seconds = time.monotonic() - started
        answer({"code": code, "calls": calls, "failed": failed, "seconds": seconds})


def _wait(pid: int, seconds: float) -> int | None:
    until = time.monotonic() + seconds
    pause = 0.002
    while time.monotonic() < until:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(pause)
        pause = min(pause * 1.2, 0.05)
    os.killpg(pid, signal.SIGABRT)  # Python prints where each thread is.
    time.sleep(1)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def _child(request: dict[str, Any], library: ctypes.CDLL, write: int) -> None:
    """Run one command and exit."""
    import faulthandler

    os.setpgid(0, 0)
    where, code = Path(request["where"]), 1
    for suffix, stream in ((".out", 1), (".err", 2)):
        opened = os.open(_beside(where, suffix), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(opened, stream)
        os.close(opened)
    if request["closed"]:
        read, unread = os.pipe()
        os.close(read)
        os.dup2(unread, request["closed"])
    # As in a process that begins: a stream knows whether its file can be searched.
    streams = (os.fdopen(stream, "w", buffering=1, closefd=False) for stream in (1, 2))
    sys.stdout, sys.stderr = streams
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    faulthandler.enable(sys.__stderr__)
    try:
        os.chdir(where)
        for name, value in request["environment"].items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if request["prepare"]:
            module, _, function = request["prepare"].partition(":")
            getattr(importlib.import_module(module), function)()
        from darts.cli import main

        fault = request["fault"]
        library.faulty_clock(ctypes.c_long(fault["jump"]))
        library.faulty_arm(
            os.path.realpath(request["below"]).encode(),
            ctypes.c_long(fault["at"]),
            MODES.index(fault["mode"]),
            getattr(errno, fault["error"]),
        )
        code = main(request["arguments"])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        calls, failed = library.faulty_calls(), library.faulty_failed()
        library.faulty_arm(b"", ctypes.c_long(0), 0, 0)
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os.write(write, f"{calls} {failed}".encode())
            os._exit(code)
