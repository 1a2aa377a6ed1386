"""The image files below a folder: each real file once, and what was left out.

Left out are hidden files, folders of programs and file servers (thumbnails, waste baskets, notebook
copies), files that are no images, and whatever is no regular file. A class may be a link to a
folder, and an image a link to a file; but a link inside a class that leads back into the data set
is left out: it would show images of other classes, or never end.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".dib", ".webp", ".gif"),
        *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".tga"),
        *(".jp2", ".j2k", ".jpx", ".avif", ".avifs"),
    )
)
_FOREIGN = frozenset(
    (
        *("__macosx", "@eadir", "#recycle", "$recycle.bin", "lost+found", "__pycache__"),
        *("system volume information", "thumbs", "thumbnails"),
    )
)


@dataclass
class LeftOut:
    """What scans of a data set have left out, by path; it grows while folders are scanned.

    Attributes:
        folders: Hidden folders and folders of programs.
        links: Links that lead back into the data set.
        files: Files that are no images.
    """

    folders: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)

    @property
    def sentences(self) -> list[str]:
        """What the user should know."""
        found = []
        if self.folders:
            names = Counter(map(os.path.basename, self.folders))
            found.append(f"Left out folders that hold no classes: {_counted(names)}.")
        if self.links:
            number = len(self.links)
            noun = "link that leads" if number == 1 else "links that lead"
            found.append(f"Left out {number:,} {noun} back into the data set.")
        if self.files:
            number, kinds = len(self.files), Counter(map(_kind, self.files))
            noun = "file that is no image" if number == 1 else "files that are no images"
            found.append(f"Left out {number:,} {noun} this toolkit reads: {_counted(kinds)}.")
        return found


def _counted(counts: Counter[str]) -> str:
    named = [f"{name} ({count:,})" for name, count in sorted(counts.items())[:5]]
    return ", ".join(named) + (" …" if len(counts) > 5 else "")


def is_foreign(name: str) -> bool:
    """Whether a folder is hidden, or belongs to a program or a file server.

    >>> is_foreign("__MACOSX"), is_foreign(".ipynb_checkpoints"), is_foreign("cat")
    (True, True, False)
    """
    return name.startswith(".") or name.lower() in _FOREIGN


class Scan:
    """Finds folders and image files of a data set.

    Args:
        root: The folder of the data set; links that lead back into it are not followed.

    Attributes:
        left_out: What was left out so far.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.path.realpath(root)
        self._folders: dict[Path, tuple[str, ...]] = {}
        self.left_out = LeftOut()

    def folders(self, place: Path) -> tuple[str, ...]:
        """The names of the folders in `place` that may hold classes, in order."""
        if place not in self._folders:
            self._folders[place] = tuple(self._folders_in(place))
        return self._folders[place]

    def _folders_in(self, place: Path) -> Iterator[str]:
        here = os.path.realpath(place)
        with os.scandir(place) as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                if not _is_folder(entry):
                    continue
                if is_foreign(entry.name):
                    self.left_out.folders.add(entry.path)
                elif entry.is_symlink() and _holds(os.path.realpath(entry.path), here):
                    self.left_out.links.add(entry.path)
                else:
                    yield entry.name

    def images(self, place: Path) -> list[str]:
        """The paths of all image files below `place`, in order."""
        return sorted(self._below(str(place), {os.path.realpath(place)}))

    def _below(self, place: str, visited: set[str]) -> Iterator[str]:
        with os.scandir(place) as entries:
            for entry in entries:
                if _is_folder(entry):
                    yield from self._inside(entry, visited)
                elif entry.name.startswith("."):
                    continue
                elif not _is_file(entry) or not _is_image(entry):
                    self.left_out.files.add(entry.path)
                else:
                    yield entry.path

    def _inside(self, entry: os.DirEntry[str], visited: set[str]) -> Iterator[str]:
        if is_foreign(entry.name):
            self.left_out.folders.add(entry.path)
            return
        if entry.is_symlink():
            real = os.path.realpath(entry.path)
            if real in visited or _holds(self._root, real) or _holds(real, self._root):
                self.left_out.links.add(entry.path)
                return
            visited.add(real)
        yield from self._below(entry.path, visited)


def _holds(folder: str, place: str) -> bool:
    """Whether a real path lies in a folder, or is that folder."""
    return os.path.commonpath([folder, place]) == folder


def has_images(place: Path) -> bool:
    """Whether a folder itself, without the folders in it, holds an image."""
    with os.scandir(place) as entries:
        return any(
            not entry.name.startswith(".") and _is_file(entry) and _is_image(entry)
            for entry in entries
        )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # A link that leads to itself.


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _is_image(entry: os.DirEntry[str]) -> bool:
    suffix = os.path.splitext(entry.name)[1].lower()
    if suffix:
        return suffix in SUFFIXES
    try:
        with Image.open(entry.path):
            return True
    except Exception:  # Each of Pillow's plug-ins raises what it likes.
        return False


def _kind(path: str) -> str:
    return os.path.splitext(path)[1].lower() or "without a suffix"
