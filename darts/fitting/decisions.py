"""Decisions that depend on the time: made once, written before they are acted on, read back.

Everything else of a fit follows from its options, its seed and these decisions, so a killed fit
that goes on comes to the same result.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from darts.errors import UserError
from darts.files import atomic_write, read_json_file
from darts.runs.directory import finite


class Decisions:
    """The decisions in the file `path`, by name.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "decisions.json"
    >>> Decisions(path).made("epochs", lambda: 7), Decisions(path).made("epochs", lambda: 9)
    (7, 7)

    Args:
        path: A JSON file; it need not exist.

    Raises:
        UserError: The file is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, Any] = {}
        try:
            self._known = read_json_file(path)
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read: {error}") from None

    def made(self, name: str, decide: Callable[[], Any]) -> Any:
        """The decision `name`, which `decide` makes if it has not been made; plain values."""
        if name not in self._known:
            self.record(name, decide())
        return self._known[name]

    def get(self, name: str) -> Any:
        """The decision `name`, or None."""
        return self._known.get(name)

    def record(self, name: str, value: Any) -> None:
        """Write a decision; it is on disk when the call returns."""
        self._known[name] = json.loads(json.dumps(finite(value), allow_nan=False))
        with atomic_write(self._path) as stream:
            json.dump(self._known, stream, indent=2, sort_keys=True)
