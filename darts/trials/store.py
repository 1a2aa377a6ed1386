"""The trials of one experiment in one SQLite file: their settings, results and status.

Each change is one short transaction of a write-ahead log, on disk when the call returns: a process
killed at any moment leaves complete trials. One process, the driver, writes; any number may read at
the same time. Times are in whole milliseconds (since 1970 for points in time).

A trial is identified by its key. Its settings are JSON; together with the experiment's
configuration they determine its result. Its status is pending, running, done or failed; trials that
a killed driver left running become pending when the next driver opens the file.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

from darts.errors import DiskError, UserError, disk_errors
from darts.files import locked
from darts.runs.directory import finite
from darts.trials.schema import APPLICATION, TABLES, VERSION, Status
from darts.trials.trial import Trial, parsed, trial_of

__all__ = ["Trial", "TrialStore"]

_RESET = (
    "started = NULL, finished = NULL, milliseconds = NULL, result = NULL, error = NULL, "
    "environment = NULL"
)


# Settings that all trials shared until they could be changed beside --resume.
_ONCE_SHARED = ("skip_corrupt",)


class TrialStore:
    """The experiment in the file `path`; close it, or use it in `with`.

    Opening it as the driver creates the file, locks out other drivers, and makes trials pending
    that were left running.

    Args:
        path: The SQLite file.
        read_only: Open it for reading, which is possible while a driver writes.

    Raises:
        UserError: Another process drives the experiment; the file is damaged, or belongs to another
            program or version; or, for reading, it does not exist.
        DiskError: The disk refuses to read or write; any method may raise it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, TrialStore(f"{folder}/a.sqlite") as store:
    ...     store.add("first", {"seed": 1})
    ...     store.start("first")
    ...     store.finish("first", {"test_error": 5.0})
    ...     store.trial("first").result, store.counts()["done"]
    ({'test_error': 5.0}, 1)
    """

    def __init__(self, path: Path | str, *, read_only: bool = False) -> None:
        self.path = Path(path)
        self._read_only = read_only
        self._stack = ExitStack()
        try:
            self._open(read_only)
        except sqlite3.Error as error:
            self.close()
            if _of_disk(error):
                raise DiskError(self._refused(error)) from error
            raise UserError(
                f"{self.path} cannot be read as an experiment ({error}). If it is damaged, "
                "`sqlite3 FILE .recover` may save its trials; otherwise choose another directory."
            ) from None
        except BaseException:
            self.close()
            raise

    def _open(self, read_only: bool) -> None:
        if read_only:
            if not self.path.is_file():
                raise UserError(f"There is no experiment {self.path}.")
            # In a directory without write permission SQLite cannot create its log.
            mode = "mode=ro" if os.access(self.path.parent, os.W_OK) else "immutable=1"
            place = f"file:{quote(str(self.path.absolute()))}?{mode}"
        else:
            with disk_errors(where=self.path.parent):
                self.path.parent.mkdir(parents=True, exist_ok=True)
            message = (
                f"Another process is working on {self.path}. Wait for it, stop it, or choose "
                "another directory."
            )
            self._stack.enter_context(
                locked(self.path.with_name(f"{self.path.name}.lock"), message)
            )
            place = f"file:{quote(str(self.path.absolute()))}"
        # No isolation level: we manage transactions explicitly.
        self._connection = sqlite3.connect(place, uri=True, isolation_level=None, timeout=30)
        self._stack.callback(self._connection.close)
        self._connection.row_factory = sqlite3.Row
        self._check_kind(read_only)
        if read_only:
            return
        for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            self._execute(f"PRAGMA {setting}")
        if self._value("PRAGMA user_version") == 0:
            with self._transaction():
                for statement in TABLES:
                    self._execute(statement)
        for (key,) in self._execute("SELECT key FROM trial WHERE status = 'running'").fetchall():
            self.release(key)

    def _check_kind(self, read_only: bool) -> None:
        kind = self._value("PRAGMA application_id"), self._value("PRAGMA user_version")
        tables = self._value("SELECT count(*) FROM sqlite_master")
        if kind == (0, 0) and tables == 0 and not read_only:
            return
        if kind[0] != APPLICATION:
            raise UserError(
                f"{self.path} is not an experiment of this toolkit; choose another directory."
            )
        if kind[1] != VERSION:
            raise UserError(
                f"{self.path} has version {kind[1]} of the format, this toolkit reads {VERSION}: "
                "use the version of the toolkit that wrote it, or choose another directory."
            )
        if (state := self._value("PRAGMA quick_check(1)")) != "ok":
            raise sqlite3.DatabaseError(state)

    def close(self) -> None:
        """Close the file; the next driver may open it."""
        self._stack.close()

    def __enter__(self) -> TrialStore:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def configuration(self) -> dict[str, Any]:
        """Settings that all trials share; empty before `configure`."""
        rows = self._execute("SELECT name, value FROM experiment ORDER BY name")
        return {row["name"]: parsed(row["value"], self.path) for row in rows}

    def configure(self, configuration: Mapping[str, Any]) -> None:
        """Set what all trials share, or check it against the configuration in the file.

        Raises:
            UserError: The file has another configuration; the message names the differences.
        """
        wanted = {name: _json(value) for name, value in configuration.items()}
        rows = self._execute("SELECT name, value FROM experiment")
        present = {row["name"]: row["value"] for row in rows if row["name"] not in _ONCE_SHARED}
        if not present:
            with self._transaction():
                self._connection.executemany("INSERT INTO experiment VALUES (?, ?)", wanted.items())
            return
        differing = [
            f"{name} is {present.get(name, 'absent')} there and {wanted.get(name, 'absent')} now"
            for name in sorted(present.keys() | wanted.keys())
            if present.get(name) != wanted.get(name)
        ]
        if differing:
            raise UserError(
                f"{self.path} belongs to another experiment: {'; '.join(differing)}. Repeat its "
                "settings to continue it, or choose another directory."
            )

    def add(self, key: str, settings: Mapping[str, Any]) -> None:
        """Add a pending trial; adding the same trial again changes nothing.

        Raises:
            UserError: There is a trial `key` with other settings.
            ValueError: The settings cannot be written as JSON.
        """
        self.add_all({key: settings})

    def add_all(self, trials: Mapping[str, Mapping[str, Any]]) -> None:
        """`add` many trials by their keys: all of them, or none if one is refused."""
        with self._transaction():
            for key, settings in trials.items():
                text = _json(settings)
                row = self._execute("SELECT settings FROM trial WHERE key = ?", key).fetchone()
                if row is None:
                    self._execute("INSERT INTO trial (key, settings) VALUES (?, ?)", key, text)
                elif row["settings"] != text:
                    raise UserError(
                        f"{self.path}: trial {key} is there with other settings. The experiment "
                        "was started by another version of the toolkit, or is a different one; "
                        "choose another directory."
                    )

    def start(self, key: str) -> None:
        """Mark a trial as running: an attempt begins."""
        with self._transaction():
            self._execute(
                f"UPDATE trial SET {_RESET}, status = 'running', attempts = attempts + 1, "
                "started = ? WHERE key = ?",
                _now(),
                key,
            )
            self._forget_curve(key)

    def report(self, key: str, *curve: Mapping[str, Any]) -> None:
        """Append the measurements of one or more epochs of a running trial, in their order."""
        with self._transaction():
            for measured in curve:
                self._execute(
                    "INSERT INTO curve SELECT number, coalesce((SELECT max(epoch) + 1 FROM curve "
                    "WHERE trial = number), 0), ? FROM trial WHERE key = ?",
                    _json(measured),
                    key,
                )

    def finish(
        self,
        key: str,
        result: Mapping[str, Any],
        *,
        seconds: float = 0.0,
        environment: Mapping[str, Any] | None = None,
    ) -> None:
        """Mark a trial as done, with its result."""
        self._end(key, "done", "result", _json(result), seconds, environment)

    def fail(
        self,
        key: str,
        error: str,
        *,
        seconds: float = 0.0,
        environment: Mapping[str, Any] | None = None,
    ) -> None:
        """Mark a trial as failed; only `release` makes it pending again."""
        self._end(key, "failed", "error", error, seconds, environment)

    def release(self, key: str) -> None:
        """Make a trial pending, unless it is done; it will start from its beginning."""
        with self._transaction():
            self._execute(
                f"UPDATE trial SET {_RESET}, status = 'pending' WHERE key = ? AND status != 'done'",
                key,
            )
            self._forget_curve(key)

    def retry_failed(self) -> None:
        """Make all failed trials pending."""
        for (key,) in self._execute("SELECT key FROM trial WHERE status = 'failed'").fetchall():
            self.release(key)

    def counts(self) -> dict[Status, int]:
        """Number of trials by status."""
        counted = dict(self._execute("SELECT status, count(*) FROM trial GROUP BY status"))
        return {status: counted.get(status, 0) for status in get_args(Status)}

    def pending(self) -> list[Trial]:
        """The pending trials, in the order of adding."""
        return self._trials("WHERE status = 'pending'")

    def rows(self) -> list[Trial]:
        """All trials, in the order of adding."""
        return self._trials("")

    def results(self) -> dict[str, Any]:
        """The results of all trials that are done, by key: without their curves, so quickly."""
        rows = self._execute("SELECT key, result FROM trial WHERE status = 'done' ORDER BY number")
        return {row["key"]: parsed(row["result"], self.path, dict) for row in rows}

    def trial(self, key: str) -> Trial:
        """The trial `key`.

        Raises:
            KeyError: There is no such trial.
        """
        found = self._trials("WHERE key = ?", key)
        if not found:
            raise KeyError(key)
        return found[0]

    @property
    def environments(self) -> list[dict[str, Any]]:
        """Software versions and machines of the finished trials, each once."""
        rows = self._execute("SELECT description FROM environment ORDER BY id")
        return [parsed(row["description"], self.path, dict) for row in rows]

    def _trials(self, condition: str, *values: Any) -> list[Trial]:
        curves = defaultdict(list)
        with self._transaction("BEGIN"):
            rows = self._execute(
                "SELECT trial.*, description FROM trial LEFT JOIN environment "
                f"ON trial.environment = environment.id {condition} ORDER BY number",
                *values,
            ).fetchall()
            for number, measured in self._execute(
                "SELECT trial, measured FROM curve JOIN trial ON trial = number "
                f"{condition} ORDER BY trial, epoch",
                *values,
            ):
                curves[number].append(measured)
        return [trial_of(row, curves[row["number"]], self.path) for row in rows]

    def _end(
        self,
        key: str,
        status: Status,
        column: str,
        text: str,
        seconds: float,
        environment: Mapping[str, Any] | None,
    ) -> None:
        described = None if environment is None else _json(environment)
        with self._transaction():
            if described is not None:
                self._execute(
                    "INSERT OR IGNORE INTO environment (description) VALUES (?)", described
                )
            self._execute(
                f"UPDATE trial SET status = ?, {column} = ?, finished = ?, milliseconds = ?, "
                "environment = (SELECT id FROM environment WHERE description = ?) WHERE key = ?",
                status,
                text,
                _now(),
                round(seconds * 1000),
                described,
                key,
            )

    def _forget_curve(self, key: str) -> None:
        self._execute(
            "DELETE FROM curve WHERE trial = (SELECT number FROM trial WHERE key = ? AND "
            "status != 'done')",
            key,
        )

    def _execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, values)
        except sqlite3.OperationalError as error:
            if self._read_only or not _of_disk(error):
                raise
            raise DiskError(self._refused(error)) from error

    def _refused(self, error: sqlite3.Error) -> str:
        return (
            f"{self.path}: {error}. What is finished is kept. Check that the disk has room and "
            "that the directory is there and writable"
        )

    def _value(self, statement: str) -> Any:
        return self._execute(statement).fetchone()[0]

    @contextmanager
    def _transaction(self, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
        self._execute(begin)
        try:
            yield
            self._execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # After some errors SQLite has ended it.
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
            raise


def _of_disk(error: sqlite3.Error) -> bool:
    """Whether the disk is the reason, and not the content of the file."""
    # Before Python 3.11 errors have no codes.
    words = ("disk", "readonly", "unable to open", "locked")
    return isinstance(error, sqlite3.OperationalError) and any(word in str(error) for word in words)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _json(value: Any) -> str:
    """JSON text, the same for equal values; numbers that are not finite become null."""
    text = json.dumps(finite(value), sort_keys=True, allow_nan=False, ensure_ascii=False)
    # Names of files that are no UTF-8 become escapes.
    return text.encode("utf-8", "backslashreplace").decode()
