"""Compile the native kernels with the system's compiler, once per machine, and load them.

A library is one source file with one choice of macros (number type, layout of the lanes). It is
cached in `$XDG_CACHE_HOME/darts/native` (default: `~/.cache/darts/native`) under a hash of
everything that it depends on: the sources, the compiler, the processor and the target. One that
another user can have written is not loaded (`ops.native.trust`).
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import torch

from ops.native.target import chosen_target
from ops.native.trust import close_to_others, distrust

_log = logging.getLogger(__name__)

COMPILERS = ("c++", "g++", "clang++")
# Not -ffast-math: it would reorder sums and break NaN and infinity.
FLAGS = (
    "-std=c++17",
    "-O3",
    "-fopenmp",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
    "-fPIC",
    "-Wno-psabi",
)
SECONDS = 7  # of one processor for one library
SOURCES = Path(__file__).parent


class BuildError(RuntimeError):
    """The kernels cannot be compiled or loaded on this machine; the message says why."""


def compile_missing(wanted: Iterable[tuple[str, Mapping[str, str]]]) -> None:
    """Compile the libraries that are not in the cache yet, several at a time.

    Args:
        wanted: Source file and macros of each library.

    Raises:
        BuildError: There is no working compiler, or the cache is not writable.
    """
    missing = {_path(source, macros): (source, macros) for source, macros in wanted}
    missing = {path: what for path, what in missing.items() if not path.exists()}
    if not missing:
        return
    _compiler()  # Without one there is nothing to announce.
    start, threads = time.perf_counter(), _compilers()
    _log.warning(
        "Compiling CPU kernels for this machine, once: about %d s.",
        SECONDS * -(-len(missing) // threads),
    )
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda item: _compile(item[0], *item[1]), missing.items()))
    seconds = time.perf_counter() - start
    _log.info("Compiled %d native kernels in %.0f s into %s.", len(missing), seconds, _cache())


def is_built(wanted: Iterable[tuple[str, Mapping[str, str]]]) -> bool:
    """Whether all these libraries are in the cache.

    Raises:
        BuildError: There is no compiler.
    """
    return all(_path(source, macros).exists() for source, macros in wanted)


def compiler() -> tuple[str, str]:
    """The compiler, and the first line that it prints of its version.

    Raises:
        BuildError: There is none.
    """
    return _compiler(), _version().partition("\n")[0]


def _compilers() -> int:
    """How many compilers may run at a time; a small network has fewer threads of its own."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked):
        return int(asked)
    # Before Python 3.13, os.cpu_count ignores taskset and containers.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load_library(source: str, macros: Mapping[str, str]) -> ctypes.CDLL:
    """Load the library of `source` for these macros; compile it if necessary.

    Raises:
        BuildError: The library cannot be compiled or loaded.
    """
    compile_missing([(source, macros)])
    return _load(_path(source, macros))


@functools.cache
def _load(path: Path) -> ctypes.CDLL:
    try:
        if reason := distrust(path, _root()):
            raise BuildError(
                f"{reason}; it could run code of theirs. Remove it, or set XDG_CACHE_HOME to a "
                "folder of your own."
            )
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise BuildError(f"{path} cannot be loaded: {error}.") from error


def _root() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _cache() -> Path:
    return _root() / "darts" / "native"


@functools.cache
def _compiler() -> str:
    for name in COMPILERS:
        if path := shutil.which(name):
            return path
    raise BuildError(f"There is no C++ compiler ({', '.join(COMPILERS)}).")


@functools.cache
def _version() -> str:
    return subprocess.run([_compiler(), "--version"], capture_output=True, text=True).stdout


@functools.cache
def _openmp() -> tuple[str, ...]:
    """PyTorch's own OpenMP runtime, if it has one: two runtimes would compete for the cores.

    Code compiled by Clang needs the runtime of Clang.
    """
    if "clang" in _version():
        return ()
    libraries = Path(torch.__file__).parent / "lib"
    return tuple(str(path) for path in sorted(libraries.glob("libgomp*.so*"))[:1])


@functools.cache
def _surroundings() -> str:
    """Everything that a compiled library depends on: sources, flags, compiler and processor."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(SOURCES.glob("*.[ch]*"))]
    try:
        processor = [
            line
            for line in Path("/proc/cpuinfo")
            .read_text(encoding="utf-8", errors="replace")
            .splitlines()
            if line.startswith(("flags", "Features", "model name"))
        ][:2]
    except OSError:
        processor = [platform.processor()]
    return "\0".join([*texts, *FLAGS, *_openmp(), _version(), platform.machine(), *processor])


def _path(source: str, macros: Mapping[str, str]) -> Path:
    """Where the library of a source lies, compiled for the target in force."""
    own = [*chosen_target().flags, source, *(f"{k}={v}" for k, v in sorted(macros.items()))]
    what = "\0".join([_surroundings(), *own])
    return _cache() / f"{Path(source).stem}-{hashlib.sha256(what.encode()).hexdigest()[:24]}.so"


def _compile(library: Path, source: str, macros: Mapping[str, str]) -> None:
    try:
        library.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _turn(library), _scratch(library) as scratch:
            if library.exists():
                return  # Another process has just built it.
            code, made = Path(scratch) / "code.o", Path(scratch) / "library.so"
            flags = (*FLAGS, *chosen_target().flags)
            defined = [f"-D{name}={value}" for name, value in macros.items()]
            _run(_compiler(), *flags, *defined, "-c", str(SOURCES / source), "-o", str(code))
            openmp = _openmp() or ("-fopenmp",)
            _run(_compiler(), "-shared", str(code), *openmp, "-o", str(made))
            close_to_others(made)
            made.replace(library)
    except OSError as error:
        raise BuildError(f"{library.parent} cannot be written: {error}.") from error


@contextmanager
def _turn(library: Path) -> Iterator[None]:
    """Wait while another process builds the same library, where files can be locked.

    What killed processes have left of it is removed.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    lock = library.with_suffix(".lock")
    with lock.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        for left in library.parent.glob(f"{_draft(library)}*"):
            shutil.rmtree(left, ignore_errors=True)
        yield
        # Who waits holds this file and looks for the library, which is there now, first.
        lock.unlink(missing_ok=True)


def _scratch(library: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder to build a library in, with a name of its own: a compiler outlives its killer."""
    return tempfile.TemporaryDirectory(
        dir=library.parent, prefix=_draft(library), ignore_cleanup_errors=True
    )


def _draft(library: Path) -> str:
    return f".{library.stem}."


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise BuildError(f"{command[0]} failed: {lines[0]}")
