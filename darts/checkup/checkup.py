"""The whole check-up: all parts, as text and as plain values."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from darts.checkup.engines import back_ends
from darts.checkup.finding import Finding, Part, run_part
from darts.checkup.hardware import devices, memory, processors
from darts.checkup.software import programs, versions
from darts.checkup.stores import caches, data_sets, disks
from darts.settings.help_page import page_width

PARTS: Mapping[str, Part] = {
    "versions": versions,
    "processors": processors,
    "memory": memory,
    "devices": devices,
    "programs": programs,
    "back ends": back_ends,
    "data sets": data_sets,
    "disks": disks,
    "caches": caches,
}
SECONDS = 30.0
"""Seconds after which a part that hangs is given up."""

_MARKS = {"ok": "  ", "note": "· ", "missing": "- ", "failed": "! "}


@dataclass(frozen=True)
class Checkup:
    """What was found.

    Attributes:
        parts: By part, its findings.
        seconds: Time that it took.
    """

    parts: Mapping[str, list[Finding]]
    seconds: float

    def text(self) -> str:
        """What the command prints."""
        column = 4 + max(len(one.what) for found in self.parts.values() for one in found)
        lines = []
        for title, found in self.parts.items():
            lines.append(title)
            for one in found:
                start = f"{_MARKS[one.state]}{one.what}".ljust(column)
                lines.append(_filled(start, one.value))
                if one.remedy:
                    lines.append(_filled(" " * column + "→ ", one.remedy))
        return "\n".join([*lines, "", self.closing])

    @property
    def closing(self) -> str:
        """A sentence about all of it."""
        found = [one for part in self.parts.values() for one in part]
        failed = [one.what for one in found if one.state == "failed"]
        missing = [one.what for one in found if one.state == "missing"]
        start = f"Does not work (!): {', '.join(failed)}." if failed else "What is here works."
        rest = f" Missing (-): {', '.join(missing)}." if missing else ""
        return f"{start}{rest} {self.seconds:.0f} s."

    def as_dict(self) -> dict[str, Any]:
        """Plain values; no name of a user or host."""
        parts = {title: [one.as_dict() for one in found] for title, found in self.parts.items()}
        return {"parts": parts, "seconds": round(self.seconds, 2)}


def _filled(start: str, text: str) -> str:
    """Text in the column that `start` ends at."""
    return textwrap.fill(
        text,
        page_width(),
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    )


def check_machine(
    parts: Mapping[str, Part] = PARTS,
    *,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.perf_counter,
) -> Checkup:
    """Look at every part; a part that fails or hangs is a finding, never an error.

    >>> check_machine({"fine": lambda: [Finding(what="x", value="here")]}).closing[:19]
    'What is here works.'

    Args:
        parts: By title, what looks at a part.
        seconds: Time after which a part is given up.
        clock: Returns seconds.
    """
    begun = clock()
    found = {title: run_part(title, part, seconds) for title, part in parts.items()}
    return Checkup(found, clock() - begun)
