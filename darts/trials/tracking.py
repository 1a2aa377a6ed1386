"""Trials as rows of TensorBoard's table of runs (HParams), and at the place that --track names.

The driver records a trial when it has ended well, through the same `Tracker` as a run.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from darts.errors import UserError, disk_errors
from darts.run_files import RunFiles
from darts.settings.options import TrackOptions
from darts.trials.trial import Trial

FOLDER = "tensorboard"
"""Beside the file of the trials: one directory for each trial."""
_PART = ".part"


class TrialTracking:
    """Records trials that have ended well.

    Args:
        folder: Directory of the study.
        options: Where else they are recorded.

    Raises:
        UserError: The package of the other place is not installed.
    """

    def __init__(self, folder: Path, options: TrackOptions) -> None:
        self._folder, self._track = folder / FOLDER, options.track
        if self._track != "none" and find_spec(self._track) is None:
            raise UserError(
                f"--track {self._track}: there is no such package. Install it: "
                f"pip install {self._track}"
            )

    def complete(self, trials: Iterable[Trial]) -> None:
        """Record those that have ended well and are not recorded yet."""
        for left in self._folder.glob(f"*{_PART}"):  # Of a call that was killed.
            shutil.rmtree(left, ignore_errors=True)
        for trial in trials:
            if trial.status == "done" and not self._place(trial).exists():
                self.record(trial)

    def record(self, trial: Trial) -> None:
        """Record a trial: its settings, its epochs, and the numbers of its result.

        Raises:
            DiskError: The disk refused it.
            UserError: The other place refused it.
        """
        from darts.runs.sinks import open_sink
        from darts.runs.tracking import Tracker

        settings = dict(_plain(trial.settings))
        result = {f"result/{name}": one for name, one in _numbers(trial.result or {})}
        place = self._place(trial)
        with disk_errors(where=self._folder.parent):
            part = place.with_name(f"{place.name}{_PART}")
            part.mkdir(parents=True, exist_ok=True)
            sink = open_sink(self._track, RunFiles(part), settings)
            with Tracker(part, sink=sink) as tracker:
                tracker.settings(settings, tuple(result))
                for epoch, measured in enumerate(trial.curve, 1):
                    values = {f"epoch/{name}": one for name, one in _numbers(measured)}
                    tracker.scalars(values, epoch)
                tracker.scalars(result, max(1, len(trial.curve)))
            part.rename(place)  # What is there is complete.

    def _place(self, trial: Trial) -> Path:
        return self._folder / trial.key.replace("/", "-").replace(" ", "-")


def _plain(settings: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Nested settings by dotted name, without lists.

    >>> dict(_plain({"candidate": {"depth": 3, "widths": [8, 16]}, "seed": 0}))
    {'candidate.depth': 3, 'seed': 0}
    """
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _plain(value, f"{prefix}{name}.")
        elif isinstance(value, (bool, int, float, str)):
            yield f"{prefix}{name}", value


def _numbers(values: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
    for name, value in _plain(values):
        if name != "epoch" and isinstance(value, (int, float)) and math.isfinite(value):
            yield name, float(value)
