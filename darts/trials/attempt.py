"""One attempt at a trial, wherever it runs: its outcome is a value, whatever happens in it."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from darts.errors import UserError
from darts.runs.directory import environment, finite
from darts.runs.interrupt import Interrupted

ReportEpoch = Callable[[Mapping[str, Any]], None]
"""Takes what was measured after an epoch."""
TrialFunction = Callable[[dict[str, Any], ReportEpoch], Mapping[str, Any]]
"""Does a trial: takes its settings and a report, returns its result.

Executors other than the in-process one send it to other processes: it is a function of a module, or
a `functools.partial` of one.
"""

# Lines of a traceback that are kept; the last ones say what happened.
_LINES = 30


@dataclass(frozen=True, kw_only=True)
class TrialOutcome:
    """How an attempt ended: with a result, or with an error."""

    result: Mapping[str, Any] | None = None
    error: str | None = None
    seconds: float = 0.0
    environment: Mapping[str, Any] | None = None


def attempt(work: TrialFunction, settings: Mapping[str, Any], report: ReportEpoch) -> TrialOutcome:
    """Do a trial; an exception in it is an outcome, an interruption is not."""
    begun = time.monotonic()
    result = error = None
    try:
        # A result that is no JSON is a failure of this trial, not of the driver.
        result = json.loads(json.dumps(finite(work(dict(settings), report)), allow_nan=False))
    except Interrupted:
        # A loop inside the work took the signal for its own.
        raise KeyboardInterrupt from None
    except UserError as problem:
        error = str(problem)
    except Exception:
        error = "\n".join(traceback.format_exc().splitlines()[-_LINES:])
    seconds = time.monotonic() - begun
    return TrialOutcome(result=result, error=error, seconds=seconds, environment=_environment())


@cache
def _environment() -> Mapping[str, Any]:
    # The time is the trial's own, and would make every description another one.
    return {name: value for name, value in environment().items() if name != "time"}
