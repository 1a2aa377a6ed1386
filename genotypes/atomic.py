"""Write a file so that it is either whole or absent."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def atomic_write(path: str | os.PathLike[str], mode: str = "w") -> Iterator[IO]:
    """Open a temporary file beside `path` and rename it to `path` on success.

    The data are flushed to the disk before the rename, so after a crash `path` holds the old
    content or the new one. On an exception the temporary file is removed and `path` is unchanged.
    Missing directories are created.

    >>> target = Path(tempfile.mkdtemp()) / "notes" / "cell.txt"
    >>> with atomic_write(target) as stream:
    ...     _ = stream.write("skip_connect")
    >>> target.read_text()
    'skip_connect'

    Args:
        path: The file to write.
        mode: "w" for text in UTF-8, "wb" for bytes.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    encoding = None if "b" in mode else "utf-8"
    # Names of files that are no UTF-8 become escapes, which JSON reads back as they were.
    errors = None if "b" in mode else "backslashreplace"
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, mode, encoding=encoding, errors=errors) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp creates private files; the result gets the permissions of any new file.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
