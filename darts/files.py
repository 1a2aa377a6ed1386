"""Files that are whole or absent (`atomic_write`), locked, or read as plain values."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
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
