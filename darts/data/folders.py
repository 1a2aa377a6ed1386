"""Data sets of image files with one folder per class; ImageNet is one of them."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from darts.data.dataset import ImageSet
from darts.data.imagenet import validation_classes
from darts.data.source import Source
from darts.data.splits import hold_out
from darts.data.streaming import ImageFiles
from darts.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
LARGE = 224  # image size of large or differing images
SMALL = 64  # largest images that keep their own size


def open_folder(root: Path, workers: int, name: str) -> Source:
    """Open a folder that holds train/CLASS/* and val/CLASS/* (or test/CLASS/*), or only CLASS/*.

    If there are val/ and test/, val/ is used, because ImageNet's test/ has no labels; val/ may have
    no class folders (see `darts.data.imagenet`). Without val/ and test/, every fifth training image
    of each class is held out (`splits.hold_out`).

    Images keep their own size if all of them are square, equally large and at most 64 pixels;
    otherwise the size is 224. Only the headers of the files are read.

    Args:
        root: The folder.
        workers: Processes that decode the images later.
        name: Name of the data set, for the error.

    Raises:
        UserError: The folder is missing, has fewer than two classes or a class without images, or
            training and test have different classes. The message names the folder.
    """
    if not root.is_dir():
        raise UserError(f"{name}: there is no folder {root}")
    train_root = root / "train" if (root / "train").is_dir() else root
    test_root = next((root / part for part in ("val", "test") if (root / part).is_dir()), None)
    if test_root is not None and train_root is root:
        raise UserError(f"{root} has {test_root.name}/ but no train/")
    classes = _classes(train_root)
    train = _scan(train_root, classes, workers)
    test: ImageSet
    if test_root is None:
        train_part, test_part = hold_out(train.labels, classes)
        train, test = train.subset(train_part), train.subset(test_part)
    elif any(entry.is_dir() for entry in os.scandir(test_root)):
        _check_same(classes, _classes(test_root), train_root, test_root)
        test = _scan(test_root, classes, workers)
    else:
        test = _scan_flat(test_root, classes, workers)
    return Source(
        classes=classes,
        train=train,
        test=test,
        flip=True,
        size=_own_size(train.paths) or LARGE,
        root=root,
    )


def _classes(root: Path) -> tuple[str, ...]:
    found = sorted(e.name for e in os.scandir(root) if e.is_dir() and not e.name.startswith("."))
    if len(found) < 2:
        raise UserError(
            f"{root} has {len(found)} class folders; a data set needs at least two classes, "
            "each in its own folder"
        )
    return tuple(found)


def _scan(root: Path, classes: tuple[str, ...], workers: int) -> ImageFiles:
    paths: list[str] = []
    counts: list[int] = []
    for name in classes:
        files = sorted(_images(root / name))
        if not files:
            raise UserError(f"the class folder {root / name} holds no image")
        paths += files
        counts.append(len(files))
    labels: Tensor = torch.arange(len(classes)).repeat_interleave(torch.tensor(counts))
    return ImageFiles(tuple(paths), labels, LARGE, workers)


def _scan_flat(root: Path, classes: tuple[str, ...], workers: int) -> ImageFiles:
    class_of = validation_classes(root)
    number = {name: index for index, name in enumerate(classes)}
    found: dict[str, int] = {}
    for path in sorted(_images(root)):
        name = class_of.get(Path(path).stem)
        if name in number:
            found[path] = number[name]
    if not found:
        raise UserError(f"{root} holds no image of the classes of the training images")
    return ImageFiles(tuple(found), torch.tensor(list(found.values())), LARGE, workers)


def _images(root: Path) -> list[str]:
    return [
        os.path.join(folder, file)
        for folder, _, files in os.walk(root, followlinks=True)
        for file in files
        if file.lower().endswith(SUFFIXES) and not file.startswith(".")
    ]


def _check_same(
    train: tuple[str, ...], test: tuple[str, ...], train_root: Path, test_root: Path
) -> None:
    for here, there, root in ((train, test, train_root), (test, train, test_root)):
        extra = sorted(set(here) - set(there))
        if extra:
            raise UserError(
                f"classes differ: {root} has {', '.join(extra[:5])}"
                f"{' and more' if len(extra) > 5 else ''}, which the other part of the data lacks"
            )


def _own_size(paths: tuple[str, ...]) -> int | None:
    """Return the side of the images if all are square, equally large and small, else None."""
    first = _header_size(paths[0])
    if first is None or first[0] != first[1] or first[0] > SMALL:
        return None
    return first[0] if all(_header_size(path) == first for path in paths[1:]) else None


def _header_size(path: str) -> tuple[int, int] | None:
    try:
        with Image.open(path) as image:
            return image.size
    except OSError:
        return None  # decoding will report the error
