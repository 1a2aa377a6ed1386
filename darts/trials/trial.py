"""One trial, as a row of an experiment's file holds it; what is not as it was written is damage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from darts.errors import UserError
from darts.files import PlainFileError, plain_json
from darts.trials.schema import Status


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The current state of one trial.

    Attributes:
        number: Counts from 1, in the order of adding.
        key: Identifies the trial.
        settings: What its function receives.
        status: pending, running, done or failed.
        attempts: How often it was started.
        curve: Measurements after each epoch of the latest attempt.
        result: What its function returned; None unless it is done.
        seconds: Duration of the attempt that ended it.
        error: Why it failed; None unless it has failed.
        environment: Software versions and machine of the attempt that ended it.
    """

    number: int
    key: str
    settings: Mapping[str, Any]
    status: Status
    attempts: int
    curve: tuple[Mapping[str, Any], ...]
    result: Mapping[str, Any] | None
    seconds: float | None
    error: str | None
    environment: Mapping[str, Any] | None


def trial_of(row: Mapping[str, Any], curve: Sequence[Any], path: Path) -> Trial:
    """The trial in a row of the table, with its measurements.

    Args:
        row: The columns of the trial, and the description of its environment.
        curve: The measurements after each epoch, as texts.
        path: The file, for messages.

    Raises:
        UserError: A value is not of the kind that is written there.
    """
    milliseconds, error = row["milliseconds"], row["error"]
    numbers = (row["number"], row["attempts"], 0 if milliseconds is None else milliseconds)
    if (
        not isinstance(row["key"], str)
        or row["status"] not in get_args(Status)
        or not all(type(number) is int for number in numbers)
        or not (error is None or isinstance(error, str))
    ):
        raise _damaged(path, f"of the trial {row['key']!r}")
    return Trial(
        number=row["number"],
        key=row["key"],
        settings=parsed(row["settings"], path, dict) or {},
        status=row["status"],
        attempts=row["attempts"],
        curve=tuple(parsed(one, path, dict) for one in curve),
        result=parsed(row["result"], path, dict),
        seconds=None if milliseconds is None else milliseconds / 1000,
        error=error,
        environment=parsed(row["description"], path, dict),
    )


def parsed(text: Any, path: Path, kind: type = object) -> Any:
    """The plain values of a column, or None.

    Raises:
        UserError: The column holds something else, or values of another kind.
    """
    if text is None:
        return None
    try:
        value = plain_json(text, unique=False) if isinstance(text, str) else text
    except PlainFileError as error:
        raise _damaged(path, f"({error})") from None
    if not isinstance(text, str) or not isinstance(value, kind):
        raise _damaged(path, f"({str(value)[:80]!r})")
    return value


def _damaged(path: Path, what: str) -> UserError:
    return UserError(f"{path} is damaged: a value {what} is not as it was written.")
