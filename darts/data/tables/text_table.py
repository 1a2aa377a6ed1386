"""A table as text: its encoding, its delimiter, its header and its rows."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from darts.errors import UserError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DELIMITERS = (",", ";", "\t", "|")
_MOST_BYTES = 2**30


@dataclass(frozen=True)
class TextTable:
    """A table of text.

    Attributes:
        path: Its file.
        columns: The name of each column, without surrounding blanks.
        rows: The values of each row, one for each column, without surrounding blanks.
        lines: The line of the file on which each row begins, from 1.
        encoding: The encoding of the file.
        notes: What the user should know about how it was read.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    encoding: str
    notes: tuple[str, ...] = ()

    def column(self, index: int) -> list[str]:
        """The values of a column."""
        return [row[index] for row in self.rows]

    def place(self, row: int) -> str:
        """Where a row is, for messages."""
        return f"{self.path}, line {self.lines[row]}"


def read_text_table(path: Path) -> TextTable:
    r"""Read a table with a header.

    The encoding is UTF-8, with or without a byte-order mark, UTF-16 with one, or otherwise Western
    European (cp1252). The delimiter is the one of comma, semicolon, tab and bar that the header has
    most often. Fields may be quoted. Empty lines are skipped.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "labels.csv")
    >>> _ = path.write_text('\ufeffimage;label\n"a;b.png";cat\n', encoding="utf-8")
    >>> table = read_text_table(path)
    >>> table.columns, table.rows, table.lines
    (('image', 'label'), (('a;b.png', 'cat'),), (2,))

    Raises:
        UserError: The file is missing, no text, or a row has another number of values than the
            header. The message has the line.
    """
    text, encoding = _decoded(path)
    delimiter = _delimiter(text)
    lines, rows = _parsed(path, text, delimiter)
    if len(rows) < 2:
        raise UserError(f"{path}: a table needs a header and at least one row of values.")
    columns = tuple(name.strip() for name in rows[0])
    if twice := sorted({name for name in columns if name and columns.count(name) > 1}):
        raise UserError(f"{path}: two columns are called {twice[0]!r}.")
    notes = []
    if encoding == "cp1252":
        notes.append(f"{path.name} is not UTF-8; it was read as Western European (cp1252).")
    return TextTable(path, columns, tuple(rows[1:]), tuple(lines[1:]), encoding, tuple(notes))


def _decoded(path: Path) -> tuple[str, str]:
    if not path.is_file():
        raise UserError(f"csv:{path}: there is no such file.")
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UserError(f"{path}: a table of more than 1 GiB is not read.")
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    known = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    for encoding in (known,) if known else ("utf-8", "cp1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text, encoding
    raise UserError(f"{path} is no table of text: its bytes are neither UTF-8 nor UTF-16.")


def _delimiter(text: str) -> str:
    header = next((line for line in text.splitlines() if line.strip()), "")
    return max(_DELIMITERS, key=lambda one: _outside_quotes(header, one))


def _outside_quotes(line: str, delimiter: str) -> int:
    return sum(part.count(delimiter) for part in line.split('"')[::2])


def _parsed(path: Path, text: str, delimiter: str) -> tuple[list[int], list[tuple[str, ...]]]:
    """The lines on which the rows begin, and the rows; the header is the first."""
    lines: list[int] = []
    rows: list[tuple[str, ...]] = []
    for line, row in _numbered(path, text, delimiter):
        if not any(value.strip() for value in row):
            continue
        values = tuple(value.strip() for value in row)
        if rows and len(values) != len(rows[0]):
            values = _fitted(path, line, values, len(rows[0]))
        lines.append(line)
        rows.append(values)
    return lines, rows


def _fitted(path: Path, line: int, values: tuple[str, ...], count: int) -> tuple[str, ...]:
    """A row without empty values beyond the last column.

    Raises:
        UserError: It has another number of values than the header.
    """
    if len(values) > count and not any(values[count:]):
        return values[:count]
    raise UserError(
        f"{path}, line {line}: {len(values)} values in a table of {count} columns. Quote a value "
        "that contains the delimiter."
    )


def _numbered(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, Sequence[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    begin = 1
    try:
        for row in reader:
            yield begin, row
            begin = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path}, line {begin}: {error}.") from None
