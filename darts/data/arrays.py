"""Data sets stored in one NumPy archive, such as x_train, y_train, x_test and y_test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from darts.data.array_forms import Reading, found_keys, read_classes, read_labels
from darts.data.dataset import ImageTensor
from darts.data.folder_parts import FolderPart
from darts.data.source import Source
from darts.data.splits import class_counts
from darts.errors import UserError, in_one_line
from darts.targets.multi import MULTI
from darts.targets.single import SINGLE

_MOST_CLASSES = 100_000


def open_array(
    path: Path,
    part: FolderPart | None = None,
    task: str = "auto",
    background: str = "white",
) -> Source:
    """Open an .npz archive.

    Images are best uint8 of shape `[N, H, W, 3]`, `[N, H, W, 1]` or `[N, H, W]`; labels are best
    integers `[N]` that start at 0. Other common forms are understood (`darts.data.array_forms`),
    and so are Keras' and MedMNIST's names of the arrays. The array `classes`, if present, holds the
    names of the classes; otherwise their numbers are the names. Without test images, those named
    val are the test images.

    >>> import tempfile
    >>> path, images = Path(tempfile.mkdtemp(), "own.npz"), np.zeros((4, 8, 8), np.uint8)
    >>> labels = np.array([0, 1, 0, 1])
    >>> np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
    >>> open_array(path).classes
    ('0', '1')

    Args:
        path: The archive.
        part: Which images are the test images, if there are val and test.
        task: Whether images have one label or several, if it is not decided by the labels.
        background: Colour behind transparent images; see `darts.data.pixels.colour`.

    Raises:
        UserError: The file is missing or damaged, a key is missing, or an array has the wrong type,
            shape, length or range. The message names the file and the key.
    """
    arrays, tested = _load(path, part)
    reading = Reading(str(path), background)
    images = {key: reading.images(arrays[key], key) for key in ("x_train", "x_test")}
    if images["x_train"].shape[1:] != images["x_test"].shape[1:]:
        raise UserError(
            f"{path}: x_train and x_test hold images of different shapes, "
            f"{_shape(images['x_train'])} and {_shape(images['x_test'])}"
        )
    named = read_classes(arrays["classes"], str(path)) if "classes" in arrays else None
    own = {key: arrays[key] for key in ("y_train", "y_test")}
    known = read_labels(own, reading, named is not None, task)
    labels = {key[2:]: torch.from_numpy(array) for key, array in known.parts.items()}
    _check_lengths(path, labels, images)
    if known.several:
        names = _names_of_columns(path, labels["train"], named)
    else:
        names = _names(path, known.classes, named, int(labels["train"].max()))
        _check_range(path, labels, names)
    _check_present(path, labels["train"], names)
    height, width = images["x_train"].shape[2:]
    return Source(
        classes=names,
        train=ImageTensor(torch.from_numpy(images["x_train"]), labels["train"]),
        test=ImageTensor(torch.from_numpy(images["x_test"]), labels["test"]),
        flip=True,
        size=height if height == width else None,
        tested=tested,
        notes=tuple(reading.notes),
        target=MULTI if known.several else SINGLE,
    )


def _names_of_columns(path: Path, labels: Tensor, named: tuple[str, ...] | None) -> tuple[str, ...]:
    """The names of the columns of several labels."""
    number = labels.shape[1]
    if named is not None and len(named) != number:
        raise UserError(f"{path}: y_train has {number} columns, but classes {len(named)} names")
    return named or tuple(map(str, range(number)))


def _names(
    path: Path, told: tuple[str, ...] | None, named: tuple[str, ...] | None, highest: int
) -> tuple[str, ...]:
    """The names of the classes: those that the labels tell, those of the file, or numbers."""
    if told is not None and named is not None:
        if set(told) - set(named):
            raise UserError(f"{path}: the labels name {told[0]}, which classes does not")
        return told
    if highest >= _MOST_CLASSES:
        raise UserError(
            f"{path}: y_train has the label {highest}; labels are the numbers of the classes, "
            "from 0"
        )
    return told or named or tuple(str(number) for number in range(highest + 1))


def _check_lengths(path: Path, labels: dict[str, Tensor], images: dict[str, np.ndarray]) -> None:
    for part, values in labels.items():
        count = len(images[f"x_{part}"])
        if len(values) != count:
            raise UserError(
                f"{path}: y_{part} has {len(values)} labels for {count} images in x_{part}"
            )


def _load(path: Path, part: FolderPart | None) -> tuple[dict[str, np.ndarray], str]:
    """The arrays under our names, and what the test images are."""
    if not path.is_file():
        raise UserError(f"array:{path}: there is no such file")
    try:
        with np.load(path, allow_pickle=False) as archive:
            keys = found_keys(list(archive), str(path))
            tested = part or ("test" if "x_test" in keys else "val")
            if tested == "val" and "x_val" in keys:
                keys = {**keys, "x_test": keys["x_val"], "y_test": keys.get("y_val", "")}
            elif part == "val":
                raise UserError(f"--test-part val: {path} has no x_val")
            missing = [key for key in _NEEDED if not keys.get(key)]
            if missing:
                raise UserError(
                    f"{path} lacks {', '.join(missing)}; it needs {', '.join(_NEEDED)} and has "
                    f"{', '.join(archive) or 'nothing'}"
                )
            wanted = [key for key in (*_NEEDED, "classes") if key in keys]
            said = f"those in {keys['x_test']}"
            return {key: _array(archive, keys[key]) for key in wanted}, said
    except UserError:
        raise
    except Exception as error:  # numpy raises what its parts do: zipfile, zlib, tokenize …
        reason = in_one_line(error)
        raise UserError(f"{path} cannot be read as an .npz of plain arrays: {reason}") from error


def _array(archive: Any, key: str) -> np.ndarray:
    found = archive[key]
    if not isinstance(found, np.ndarray):  # numpy returns the bytes of what is no array.
        raise ValueError(f"{key} is no array")
    return found


_NEEDED = ("x_train", "y_train", "x_test", "y_test")


def _check_range(path: Path, labels: dict[str, Tensor], names: tuple[str, ...]) -> None:
    if len(names) < 2:
        raise UserError(f"{path}: there is only one class; at least two are needed")
    for part, values in labels.items():
        wrong = values[(values < 0) | (values >= len(names))]
        if len(wrong):
            raise UserError(
                f"{path}: y_{part} has the label {int(wrong[0])}; the {len(names)} classes of the "
                f"training images are numbered 0 to {len(names) - 1}"
            )


def _check_present(path: Path, labels: Tensor, names: tuple[str, ...]) -> None:
    empty = (class_counts(labels, len(names)) == 0).nonzero().flatten().tolist()
    if empty:
        raise UserError(f"{path}: class {names[empty[0]]} (label {empty[0]}) has no training image")


def _shape(images: np.ndarray) -> str:
    return "x".join(map(str, (*images.shape[2:], images.shape[1])))
