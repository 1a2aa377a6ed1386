"""How a study came about, for the end of its page: its settings, software and machines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from darts.errors import UserError
from darts.report.formatting import flat
from darts.run_files import RunFiles
from darts.trials.schema import TRIALS_FILE
from darts.trials.store import TrialStore

Rows = list[tuple[str, str]]


def settings_of(directory: Path) -> tuple[str, Rows]:
    """The settings of a study that has them in `config.yaml`, under their title."""
    files = RunFiles(directory)
    return "Configuration", flat(_mapping(_read(files.read_config)))


def machines_of(directory: Path, trials: str = TRIALS_FILE) -> tuple[str, Rows]:
    """Software and machine of a study, under their title; rows of all machines if several worked.

    Args:
        directory: Its directory.
        trials: The file of its trials; each has stored where it ran.
    """
    found: list[Any] = []
    if (directory / trials).is_file():
        found = _read(lambda: _stored(directory / trials)) or []
    if not found:
        records = _read(RunFiles(directory).read_environment)
        found = records[-1:] if isinstance(records, list) else []
    known = [_mapping(one) for one in found]
    if len(known) < 2:
        return "Software and machine", flat(known[0]) if known else []
    rows: Rows = []
    for name in dict.fromkeys(name for one in known for name in one):
        values = dict.fromkeys(str(one.get(name, "–")) for one in known)
        rows.append((name, "; ".join(values)))
    return f"Software and {len(known)} machines", rows


def _stored(path: Path) -> list[dict[str, Any]]:
    with TrialStore(path, read_only=True) as store:
        return store.environments


def _read(content: Any) -> Any:
    """What a file holds, or None: a page must not fail for its last paragraph."""
    try:
        return content()
    except (OSError, ValueError, UserError):
        return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
