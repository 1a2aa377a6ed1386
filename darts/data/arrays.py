"""Data sets stored in one NumPy archive with the arrays x_train, y_train, x_test and y_test."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from darts.data.dataset import ImageTensor
from darts.data.source import Source
from darts.errors import UserError

KEYS = ("x_train", "y_train", "x_test", "y_test")


def open_array(path: Path) -> Source:
    """Open an .npz archive.

    Images are uint8 of shape `[N, H, W, 3]`, `[N, H, W, 1]` or `[N, H, W]`; labels are integers
    `[N]` that start at 0. The array `classes`, if present, holds the names of the classes;
    otherwise their numbers are the names.

    >>> import tempfile
    >>> path, images = Path(tempfile.mkdtemp(), "own.npz"), np.zeros((4, 8, 8), np.uint8)
    >>> labels = np.array([0, 1, 0, 1])
    >>> np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
    >>> open_array(path).classes
    ('0', '1')

    Raises:
        UserError: The file is missing or damaged, a key is missing, or an array has the wrong type,
            shape, length or range. The message names the file and the key.
    """
    arrays = _load(path)
    images = {part: _images(arrays, path, f"x_{part}") for part in ("train", "test")}
    if images["train"].shape[1:] != images["test"].shape[1:]:
        raise UserError(
            f"{path}: x_train and x_test hold images of different shapes, "
            f"{_shape(images['train'])} and {_shape(images['test'])}"
        )
    labels = {
        part: _labels(arrays, path, f"y_{part}", len(images[part])) for part in ("train", "test")
    }
    if "classes" in arrays:
        names = tuple(str(name) for name in arrays["classes"])
    else:
        names = tuple(str(number) for number in range(int(labels["train"].max()) + 1))
    _check_range(path, labels, names)
    height, width = images["train"].shape[2:]
    return Source(
        classes=names,
        train=ImageTensor(images["train"], labels["train"]),
        test=ImageTensor(images["test"], labels["test"]),
        flip=True,
        size=height if height == width else None,
    )


def _load(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise UserError(f"array:{path}: there is no such file")
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [key for key in KEYS if key not in archive]
            if missing:
                raise UserError(
                    f"{path} lacks {', '.join(missing)}; it needs {', '.join(KEYS)} and has "
                    f"{', '.join(archive) or 'nothing'}"
                )
            return {key: archive[key] for key in (*KEYS, "classes") if key in archive}
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} cannot be read as an .npz of plain arrays: {error}") from error


def _images(arrays: dict[str, np.ndarray], path: Path, key: str) -> Tensor:
    array = arrays[key]
    if array.dtype != np.uint8:
        raise UserError(f"{path}: {key} is of type {array.dtype}; images must be uint8, 0 to 255")
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[3] not in (1, 3) or 0 in array.shape:
        raise UserError(
            f"{path}: {key} has the shape {arrays[key].shape}; it must be [N, H, W, 3], "
            "[N, H, W, 1] or [N, H, W], and not empty"
        )
    return torch.from_numpy(np.ascontiguousarray(array.transpose(0, 3, 1, 2)))


def _labels(arrays: dict[str, np.ndarray], path: Path, key: str, images: int) -> Tensor:
    array = arrays[key]
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise UserError(
            f"{path}: {key} is {array.dtype} of shape {array.shape}; it must be integers [N]"
        )
    if len(array) != images:
        raise UserError(f"{path}: {key} has {len(array)} labels for {images} images in x{key[1:]}")
    return torch.from_numpy(array.astype(np.int64))


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
    empty = (labels["train"].bincount(minlength=len(names)) == 0).nonzero().flatten().tolist()
    if empty:
        raise UserError(f"{path}: class {names[empty[0]]} (label {empty[0]}) has no training image")


def _shape(images: Tensor) -> str:
    return "x".join(map(str, (*images.shape[2:], images.shape[1])))
