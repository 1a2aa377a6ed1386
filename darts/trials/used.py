"""Trials that need files of the user's own (`--use`), in any process and on any machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from darts.settings.used_files import UsedFile, files_in_use, run_file
from darts.trials.attempt import ReportEpoch, TrialFunction


@dataclass(frozen=True)
class UsingFiles:
    """A trial function that runs the user's files first, once per process.

    The files travel with it, so a worker on another machine needs no copy of them.

    Attributes:
        files: The files.
        work: The trial function.
    """

    files: tuple[UsedFile, ...]
    work: TrialFunction

    def __call__(self, settings: dict[str, Any], report: ReportEpoch) -> Mapping[str, Any]:
        for file in self.files:
            run_file(file)
        return self.work(settings, report)


def using_files(use: str | None, work: TrialFunction) -> TrialFunction:
    """The trial function for processes that have not run the files of the option `use`.

    >>> using_files(None, print) is print
    True
    """
    return UsingFiles(files_in_use(use), work) if use else work
