"""Images and labels of an array file in the forms that people store them in.

Images become uint8 `[N, C, H, W]` with 1 or 3 channels; labels become numbers of classes from 0.
What was done is said, and what is ambiguous is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from darts.data.pixels import colour
from darts.errors import UserError

Array = np.ndarray

# Names of arrays, by part and content, without case: Keras, MedMNIST, scikit-learn's habits.
_KEYS: Mapping[str, tuple[str, ...]] = {
    "x_train": ("x_train", "train_x", "xtrain", "train_images", "images_train", "train_data"),
    "y_train": ("y_train", "train_y", "ytrain", "train_labels", "labels_train", "train_targets"),
    "x_val": ("x_val", "val_x", "x_valid", "val_images", "images_val"),
    "y_val": ("y_val", "val_y", "y_valid", "val_labels", "labels_val"),
    "x_test": ("x_test", "test_x", "xtest", "test_images", "images_test", "test_data"),
    "y_test": ("y_test", "test_y", "ytest", "test_labels", "labels_test", "test_targets"),
    "classes": ("classes", "class_names", "label_names"),
}
_CHANNELS = (1, 2, 3, 4)
_CIFAR = 3072
# ITU-R BT.601, as Pillow turns colours into grey.
_GREY = np.array([0.299, 0.587, 0.114])


def found_keys(names: list[str], path: str) -> dict[str, str]:
    """The array of an archive for each of our names: x_train, y_train, x_test …

    >>> found_keys(["train_images", "Train_Labels"], "a.npz")
    {'x_train': 'train_images', 'y_train': 'Train_Labels'}

    Raises:
        UserError: Two arrays have names that mean the same.
    """
    found: dict[str, str] = {}
    for ours, theirs in _KEYS.items():
        fitting = [name for name in names if name.lower() in theirs]
        if len(fitting) > 1:
            raise UserError(f"{path}: {' and '.join(fitting)} mean the same; keep one of them")
        if fitting:
            found[ours] = fitting[0]
    return found


@dataclass
class Reading:
    """What a file of arrays is read as; the notes grow.

    Attributes:
        path: The file, for errors.
        background: Colour behind transparent images.
        notes: What was done, in sentences.
    """

    path: str
    background: str = "white"
    notes: list[str] = field(default_factory=list)

    def images(self, array: Array, key: str) -> Array:
        """Images as uint8 `[N, C, H, W]` with 1 or 3 channels.

        Raises:
            UserError: The shape or the type is not that of images.
        """
        return np.ascontiguousarray(self._channels(self._bytes(self._shaped(array, key), key), key))

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _shaped(self, array: Array, key: str) -> Array:
        """As `[N, H, W, C]`."""
        shape = array.shape
        if 0 in shape or not 2 <= array.ndim <= 4:
            raise self._no_images(array, key)
        if shape[1:] in ((_CIFAR,), (3, _CIFAR // 3)):
            self._note(
                "Rows of 3,072 numbers were read as 3 planes of 32 x 32 pixels, as in CIFAR."
            )
            return array.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        if array.ndim == 2:
            raise self._no_images(array, key)
        if array.ndim == 3:
            return array[..., None]
        if shape[3] in _CHANNELS:
            return array
        if shape[1] in _CHANNELS:
            self._note("Images [N, C, H, W] were turned to [N, H, W, C].")
            return array.transpose(0, 2, 3, 1)
        raise self._no_images(array, key)

    def _no_images(self, array: Array, key: str) -> UserError:
        return UserError(
            f"{self.path}: {key} has the shape {array.shape}; it must be [N, H, W, 3], "
            "[N, H, W, 1] or [N, H, W], and not empty"
        )

    def _bytes(self, array: Array, key: str) -> Array:
        """As uint8: fractions 0 to 1 times 255; numbers 0 to 255 as they are."""
        if array.dtype == np.uint8:
            return array
        if array.dtype == np.bool_:
            return array.astype(np.uint8) * np.uint8(255)
        if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
            raise UserError(
                f"{self.path}: {key} is of type {array.dtype}; images must be numbers, best uint8"
            )
        low, high = float(array.min()), float(array.max())
        if not (np.isfinite(low) and np.isfinite(high)) or low < 0 or high > 255:
            raise UserError(
                f"{self.path}: {key} is of type {array.dtype} with values from {low:g} to "
                f"{high:g}; images must be uint8, or numbers from 0 to 255 or from 0 to 1 "
                "that are not normalised"
            )
        if high <= 1 and np.issubdtype(array.dtype, np.floating):
            self._note("Fractions from 0 to 1 were multiplied by 255.")
            return np.rint(array * array.dtype.type(255)).astype(np.uint8)
        return np.rint(array).astype(np.uint8)

    def _ground(self, channels: int) -> Array:
        """The background in colour, or its grey."""
        found = np.array(colour(self.background), np.uint16)
        return found if channels == 3 else np.rint(found @ _GREY).astype(np.uint16)[None]

    def _channels(self, array: Array, key: str) -> Array:
        """`[N, H, W, C]` with 1 to 4 channels as `[N, C, H, W]` with 1 or 3."""
        count = array.shape[3]
        if count in (2, 4):
            self._note(f"Transparent images were laid on {self.background}.")
            alpha = array[..., -1:].astype(np.uint16)
            colours = array[..., :-1].astype(np.uint16)
            ground = self._ground(colours.shape[-1])
            array = ((colours * alpha + ground * (255 - alpha) + 127) // 255).astype(np.uint8)
        return array.transpose(0, 3, 1, 2)


@dataclass(frozen=True)
class Labels:
    """Labels of all parts as numbers from 0.

    Attributes:
        parts: By key, the labels `[N]` int64, or with several labels 0 and 1 `[N, C]` uint8.
        classes: The names of the classes, where the labels give them.
        several: Whether images may have several labels.
    """

    parts: dict[str, Array]
    classes: tuple[str, ...] | None
    several: bool = False


def read_labels(
    arrays: Mapping[str, Array], reading: Reading, named: bool, task: str = "auto"
) -> Labels:
    """Labels in any common form: numbers, a column, one-hot rows, text, rows of 0 and 1.

    Numbers that begin at 1 in all parts begin at 0 from then on, unless the classes are `named`
    otherwise. Rows of 0 and 1 are classes if each has exactly one 1, and otherwise several labels.

    Args:
        arrays: The labels of each part.
        reading: Collects what was done.
        named: Whether the file names the classes.
        task: single-label or multi-label, if the content does not decide it.

    Raises:
        UserError: They have another form.
    """
    if task != "single-label" and _are_several(arrays, insist=task == "multi-label"):
        reading.notes.append("Rows of 0 and 1 in the labels: an image may have several.")
        parts = {key: (array != 0).astype(np.uint8) for key, array in arrays.items()}
        return Labels(parts, None, several=True)
    flat = {key: _flat(array, key, reading) for key, array in arrays.items()}
    text = [key for key, array in flat.items() if array.dtype.kind in "US"]
    if text and len(text) < len(flat):
        raise UserError(f"{reading.path}: {text[0]} holds names, and other labels are numbers")
    if text:
        return _from_names({key: _decoded(array) for key, array in flat.items()}, reading)
    for key, array in flat.items():
        if not np.issubdtype(array.dtype, np.integer):
            raise UserError(
                f"{reading.path}: {key} is {array.dtype} of shape {array.shape}; it must be "
                "integers [N]"
            )
    if flat and not named and all(array.min(initial=1) >= 1 for array in flat.values()):
        train = flat["y_train"]
        if set(np.unique(train).tolist()) == set(range(1, int(train.max(initial=0)) + 1)):
            reading.notes.append("Labels begin at 1: class 1 is the first.")
            names = tuple(str(number) for number in range(1, int(train.max()) + 1))
            return Labels({key: array.astype(np.int64) - 1 for key, array in flat.items()}, names)
    return Labels({key: array.astype(np.int64) for key, array in flat.items()}, None)


def _are_several(arrays: Mapping[str, Array], insist: bool) -> bool:
    """Whether all parts are rows of 0 and 1, and not each row has exactly one 1 (or `insist`)."""
    rows = [array for array in arrays.values() if array.ndim == 2 and array.dtype.kind in "buif"]
    if len(rows) < len(arrays) or not all(((rows_ == 0) | (rows_ == 1)).all() for rows_ in rows):
        return False
    if len({array.shape[1] for array in rows}) > 1 or (rows[0].shape[1] == 1 and not insist):
        return False
    return insist or any((array.sum(axis=1) != 1).any() for array in rows)


def _flat(array: Array, key: str, reading: Reading) -> Array:
    """One label for each image."""
    if array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0]
    if array.ndim == 2 and array.dtype.kind in "buif" and len(array):
        if bool(((array == 0) | (array == 1)).all() and (array.sum(axis=1) == 1).all()):
            reading.notes.append(f"{key}: one-hot rows were read as classes.")
            return array.argmax(axis=1)
        raise UserError(
            f"{reading.path}: {key} has {array.shape[1]} numbers for each image, but not 0 and 1 "
            "with exactly one 1 in each row. Several labels for an image must be rows of 0 and 1 "
            "of the same length in all parts (and not --task single-label)"
        )
    if array.ndim == 1 and array.dtype.kind == "f" and bool((array == np.rint(array)).all()):
        return array.astype(np.int64)
    if array.ndim != 1:
        raise UserError(
            f"{reading.path}: {key} is {array.dtype} of shape {array.shape}; it must be "
            "integers [N]"
        )
    return array


def _decoded(array: Array) -> Array:
    if array.dtype.kind == "U":
        return array
    return np.array([name.decode("utf-8", "backslashreplace") for name in array.tolist()])


def _from_names(parts: dict[str, Array], reading: Reading) -> Labels:
    names = sorted(set(parts["y_train"].tolist()))
    number = {name: index for index, name in enumerate(names)}
    for key, array in parts.items():
        if foreign := sorted(set(array.tolist()) - set(names)):
            raise UserError(
                f"{reading.path}: {key} has the class {foreign[0]}, of which there is no training "
                "image"
            )
    numbered = {
        key: np.array([number[name] for name in array.tolist()], np.int64)
        for key, array in parts.items()
    }
    return Labels(numbered, tuple(names))


def read_classes(array: Array, path: str) -> tuple[str, ...]:
    """Names of classes.

    Raises:
        UserError: They are no list of different names.
    """
    if array.ndim != 1 or array.dtype.kind not in "USiu":
        raise UserError(f"{path}: classes is {array.dtype} of shape {array.shape}; give names [C]")
    names = _decoded(array) if array.dtype.kind == "S" else array
    found = tuple(str(name) for name in names)
    if twice := sorted({name for name in found if found.count(name) > 1}):
        raise UserError(f"{path}: classes has the name {twice[0]} twice")
    return found
