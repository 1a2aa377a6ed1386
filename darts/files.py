"""Files that are whole or absent (`atomic_write`), locked, or read as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from darts.errors import UserError
from genotypes.atomic import atomic_write
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
]


@contextmanager
def locked(path: Path | str, message: str) -> Iterator[None]:
    """Hold an exclusive lock on the file `path`, which is created if it is missing.

    The operating system releases the lock when the process ends, however it ends. Where the system
    has no locks (Windows, some network drives), nothing is locked.

    >>> import tempfile
    >>> with locked(Path(tempfile.mkdtemp()) / "run.lock", "another process uses this run"):
    ...     pass

    Args:
        path: The lock file.
        message: The error if another process holds the lock.

    Raises:
        UserError: Another process holds the lock.
    """
    with Path(path).open("w") as stream:
        try:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(message) from None
        except (ImportError, OSError):
            pass
        yield
