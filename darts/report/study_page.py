"""The page of a small study: a sentence, tables, plots and the command that repeats it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from darts.report.render import render_page
from darts.report.tables import Row


@dataclass(frozen=True, kw_only=True)
class StudyPage:
    """What the page of a study shows.

    Attributes:
        name: Heading.
        sentence: The finding.
        summary: How it was measured.
        tables: Titles and rows; the first row is the head.
        plots: The plots, as `darts.report.frame.write_plots` returns them.
        notes: What a reader should know.
        command: The command that repeats it; empty for a call from Python.
        background: Settings and machines under their titles, closed at first.
    """

    name: str
    sentence: str
    summary: str
    tables: Sequence[tuple[str, Sequence[Row]]]
    plots: Sequence[tuple[str, str, Markup]]
    notes: Sequence[str] = ()
    command: str = ""
    background: Sequence[tuple[str, Sequence[tuple[str, str]]]] = ()

    def write(self, path: Path) -> Path:
        """Write the page; return its path."""
        context = {**vars(self), "commands": [("", self.command)] if self.command else []}
        return render_page(__package__, "study.html", path, context)
