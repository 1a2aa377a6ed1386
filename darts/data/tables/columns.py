"""What the columns of a table mean: the image, its labels, its part of the data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from darts.data.folder_parts import FolderPart, part_of
from darts.data.tables.image_files import ImageLocator
from darts.data.tables.text_table import TextTable
from darts.errors import UserError

_PATHS = (
    *("path", "filepath", "imagepath", "imgpath", "file", "filename", "imagefile", "imagefilename"),
    *("imagename", "imgname", "image", "images", "img", "imageid", "imgid", "fileid", "photo"),
    *("picture", "imageindex", "imageurl", "uuid", "name", "id", "key"),
)
_LABELS = (
    *("label", "labels", "class", "classes", "classname", "classlabel", "labelname", "target"),
    *("targets", "category", "categories", "categoryname", "species", "breed", "variety", "tag"),
    *("tags", "disease", "diagnosis", "dx", "emotion", "attributeids", "findinglabels"),
    *("classid", "labelid", "categoryid", "cultivar", "family", "genus", "y"),
)
_PART_NAMES = ("split", "part", "set", "subset", "partition", "phase", "dataset", "usage")
_TRIED = 20  # Rows of which the files are looked up to choose a column.
_NUMBERS = {"0", "1", "0.0", "1.0", "-1", "-1.0", "true", "false"}


@dataclass(frozen=True)
class ColumnChoice:
    """The columns that the user names; an empty name is recognised.

    Attributes:
        path: The column of the images.
        labels: The columns of the labels.
        part: The column that says train, val or test.
    """

    path: str = ""
    labels: tuple[str, ...] = ()
    part: str = ""


@dataclass(frozen=True)
class TableColumns:
    """The columns of a table, by number.

    Attributes:
        path: The images.
        labels: One column of labels, or one of 0 and 1 for each class.
        part: The part of the data; None without such a column.
        notes: What the user should know about the choice.
    """

    path: int
    labels: tuple[int, ...]
    part: int | None
    notes: tuple[str, ...] = ()


def find_columns(table: TextTable, locator: ImageLocator, choice: ColumnChoice) -> TableColumns:
    """Recognise the columns by their usual names, and by their content.

    - Images: of the columns with a usual name (path, file, image_id, id …), the first whose values
      name files; otherwise any column whose values do.
    - Part: a column called split, part, set … whose values are names of parts.
    - Labels: the column with a usual name (label, class, species …), or else all columns that
      hold only 0 and 1, or else the only column left.

    Raises:
        UserError: A column that the user names does not exist, no column names files, or the
            columns of the labels are ambiguous.
    """
    path = _path_column(table, locator, choice.path)
    part = _part_column(table, choice.part, {path})
    taken = {path} | ({part} if part is not None else set())
    labels = _label_columns(table, choice.labels, taken)
    names = [table.columns[number] for number in labels]
    said = f"column {names[0]!r}" if len(names) == 1 else f"{len(names)} columns"
    notes = [f"{table.path.name}: images in column {table.columns[path]!r}, labels in {said}."]
    return TableColumns(path, labels, part, tuple(notes))


def _path_column(table: TextTable, locator: ImageLocator, named: str) -> int:
    if named:
        number = _named(table, named, "--path-column")
        _check_found(table, locator, [number])
        return number
    usual = _usual(table.columns, _PATHS)
    for number in (*usual, *(n for n in range(len(table.columns)) if n not in usual)):
        values = table.column(number)[:_TRIED]
        if any(locator.find(value) is not None for value in values):
            return number
    _check_found(table, locator, usual or list(range(len(table.columns))))
    raise AssertionError


def _check_found(table: TextTable, locator: ImageLocator, numbers: Sequence[int]) -> None:
    for number in numbers:
        if any(locator.find(value) is not None for value in table.column(number)):
            return
    names = ", ".join(repr(table.columns[number]) for number in numbers[:5])
    raise UserError(
        f"{table.path}: no value of column {names} is an image file, such as "
        f"{table.rows[0][numbers[0]]!r}. Looked in {locator.tried}. Put the table beside the "
        "folder of the images, or name the column by --path-column."
    )


def _part_column(table: TextTable, named: str, taken: set[int]) -> int | None:
    if named:
        number = _named(table, named, "--part-column")
        for row, value in enumerate(table.column(number)):
            if part_of(value) is None:
                raise UserError(
                    f"{table.place(row)}: {value!r} in column {named!r} is no part of the data. "
                    "Write train, val or test."
                )
        return number
    for number in _usual(table.columns, _PART_NAMES):
        if number not in taken and all(map(part_of, table.column(number))):
            return number
    return None


def part_values(table: TextTable, columns: TableColumns) -> list[FolderPart] | None:
    """The part of each row; None without such a column."""
    if columns.part is None:
        return None
    return [part_of(value) or "train" for value in table.column(columns.part)]


def _label_columns(table: TextTable, named: Sequence[str], taken: set[int]) -> tuple[int, ...]:
    if named:
        return tuple(_named(table, name, "--label-columns") for name in named)
    free = [number for number in range(len(table.columns)) if number not in taken]
    usual = [number for number in _usual(table.columns, _LABELS) if number in free]
    marks = [number for number in free if set(map(str.lower, table.column(number))) <= _NUMBERS]
    if len(usual) > 1:
        usual = _same_classes(table, usual)
    if len(usual) == 1 and (len(marks) < 2 or usual[0] not in marks):
        return tuple(usual)
    if len(usual) < 2 and len(marks) >= 2:
        return tuple(marks)
    if not usual and len(free) == 1:
        return tuple(free)
    names = ", ".join(repr(table.columns[number]) for number in usual or free)
    raise UserError(
        f"{table.path}: which column has the labels: {names or 'none is left'}? Name it by "
        "--label-columns, or several by --label-columns A,B,C."
    )


def _same_classes(table: TextTable, numbers: list[int]) -> list[int]:
    """One of several columns, if each value of one belongs to one value of the others.

    Such are class_id and class_name; the names are chosen.
    """
    first = table.column(numbers[0])
    for number in numbers[1:]:
        pairs = set(zip(first, table.column(number), strict=True))
        if not len(pairs) == len(set(first)) == len(set(table.column(number))):
            return numbers
    text = [n for n in numbers if not all(map(_is_number, table.column(n)))]
    return (text or numbers)[:1]


def _is_number(value: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d*)?", value) is not None


def _usual(columns: Sequence[str], names: Sequence[str]) -> list[int]:
    """The columns with one of the names, in the order of the names."""
    plain = [re.sub(r"[^a-z]", "", column.lower()) for column in columns]
    found = [number for number, name in enumerate(plain) if name in names]
    return sorted(found, key=lambda number: names.index(plain[number]))


def _named(table: TextTable, name: str, flag: str) -> int:
    if name not in table.columns:
        raise UserError(
            f"{flag}: {table.path} has no column {name!r}, but {', '.join(table.columns)}."
        )
    return table.columns.index(name)
