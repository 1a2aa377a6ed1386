"""One thing that a check-up found, and how a part of it is run so that its failure is a finding."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from darts.errors import in_one_line

State = Literal["ok", "note", "missing", "failed"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of a check-up.

    Attributes:
        what: What was looked at: "PyTorch", "graphviz".
        value: What was found.
        state: ok; note is worth reading; missing can be installed; failed does not work.
        remedy: The command that gets what is missing, or what to do; empty if there is nothing.
    """

    what: str
    value: str
    state: State = "ok"
    remedy: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


Part = Callable[[], Iterable[Finding]]
"""Looks at one part of the machine."""


def run_part(title: str, part: Part, seconds: float) -> list[Finding]:
    """The findings of a part; an error, or more time than `seconds`, is a finding, too.

    >>> run_part("disk", lambda: [Finding(what="free", value=str(1 // 0))], 1.0)[0].value
    'ZeroDivisionError: integer division or modulo by zero'
    """
    found: list[Finding] = []

    def look() -> None:
        try:
            found.extend(part())
        except BaseException as error:  # A driver or a library that is broken may raise anything.
            found.append(Finding(what=title, value=in_one_line(error), state="failed"))

    # What hangs, such as a network drive, must not hold the others up.
    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        late = Finding(what=title, value=f"no answer within {seconds:.0f} s", state="failed")
        return [*found, late]
    return found
