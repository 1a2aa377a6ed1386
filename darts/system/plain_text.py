"""Text for the terminal: no name, text of a file or value can control it.

A name of a file, a class or a genotype may hold escape sequences that recolour the terminal, move
its cursor, change its title or reverse the reading order. Whatever a command prints passes through
`PlainStream`, which shows such characters as escapes. Only live displays write around it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Any, cast

# Controls but for the ends of lines and tabs; marks that change the direction; line separators.
_CONTROLS = re.compile(
    "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
    "|\\r(?!\\n)"
)
_LONGEST = 2000


def printable(text: str) -> str:
    r"""A text with its control characters as escapes.

    >>> printable("\x1b[31mred\n")
    '\\x1b[31mred\n'
    """
    return _CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


def shortened(text: str) -> str:
    """A message without the middle of what is too long to read, such as a value of pages.

    >>> len(shortened("x" * 100_000)) < 2100
    True
    """
    if len(text) <= _LONGEST:
        return text
    head, tail = text[: _LONGEST * 3 // 4], text[-_LONGEST // 4 :]
    return f"{head} […] {tail}"


class PlainStream:
    """A stream that writes control characters as escapes, and is the stream itself otherwise.

    Args:
        stream: Where the text goes.
    """

    def __init__(self, stream: IO[str]) -> None:
        self.direct = stream

    def write(self, text: str) -> int:
        """Write a text; return its length, as streams do."""
        self.direct.write(printable(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.direct, name)


def direct_stream(stream: IO[str]) -> IO[str]:
    """The stream below a `PlainStream`, for displays that draw with control characters."""
    return getattr(stream, "direct", stream)


@contextmanager
def plain_streams() -> Iterator[None]:
    """Within it, `sys.stdout` and `sys.stderr` write control characters as escapes.

    A stream that was closed before the program began (`>&-`) goes nowhere.
    """
    before = sys.stdout, sys.stderr
    with ExitStack() as opened:
        present = [
            opened.enter_context(open(os.devnull, "w")) if stream is None else stream
            for stream in before
        ]
        sys.stdout, sys.stderr = (
            cast(IO[str], PlainStream(direct_stream(stream))) for stream in present
        )
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before
