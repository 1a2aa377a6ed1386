"""The labels of a table: one class for each image, or several."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from darts.data.tables.columns import TableColumns
from darts.data.tables.text_table import TextTable
from darts.errors import UserError

TaskWish = Literal["auto", "single-label", "multi-label"]

_SEPARATORS = ("|", ";", ",", " ")
_YES = {"1": 1, "1.0": 1, "true": 1, "0": 0, "0.0": 0, "false": 0, "-1": 0, "-1.0": 0}
_MEASURED = 30  # From this number of different fractions on, a column holds measurements.


@dataclass(frozen=True)
class RowLabels:
    """The labels of all rows.

    Attributes:
        classes: The name of each class, in order.
        rows: The names of the classes of each row; exactly one unless `several`.
        several: Whether images may have several labels.
        notes: What the user should know about how labels were read.
    """

    classes: tuple[str, ...]
    rows: tuple[frozenset[str], ...]
    several: bool
    notes: tuple[str, ...] = ()


def read_labels_of(table: TextTable, columns: TableColumns, wish: TaskWish = "auto") -> RowLabels:
    """The labels of a table.

    Several columns of 0 and 1 (or -1 and 1): exactly one 1 in each row means one class for each
    image, anything else several labels. One column: values with `|` or `;`, or with commas or
    blanks where this gives fewer names than values and rows with different numbers of names,
    hold several labels.

    Args:
        wish: Whether images have one label or several, if it is not decided by the content.

    Raises:
        UserError: A row has no label or an unclear one; the message has its line.
    """
    if len(columns.labels) > 1:
        return _from_marks(table, columns.labels, wish)
    values = table.column(columns.labels[0])
    separator = None if wish == "single-label" else _separator(values, wish == "multi-label")
    if wish != "multi-label" and separator is None:
        return _from_values(table, values)
    return _from_lists(values, separator)


def _from_marks(table: TextTable, numbers: Sequence[int], wish: TaskWish) -> RowLabels:
    names = [table.columns[number] for number in numbers]
    rows = []
    for row, values in enumerate(table.rows):
        marks = [_YES.get(values[number].lower()) for number in numbers]
        if None in marks:
            place = numbers[marks.index(None)]
            raise UserError(
                f"{table.place(row)}: {values[place]!r} in column {table.columns[place]!r} is "
                "neither 0 nor 1. Several columns of labels must hold 0 and 1."
            )
        rows.append(frozenset(name for name, mark in zip(names, marks, strict=True) if mark))
    wrong = next((row for row, found in enumerate(rows) if len(found) != 1), None)
    if wish == "single-label" and wrong is not None:
        raise UserError(
            f"{table.place(wrong)}: {len(rows[wrong])} labels, but --task single-label."
        )
    several = wish == "multi-label" or wrong is not None
    what = "several labels for an image" if several else "one-hot: one class for each image"
    return RowLabels(
        tuple(names), tuple(rows), several, (f"{len(names)} columns of 0 and 1 are {what}.",)
    )


def _from_values(table: TextTable, values: Sequence[str]) -> RowLabels:
    for row, value in enumerate(values):
        if not value:
            raise UserError(f"{table.place(row)}: no label.")
    names = set(values)
    if len(names) > _MEASURED and any(re.fullmatch(r"-?\d*\.\d*[1-9]", name) for name in names):
        raise UserError(
            f"{table.path}: the labels are {len(names):,} different numbers such as {values[0]}. "
            "These are measurements; this toolkit learns classes."
        )
    if len(names) == len(values) > 2:
        raise UserError(
            f"{table.path}: each of the {len(values):,} rows has a label of its own, such as "
            f"{values[0]!r}. Name the column of the classes by --label-columns."
        )
    return RowLabels(class_order(names), tuple(frozenset((value,)) for value in values), False)


def _from_lists(values: Sequence[str], separator: str | None) -> RowLabels:
    rows = tuple(_names_in(value, separator) for value in values)
    names = class_order({name for row in rows for name in row})
    words = {None: "", " ": ", separated by blanks"}.get(separator, f", separated by {separator!r}")
    bare = sum(not row for row in rows)
    notes = [f"An image may have several labels{words}."]
    if bare:
        notes.append(f"{bare:,} rows have no label.")
    return RowLabels(names, rows, True, tuple(notes))


def _names_in(value: str, separator: str | None) -> frozenset[str]:
    inner = value[1:-1] if value[:1] + value[-1:] in ("[]", "()", "{}") else value
    pieces = [inner] if separator is None else inner.split(separator)
    return frozenset(name for piece in pieces if (name := piece.strip().strip("'\"").strip()))


def _separator(values: Sequence[str], insist: bool) -> str | None:
    """What separates the labels in a value; None if values are single labels."""
    for one in _SEPARATORS:
        if not any(one in value for value in values):
            continue
        rows = [_names_in(value, one) for value in values]
        names = {name for row in rows for name in row}
        clear = one in "|;"
        varied = len({len(row) for row in rows if row}) > 1 and len(names) < len(set(values))
        if insist or clear or varied:
            return one
    return None


def class_order(names: set[str]) -> tuple[str, ...]:
    """Names in order: by number if all are whole numbers, otherwise by name.

    >>> class_order({"10", "9"}), class_order({"b", "A"})
    (('9', '10'), ('A', 'b'))
    """
    if all(re.fullmatch(r"-?\d{1,18}", name) for name in names):
        return tuple(sorted(names, key=int))
    return tuple(sorted(names))
