"""Standard output and standard error that never end a command: not by odd names, nor by closing.

Names of files that are no UTF-8, which a terminal cannot show, are printed as escapes. When the
terminal is closed, or the program that reads the output has ended (`| head`), the rest is not
printed: the results of a run are in its files.
"""

from __future__ import annotations

import errno
import io
import sys
from typing import Any


class _MayClose(io.FileIO):
    """A file descriptor; what is written after its reader has gone is dropped."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO):
                raise
            return len(data)


def prepare_streams() -> None:
    """Replace `sys.stdout` and `sys.stderr`, unless they are no longer those of the process."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper):
            continue
        stream.reconfigure(errors="backslashreplace")
        raw = getattr(stream.buffer, "raw", stream.buffer)  # There is no buffer under `python -u`.
        if not isinstance(raw, io.FileIO) or isinstance(raw, _MayClose):
            continue
        if raw.fileno() != descriptor:
            continue
        stream.flush()
        replaced = io.TextIOWrapper(
            io.BufferedWriter(_MayClose(descriptor, "w", closefd=False)),
            encoding=stream.encoding,
            errors="backslashreplace",
            line_buffering=stream.line_buffering or raw is stream.buffer,
        )
        setattr(sys, name, replaced)
