"""Write a file so that it is either whole or absent."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def atomic_write(path: str | os.PathLike[str], mode: str = "w") -> Iterator[IO]:
    """Open a temporary file beside `path` and rename it to `path` on success.

    The data are flushed to the disk before the rename, so after a crash `path` holds the old
    content or the new one. On an exception the temporary file is removed and `path` is unchanged.
    A killed process leaves its temporary file, `.NAME.partial`, which the next writer of `path`
    takes over. Missing directories are created.

    >>> target = Path(tempfile.mkdtemp()) / "notes" / "cell.txt"
    >>> with atomic_write(target) as stream:
    ...     _ = stream.write("skip_connect")
    >>> target.read_text()
    'skip_connect'

    Args:
        path: The file to write.
        mode: "w" for text in UTF-8, "wb" for bytes.

    Raises:
        OSError: The file cannot be written; the error names `path`.
    """
    path = Path(path)
    partial = str(_partial(path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        encoding = None if "b" in mode else "utf-8"
        # Names of files that are no UTF-8 become escapes, which JSON reads back as they were.
        errors = None if "b" in mode else "backslashreplace"
        descriptor, temporary = _own_file(path)
        try:
            with os.fdopen(descriptor, mode, encoding=encoding, errors=errors) as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
                if os.name == "posix":  # While it is locked; other systems rename closed files.
                    os.replace(temporary, path)
            if os.name != "posix":
                os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        # Of a failing write the error names no file, else the temporary one.
        if error.errno is not None and str(error.filename or partial).startswith(partial):
            error.filename = str(path)
        raise


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")


def _own_file(path: Path) -> tuple[int, str]:
    """A new or an abandoned temporary file that no other writer uses: open, empty, locked."""
    temporary = _partial(path)
    flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(temporary, flags, 0o666)
    except OSError as error:
        # Somebody else's file or link has the name.
        if error.errno not in (errno.ELOOP, errno.EACCES, errno.EPERM):
            raise
    else:
        try:
            if _locked(descriptor, temporary) and _is_ours(descriptor, temporary):
                os.ftruncate(descriptor, 0)
                return descriptor, str(temporary)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f"{temporary.name}.")
    # mkstemp creates private files; the result gets the permissions of any new file.
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(name, 0o666 & ~umask)
    return descriptor, name


def _locked(descriptor: int, temporary: Path) -> bool:
    """Whether nobody else has locked the file; the lock ends when the file is closed."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        # There are no locks (Windows, some network drives), so each writer needs its own name.
        with suppress(OSError):
            temporary.unlink()
        return False
    return True


def _is_ours(descriptor: int, temporary: Path) -> bool:
    """Whether an open file still has this name, and nobody else can write to it."""
    opened = os.fstat(descriptor)
    try:
        named = os.stat(temporary, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (
        os.path.samestat(opened, named)
        and stat.S_ISREG(opened.st_mode)
        and opened.st_nlink == 1
        and opened.st_uid == os.geteuid()
    )
