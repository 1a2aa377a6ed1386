"""The image file that a row of a table means: a path, a name, or a number without a suffix."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from darts.data.scanning import SUFFIXES
from darts.errors import UserError

_FOLDERS = ("images", "image", "imgs", "img", "photos", "pictures", "data", "jpeg", "jpg", "png")
_PARTS = ("train", "training", "test", "testing", "val", "valid", "validation")


class ImageLocator:
    """Finds image files by the values of a table.

    A value is looked up below the folder of the table; then in its usual folders for images
    (images/, img/, jpeg/ …) and parts (train/, train_images/, images/train/ …); and then in those
    beside the folder of the table. The suffix may be missing.

    Args:
        table: The file of the table.
        encoding: Its encoding; names on disk may have the same bytes.

    Attributes:
        outside: Files that were found outside the folder of the table by their path, such as
            /other/a.png or ../a.png.
    """

    def __init__(self, table: Path, encoding: str = "utf-8") -> None:
        self._table, self._encoding = table, encoding
        self.home = Path(os.path.abspath(table.parent))
        self._folders = tuple(_candidates(self.home, table.stem))
        self._names: dict[str, dict[str, list[str]]] = {}
        self._last = 0
        self.outside: list[str] = []

    @property
    def tried(self) -> str:
        """The folders in which files are looked up, for messages."""
        return ", ".join(self._folders[:6]) + (" …" if len(self._folders) > 6 else "")

    def find(self, value: str) -> str | None:
        """The path of a regular file; None if there is none.

        Raises:
            UserError: Several files fit a name without suffix.
        """
        if not value or "\0" in value:
            return None
        for name in self._spellings(value.replace("\\", "/") if os.sep == "/" else value):
            if (found := self._find(name)) is not None:
                return found
        return None

    def _spellings(self, value: str) -> Iterator[str]:
        yield value
        try:
            raw = os.fsdecode(value.encode(self._encoding))
        except UnicodeEncodeError:
            return
        if raw != value and self._encoding == "cp1252":
            yield raw

    def _find(self, name: str) -> str | None:
        # Most rows lie in the folder of the row before.
        order = (self._last, *(n for n in range(len(self._folders)) if n != self._last))
        for number in order:
            found = self._in_folder(self._folders[number], name)
            if found is not None:
                self._last = number
                if os.path.isabs(name) or ".." in name.split("/"):
                    self._note_outside(found)
                return found
            if os.path.isabs(name):
                return None
        return None

    def _in_folder(self, folder: str, name: str) -> str | None:
        path = os.path.normpath(os.path.join(folder, name))
        if os.path.isfile(path):
            return path
        place, stem = os.path.split(path)
        fitting = self._listing(place).get(stem, [])
        if len(fitting) > 1:
            raise UserError(
                f"{self._table}: {name!r} could be {fitting[0]} or {fitting[1]} in {place}. Give "
                "the names with their suffixes."
            )
        return os.path.join(place, fitting[0]) if fitting else None

    def _listing(self, place: str) -> dict[str, list[str]]:
        """The image files of a folder by their names without suffix."""
        if place not in self._names:
            self._names[place] = _by_stem(place)
        return self._names[place]

    def _note_outside(self, path: str) -> None:
        if os.path.commonpath([self.home, path]) != str(self.home):
            self.outside.append(path)


def _by_stem(place: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    try:
        with os.scandir(place) as entries:
            for entry in entries:
                stem, suffix = os.path.splitext(entry.name)
                if suffix.lower() in SUFFIXES and os.path.isfile(entry.path):
                    found.setdefault(stem, []).append(entry.name)
    except OSError:
        return {}
    return {stem: sorted(names) for stem, names in found.items()}


def _candidates(home: Path, stem: str) -> Iterator[str]:
    """The folders that may hold the images of a table, the most likely first."""
    seen: set[str] = set()
    for base in (home, home.parent):
        inner = list(_usual(base, stem))
        for place in (base, *inner, *(deep for one in inner for deep in _usual(one, stem))):
            if str(place) not in seen:
                seen.add(str(place))
                yield str(place)


def _usual(base: Path, stem: str) -> Iterable[Path]:
    """The folders in `base` with usual names, those of the table's own name first."""
    try:
        present = sorted(entry.name for entry in os.scandir(base) if entry.is_dir())
    except OSError:
        return
    wanted = [stem.lower(), *_FOLDERS, *_PARTS]

    def rank(name: str) -> int:
        lower = name.lower()
        words = lower.replace("-", "_").split("_")
        known = [
            number
            for number, one in enumerate(wanted)
            if lower == one or (one in words and all(word in wanted for word in words))
        ]
        return min(known, default=len(wanted))

    yield from (base / name for name in sorted(present, key=rank) if rank(name) < len(wanted))
