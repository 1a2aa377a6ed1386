"""What lies on the disks: data sets, caches, and the room that is left."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from darts.checkup.finding import Finding
from darts.data.catalogue import list_datasets
from darts.data.options import data_directory

_LITTLE = 5 * 2**30
_CACHES = {
    "native": "compiled kernels",
    "backends": "measured back ends",
}
_MOST_FILES = 20_000


def data_sets() -> Iterator[Finding]:
    """The named data sets that are here, and how the others come here."""
    rows = list_datasets()
    here = [row.name for row in rows if row.present]
    missing = [row.name for row in rows if not row.present]
    yield Finding(what="here", value=", ".join(here))
    if missing:
        yield Finding(
            what="not here",
            value=", ".join(missing),
            state="note",
            remedy=f"copy them into {home_short(data_directory())}; where that is possible, a run "
            "with --dataset NAME downloads them",
        )


def disks() -> Iterator[Finding]:
    """Room where runs, data and caches are written."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "darts"
    for what, folder in (
        ("runs", Path.cwd()),
        ("data", data_directory()),
        ("caches", root),
        ("temporary", Path(os.environ.get("TMPDIR", "/tmp"))),
    ):
        place = _existing(folder)
        free = shutil.disk_usage(place).free
        value = f"{free / 2**30:.0f} GiB free at {home_short(folder)}"
        if not os.access(place, os.W_OK):
            yield Finding(
                what=what,
                value=f"{value}, which cannot be written",
                state="failed",
                remedy=_elsewhere(what),
            )
        elif free < _LITTLE:
            yield Finding(
                what=what, value=value, state="note", remedy="make room, or " + _elsewhere(what)
            )
        else:
            yield Finding(what=what, value=value)


def _elsewhere(what: str) -> str:
    return {
        "runs": "give --run-dir DIR",
        "data": "set DARTS_DATA=DIR",
        "caches": "set XDG_CACHE_HOME=DIR",
        "temporary": "set TMPDIR=DIR",
    }[what]


def caches() -> Iterator[Finding]:
    """What is kept between runs, and how much; all of it may be deleted at any time."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "darts"
    for name, what in _CACHES.items():
        folder = root / name
        size, files = _size(folder)
        kept = f"{files} files, {size / 2**20:.0f} MiB in {home_short(folder)}" if files else "none"
        yield Finding(what=what, value=kept)


def _size(folder: Path) -> tuple[int, int]:
    size = files = 0
    for path in folder.glob("*"):
        if path.is_file():
            size, files = size + path.stat().st_size, files + 1
        if files >= _MOST_FILES:
            break
    return size, files


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one around it that exists."""
    return next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())


def home_short(path: Path) -> str:
    """A path with ~ for the user's folder, whose name belongs in no report.

    >>> home_short(Path.home() / "data")
    '~/data'
    """
    try:
        return f"~/{path.relative_to(Path.home())}"
    except ValueError:
        return str(path)
