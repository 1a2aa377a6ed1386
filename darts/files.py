"""Files that are whole or absent, locked, or read as plain values; folders for scratch."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from darts.errors import SAME_COMMAND, UserError, disk_errors
from genotypes.atomic import atomic_write
from genotypes.paths import user_path
from genotypes.plain_files import (
    PlainFileError,
    plain_json,
    plain_yaml,
    read_json_file,
    read_text,
    read_yaml_file,
)

__all__ = [
    "PlainFileError",
    "atomic_write",
    "locked",
    "plain_json",
    "plain_yaml",
    "read_json_file",
    "read_text",
    "read_yaml_file",
    "scratch_folder",
    "user_path",
]


@contextmanager
def locked(path: Path | str, message: str, then: str = SAME_COMMAND) -> Iterator[None]:
    """Hold an exclusive lock on the file `path`, which is created if it is missing.

    The operating system releases the lock when the process ends, however it ends. Where the system
    has no locks (Windows, some network drives), nothing is locked.

    >>> import tempfile
    >>> with locked(Path(tempfile.mkdtemp()) / "run.lock", "another process uses this run"):
    ...     pass

    Args:
        path: The lock file.
        message: The error if another process holds the lock.
        then: How to go on after an error of the disk within the block; see `disk_errors`.

    Raises:
        UserError: Another process holds the lock.
        DiskError: The disk refused something within the block.
    """
    with disk_errors(then, Path(path).parent), _for_this_process(Path(path)) as stream:
        try:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(message) from None
        except (ImportError, OSError):
            pass
        yield


@contextmanager
def scratch_folder(parent: Path, name: str) -> Iterator[Path]:
    """A new hidden folder in `parent`, removed at the end.

    A killed process leaves its folder; the next one that asks for the same name removes it. The
    folder is locked while it is used, so where the system has no locks, left ones stay.

    >>> with tempfile.TemporaryDirectory() as place, scratch_folder(Path(place), "net") as folder:
    ...     len(folder.name) == len(".net.xxxxxxxx.partial")
    True

    Args:
        parent: An existing folder.
        name: A part of the names of the folders of this use.

    Raises:
        OSError: The folder cannot be made.
    """
    folder, lock = _locked_folder(parent, name)
    try:
        if lock is not None:
            _remove_abandoned(parent, name, folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _locked_folder(parent: Path, name: str) -> tuple[Path, int | None]:
    while True:
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=f".{name}.", suffix=".partial"))
        try:
            lock = _lock_of(folder)
        except OSError:  # There are no locks.
            return folder, None
        if lock is not None and folder.exists():
            return folder, lock
        # Another process has taken it for a left one before it was locked.
        if lock is not None:
            os.close(lock)


def _remove_abandoned(parent: Path, name: str, own: Path) -> None:
    ours = re.compile(rf"\.{re.escape(name)}\.[a-z0-9_]{{8}}\.partial")
    for folder in parent.iterdir():
        if folder == own or not ours.fullmatch(folder.name):
            continue
        with suppress(OSError):
            lock = _lock_of(folder)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def _lock_of(folder: Path) -> int | None:
    """A descriptor that holds the lock of a folder; None if another process holds it.

    Raises:
        OSError: There are no locks, or there is no such folder.
    """
    try:
        import fcntl
    except ImportError as error:
        raise OSError("no locks") from error
    lock = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    except OSError:
        os.close(lock)
        raise
    return lock


_held: set[IO[str]] = set()


@contextmanager
def _for_this_process(path: Path) -> Iterator[IO[str]]:
    """The file, open for writing, but not in processes that are forked: they may live longer."""
    with path.open("w") as stream:
        _held.add(stream)
        try:
            yield stream
        finally:
            _held.discard(stream)


def _let_go() -> None:
    for stream in _held:
        stream.close()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
