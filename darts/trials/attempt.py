"""One attempt at a trial, in any process: its outcome is a value, even if it fails."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from darts.errors import DiskError, UserError, disk_errors
from darts.runs.directory import environment, finite
from darts.runs.interrupt import Interrupted

ReportEpoch = Callable[[Mapping[str, Any]], None]
"""Receives the measurements of an epoch, by name."""
TrialFunction = Callable[[dict[str, Any], ReportEpoch], Mapping[str, Any]]
"""Runs a trial: (settings, report) -> result.

All executors but in-process send it to other processes, so it must be a module-level function, a
`functools.partial` of one, or another object that can be pickled.
"""

# Number of lines of a traceback that are kept; the last ones say what happened.
_LINES = 30


@dataclass(frozen=True, kw_only=True)
class TrialOutcome:
    """How an attempt ended.

    Attributes:
        result: What the trial function returned; None if it raised.
        error: The message or traceback if it raised.
        disk: What the disk refused (see `DiskError`): no other trial can run either.
        seconds: Duration of the attempt.
        environment: Software versions and machine.
    """

    result: Mapping[str, Any] | None = None
    error: str | None = None
    disk: str | None = None
    seconds: float = 0.0
    environment: Mapping[str, Any] | None = None


def attempt(work: TrialFunction, settings: Mapping[str, Any], report: ReportEpoch) -> TrialOutcome:
    """Run a trial; an exception becomes an outcome, an interruption does not.

    Raises:
        KeyboardInterrupt: The attempt was interrupted.

    >>> attempt(lambda settings, report: {"error": settings["x"] ** 2}, {"x": 3}, print).result
    {'error': 9}
    """
    begun = time.monotonic()
    result = error = disk = None
    try:
        # A result that cannot be written as JSON is a failure of this trial, not of the driver.
        with disk_errors():
            result = json.loads(json.dumps(finite(work(dict(settings), report)), allow_nan=False))
    except Interrupted:
        # A loop inside the trial handled the signal.
        raise KeyboardInterrupt from None
    except DiskError as problem:
        disk = problem.problem
    except UserError as problem:
        error = str(problem)
    except Exception:
        error = "\n".join(traceback.format_exc().splitlines()[-_LINES:])
    seconds = time.monotonic() - begun
    return TrialOutcome(
        result=result, error=error, disk=disk, seconds=seconds, environment=_environment()
    )


@cache
def _environment() -> Mapping[str, Any]:
    # Without the time, which would make each description different.
    return {name: value for name, value in environment().items() if name != "time"}
