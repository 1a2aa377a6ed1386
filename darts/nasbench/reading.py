"""Read a table of known accuracies from a file in any of its forms, recognised by content."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from darts.errors import UserError
from darts.files import user_path
from darts.nasbench.measured import (
    BEST_CIFAR10,
    CIFAR10,
    DATASETS,
    UNKNOWN,
    MeasuredCells,
    accuracies_by_cell,
)
from darts.nasbench.official import (
    collect,
    is_official,
    is_single,
    read_official,
    read_simple_folder,
)
from darts.nasbench.table import AccuracyTable
from darts.nasbench.text_files import Wanted, dataset_in, read_delimited, read_json_cells
from darts.nasbench.torch_files import begins_legacy, read_torch_legacy, read_torch_zip

_GZIP, _BZIP2, _ZIP, _PICKLE = b"\x1f\x8b", b"BZh", b"PK\x03\x04", b"\x80"
_LARGEST = 256 * 2**20  # bytes of a text; the whole benchmark has 3 MB of CSV
_NEAR = 0.02
_BY_BENCHMARK = (
    "the benchmark trains on 25,000 images and evaluates on the other 25,000",
    "the benchmark trains on all 50,000 images and evaluates on the 10,000 test images",
)


def read_table(path: Path | str, wanted: Wanted | None = None) -> AccuracyTable:
    """The table in a file, or in a folder of NATS-Bench.

    CSV and TSV (also compressed), GENIUS' JSON, the benchmark's `.pth` of both torch formats, its
    plain or compressed pickles, and folders with a pickle for each cell are recognised by content.
    No file can run code; see `darts.nasbench.unpickler`.

    Args:
        path: The file or folder.
        wanted: Which accuracies to read; by default those of CIFAR-10.

    Raises:
        UserError: The file is missing, damaged, hostile or of another form.
    """
    path, wanted = user_path(path), wanted or Wanted()
    if wanted.dataset and wanted.dataset not in DATASETS:
        raise UserError(f"--dataset {wanted.dataset}: the benchmark has {', '.join(DATASETS)}.")
    try:
        measured = _read(path, wanted)
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such table of accuracies.") from None
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error}.") from None
    return _table(path, measured, wanted)


def _read(path: Path, wanted: Wanted) -> MeasuredCells:
    if path.is_dir():
        return read_simple_folder(path, wanted.dataset)
    with path.open("rb") as stream:
        return _recognise(stream, path, wanted)


def _recognise(stream: IO[bytes], path: Path, wanted: Wanted, packed: bool = True) -> MeasuredCells:
    """The rows in a stream, by the first bytes; `packed`: whether it may be compressed."""
    where, head = str(path), stream.read(8)
    stream.seek(0)
    if head.startswith((_GZIP, _BZIP2)):
        if not packed:
            raise UserError(f"{where}: it is compressed more than once; unpack it first.")
        with gzip.open(stream) if head.startswith(_GZIP) else bz2.open(stream) as plain:
            return _recognise(plain, path, wanted, packed=False)  # type: ignore[arg-type]
    if head.startswith(_ZIP):
        return _official(read_torch_zip(path, where), "torch file (zip)", where, wanted)
    if head.startswith(_PICKLE):
        value, legacy = begins_legacy(stream, where)
        if legacy:
            value = read_torch_legacy(stream, where, path.stat().st_size)
        return _official(value, "torch file (old form)" if legacy else "pickle", where, wanted)
    data = stream.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise UserError(f"{where}: a table of accuracies has at most {_LARGEST >> 20} MB of text.")
    return _read_text(data, where, wanted)


def _official(value: Any, form: str, where: str, wanted: Wanted) -> MeasuredCells:
    if is_official(value):
        return read_official(value, form, where, wanted.dataset)
    if is_single(value):
        return collect([value], f"{form} of one cell", where, wanted.dataset)
    raise UserError(f"{where}: this {form} is no table of NAS-Bench-201: it has no 'arch2infos'.")


def _read_text(data: bytes, where: str, wanted: Wanted) -> MeasuredCells:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(
            f"{where}: not a table of accuracies. Known forms are CSV, TSV, JSON of GENIUS, and "
            "the .pth and .pickle.pbz2 files and folders of NAS-Bench-201 and NATS-Bench."
        ) from None
    if text.lstrip().startswith("{"):
        return read_json_cells(text, where, wanted)
    return read_delimited(text, where, wanted)


def _table(path: Path, measured: MeasuredCells, wanted: Wanted) -> AccuracyTable:
    valid, test, notes = accuracies_by_cell(measured, str(path))
    dataset, said = _dataset(path, measured, wanted, valid, test)
    ways = (measured.valid_protocol, measured.test_protocol)
    if dataset == CIFAR10 and not any("200 epochs" in way for way in ways):
        valid_way, test_way = (
            way and f"{way}; {more}" for way, more in zip(ways, _BY_BENCHMARK, strict=True)
        )
    else:
        valid_way, test_way = ways
    if np.isnan(test).all():
        notes.append("The file has no test accuracies: there are no ranks and no regrets.")
    elif np.isnan(valid).all():
        notes.append("The file has no validation accuracies.")
    everything = (*measured.notes, *notes, *said)
    return AccuracyTable(path, dataset, measured.form, valid, test, valid_way, test_way, everything)


def _dataset(
    path: Path, measured: MeasuredCells, wanted: Wanted, valid: np.ndarray, test: np.ndarray
) -> tuple[str, list[str]]:
    """The data set, as the content, the user, its best cells or the file's name tell, and notes."""
    ours, mentioned = _is_cifar10(valid, test), dataset_in(path.name)
    named, notes = measured.dataset or wanted.dataset, []
    if not named and ours:
        return CIFAR10, ["The data set was recognised by its best accuracies."]
    if not named and not mentioned:
        return UNKNOWN, ["The file does not name its data set; name it with --dataset."]
    if not named:
        notes.append(f"The data set, {mentioned}, is taken from the name of the file.")
    elif not measured.dataset and mentioned not in ("", named):
        notes.append(f"The name of the file speaks of {mentioned}, not of {named}.")
    named = named or mentioned
    return named, [*notes, *_doubt(named, ours)]


def _is_cifar10(valid: np.ndarray, test: np.ndarray) -> bool | None:
    """Whether the best accuracies are those of CIFAR-10; None if cells are missing."""
    known = [values for values in (valid, test) if not np.isnan(values).all()]
    if any(np.isnan(values).any() for values in known) or not known:
        return None
    return all(
        abs(float(values.max()) - best) < _NEAR
        for values, best in zip((valid, test), BEST_CIFAR10, strict=True)
        if not np.isnan(values).all()
    )


def _doubt(named: str, ours: bool | None) -> list[str]:
    if ours is None or ours == (named == CIFAR10):
        return []
    valid, test = BEST_CIFAR10
    if ours:
        return [f"The best accuracies are those of CIFAR-10, not of {named}."]
    return [
        f"The best accuracies are not those of CIFAR-10 ({valid:.2f} and {test:.2f} %): other "
        "seeds, or another data set."
    ]
