"""The images of a table: each file once, with its labels and its part of the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from darts.data.folder_parts import FolderPart
from darts.data.tables.image_files import ImageLocator
from darts.data.tables.labels import RowLabels
from darts.data.tables.text_table import TextTable
from darts.errors import UserError


@dataclass(frozen=True)
class ListedImage:
    """An image of a table.

    Attributes:
        path: Its file.
        labels: The names of its classes.
        part: Its part of the data; None if the table does not say.
        row: Its first row.
    """

    path: str
    labels: frozenset[str]
    part: FolderPart | None
    row: int


@dataclass(frozen=True)
class ListedImages:
    """All images of a table.

    Attributes:
        images: Them, in the order of their first rows.
        notes: What the user should know about missing and repeated rows.
    """

    images: tuple[ListedImage, ...]
    notes: tuple[str, ...]


def listed_images(
    table: TextTable,
    path_column: int,
    locator: ImageLocator,
    labels: RowLabels,
    parts: Sequence[FolderPart] | None,
    skip_missing: bool,
) -> ListedImages:
    """Find the file of each row and join the rows of the same file.

    Rows that repeat an image with the same label count once. With several labels, the rows of an
    image add up.

    Args:
        table: The table.
        path_column: The column of the images.
        locator: Finds the files.
        labels: The labels of each row.
        parts: The part of each row, if the table says it.
        skip_missing: Whether rows without a file are left out instead of refused.

    Raises:
        UserError: Files are missing, or two rows give an image different labels or parts. The
            message has the file and the lines.
    """
    found: dict[str, ListedImage] = {}
    missing: list[int] = []
    repeated: list[int] = []
    for row, value in enumerate(table.column(path_column)):
        path = locator.find(value)
        if path is None:
            missing.append(row)
            continue
        image = ListedImage(path, labels.rows[row], parts[row] if parts else None, row)
        if path in found:
            repeated.append(row)
            image = _joined(table, found[path], image, labels.several)
        found[path] = image
    notes = list(_missing_notes(table, path_column, locator, missing, skip_missing))
    if repeated:
        first = table.rows[repeated[0]][path_column]
        notes.append(
            f"{len(repeated):,} rows repeat an image, such as {first} in "
            f"{table.place(repeated[0])}; each image counts once."
        )
    return ListedImages(tuple(found.values()), tuple(notes))


def _joined(table: TextTable, first: ListedImage, again: ListedImage, several: bool) -> ListedImage:
    """One image of two rows."""
    lines = f"{table.path}, lines {table.lines[first.row]} and {table.lines[again.row]}"
    if first.part != again.part:
        raise UserError(f"{lines}: {first.path} is in {first.part} and in {again.part}.")
    if several:
        return ListedImage(first.path, first.labels | again.labels, first.part, first.row)
    if first.labels != again.labels:
        names = " and ".join(repr(name) for one in (first, again) for name in one.labels)
        raise UserError(
            f"{lines}: {first.path} has the labels {names}. Correct one of them; if an image may "
            "have several labels, give --task multi-label."
        )
    return first


def _missing_notes(
    table: TextTable, column: int, locator: ImageLocator, missing: list[int], skip: bool
) -> list[str]:
    if not missing:
        return []
    first = f"{table.rows[missing[0]][column]!r} in {table.place(missing[0])}"
    text = f"of {len(missing):,} of the {len(table.rows):,} rows there is no file, such as {first}"
    if not skip:
        raise UserError(
            f"{table.path}: {text}. Looked in {locator.tried}. Add the files, or leave out such "
            "rows by --skip-corrupt."
        )
    return [f"Left out: {text}."]
