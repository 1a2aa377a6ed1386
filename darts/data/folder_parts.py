"""The parts of a data set in folders, by their usual names: training, validation, test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from darts.data.scanning import Scan, has_images
from darts.errors import UserError

FolderPart = Literal["train", "val", "test"]

_NAMES: dict[str, FolderPart] = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "eval"), "test"),
}
_LEVELS = 3  # Folders that hold nothing but one folder.


def part_of(name: str) -> FolderPart | None:
    """The part that the name of a folder stands for.

    >>> part_of("Training_Set"), part_of("seg_test"), part_of("valid"), part_of("contest")
    ('train', 'test', 'val', None)
    """
    words = re.split(r"[^a-z]+", name.lower())
    parts = {_NAMES[word] for word in words if word in _NAMES}
    return parts.pop() if len(parts) == 1 else None


@dataclass(frozen=True)
class FolderParts:
    """Where the parts of a data set lie.

    Attributes:
        train: The folder of the training images, with one folder for each class.
        others: The folders of the other parts; those of val may lie in it without class folders.
        notes: What the user should know.
    """

    train: Path
    others: dict[FolderPart, Path]
    notes: tuple[str, ...] = ()


def find_parts(root: Path, scan: Scan) -> FolderParts:
    """Find the parts of the data set in `root`.

    A folder is a part if its name says so and it holds folders; a class named "train" holds images.
    A folder that holds nothing but one folder is entered, and so is one in a part that names the
    same part.

    Raises:
        UserError: There are test images without training images, two folders are the same part,
            or the classes look like parts with other names.
    """
    notes = []
    inner = _entered(root, scan)
    if inner != root:
        notes.append(f"The data set was found in {inner}.")
    named: dict[FolderPart, list[Path]] = {}
    rest = []
    for name in scan.folders(inner):
        part, place = part_of(name), inner / name
        if part is not None and (scan.folders(place) or part != "train"):
            named.setdefault(part, []).append(place)
        else:
            rest.append(name)
    divided = "train" in named or _are_parts(named, rest, scan)
    if not divided:
        _check_classes(inner, scan)
        return FolderParts(inner, {}, tuple(notes))
    for part, places in named.items():
        if len(places) > 1:
            raise UserError(
                f"{inner}: {' and '.join(place.name for place in places)} both look like the "
                f"{part} part. Give the folder of one data set."
            )
    if "train" not in named:
        raise UserError(f"{inner} has {next(iter(named.values()))[0].name}/ but no train/")
    if rest:
        notes.append(f"Not used, because no part is named so: {', '.join(rest[:5])}.")
    found = {part: _inside_part(places[0], part, scan) for part, places in named.items()}
    return FolderParts(found.pop("train"), found, tuple(notes))


def _are_parts(named: dict[FolderPart, list[Path]], rest: list[str], scan: Scan) -> bool:
    """Whether folders named like test parts are parts although there is no training part."""
    return not rest and any(scan.folders(place) for places in named.values() for place in places)


def _entered(root: Path, scan: Scan) -> Path:
    """The folder inside folders that hold nothing but one folder."""
    place = root
    for _ in range(_LEVELS):
        inside = scan.folders(place)
        if len(inside) != 1 or has_images(place) or part_of(inside[0]) is not None:
            return place
        if not scan.folders(place / inside[0]):
            return place
        place = place / inside[0]
    return place


def _inside_part(place: Path, part: FolderPart, scan: Scan) -> Path:
    """The folder of a part, or the one of the same part inside it (seg_train/seg_train)."""
    inside = scan.folders(place)
    if len(inside) == 1 and part_of(inside[0]) == part and scan.folders(place / inside[0]):
        return place / inside[0]
    return place


def _check_classes(root: Path, scan: Scan) -> None:
    """Refuse "classes" that all hold the same folders and no images: they are parts."""
    inside = [
        (name, scan.folders(root / name), has_images(root / name)) for name in scan.folders(root)
    ]
    if len(inside) < 2:
        return
    folders = inside[0][1]
    if len(folders) > 1 and all(one[1] == folders and not one[2] for one in inside):
        names = _listed(name for name, _, _ in inside)
        raise UserError(
            f"{root}: the folders {names} all hold the folders {_listed(folders)}. If they are "
            "parts of the data, rename them to train and test (or val); if they are the classes, "
            "put their images into them directly."
        )


def _listed(names: Iterator[str] | tuple[str, ...]) -> str:
    found = tuple(names)
    return ", ".join(found[:5]) + (" …" if len(found) > 5 else "")
