"""Data sets listed in a table of images and labels (`csv:FILE`)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from darts.data.duplicates import duplicate_sentences
from darts.data.folder_parts import FolderPart
from darts.data.folders import LARGE, common_size, depth_notes
from darts.data.source import Source
from darts.data.splits import class_counts, hold_out, small_class_notes
from darts.data.streaming import ImageFiles
from darts.data.tables.columns import ColumnChoice, find_columns, part_values
from darts.data.tables.image_files import ImageLocator
from darts.data.tables.labels import RowLabels, TaskWish, read_labels_of
from darts.data.tables.rows import ListedImage, listed_images
from darts.data.tables.text_table import read_text_table
from darts.errors import UserError
from darts.system.randomness import subset_generator
from darts.targets.multi import MULTI
from darts.targets.single import SINGLE

_EVERY = 5
RECOGNISED = ColumnChoice()


@dataclass(frozen=True)
class TableChoice:
    """How a table is read, where its content does not decide it.

    Attributes:
        columns: The columns that the user names.
        task: Whether images have one label or several.
        part: The part that the test images come from, if there are val and test.
        skip_missing: Whether rows without a file are left out instead of refused.
    """

    columns: ColumnChoice = RECOGNISED
    task: TaskWish = "auto"
    part: FolderPart | None = None
    skip_missing: bool = False


UNCHOSEN = TableChoice()
"""Everything is recognised."""


def open_table(path: Path, workers: int, choice: TableChoice = UNCHOSEN) -> Source:
    """Open the data set that a table lists: one row for each image, with its file and its label.

    Columns, labels and files are found by `darts.data.tables`. If a column says the part of each
    row, the test images are those of test, or else those of val. Without, every fifth image of each
    class is held out, in an order that is always the same and independent of the run's seed.

    Args:
        path: The table.
        workers: Processes that decode the images later.
        choice: What is chosen by the user.

    Raises:
        UserError: The table cannot be read without guessing, or a file is missing. The message
            has the file and the line.
    """
    table = read_text_table(path)
    locator = ImageLocator(path, table.encoding)
    columns = find_columns(table, locator, choice.columns)
    labels = read_labels_of(table, columns, choice.task)
    if len(labels.classes) < 2 - labels.several:
        named = repr(labels.classes[0]) if labels.classes else "none"
        raise UserError(f"{path}: the labels are {named}; at least 2 classes are needed.")
    parts = part_values(table, columns)
    listed = listed_images(table, columns.path, locator, labels, parts, choice.skip_missing)
    train, test, tested, split = _divided(path, listed.images, labels, choice.part)
    sets = [_image_files(images, labels, workers) for images in (train, test)]
    size = common_size(sets[0].paths)
    notes = [*table.notes, *columns.notes, *labels.notes, *listed.notes, *split]
    bare = class_counts(sets[0].labels, len(labels.classes)) == 0
    if bare.any():
        first = labels.classes[int(bare.nonzero()[0])]
        raise UserError(f"{path}: no training image has the label {first!r}.")
    if parts is not None:
        notes += duplicate_sentences(sets[0].paths, sets[1].paths)
    if locator.outside:
        notes.append(
            f"{len(set(locator.outside)):,} images lie outside {locator.home}, such as "
            f"{locator.outside[0]}."
        )
    return Source(
        classes=labels.classes,
        train=sets[0],
        test=sets[1],
        flip=True,
        size=size.pixels or LARGE,
        root=_root(locator.home, [image.path for image in listed.images]),
        tested=tested,
        target=MULTI if labels.several else SINGLE,
        notes=(*notes, *size.notes, *depth_notes(sets[0].paths)),
    )


def _divided(
    path: Path, images: Sequence[ListedImage], labels: RowLabels, wish: FolderPart | None
) -> tuple[list[ListedImage], list[ListedImage], str, list[str]]:
    """Training and test images, what the test images are, and what the user should know."""
    by_part: dict[FolderPart | None, list[ListedImage]] = {}
    for image in images:
        by_part.setdefault(image.part, []).append(image)
    train = by_part.pop(None, None) or by_part.pop("train", [])
    if not train:
        raise UserError(f"{path}: no row is in train.")
    if wish is not None and wish not in by_part:
        have = ", ".join(str(part) for part in by_part) or "none"
        raise UserError(f"--test-part {wish}: {path} has no such part, but {have}.")
    if not by_part:
        return _held_out(train, labels)
    chosen = wish or ("test" if "test" in by_part else "val")
    notes = [
        f"The {len(rest):,} rows of {part} are not used; --test-part {part} tests on them."
        for part, rest in by_part.items()
        if part != chosen
    ]
    known = {name for image in train for name in image.labels}
    for image in by_part[chosen]:
        if unknown := image.labels - known:
            raise UserError(
                f"{path}: {image.path} in {chosen} has the label {min(unknown)!r}, of which there "
                "is no training image."
            )
    return train, by_part[chosen], f"the rows of {chosen}", notes


def _held_out(
    images: list[ListedImage], labels: RowLabels
) -> tuple[list[ListedImage], list[ListedImage], str, list[str]]:
    order = torch.randperm(len(images), generator=subset_generator(0, "table"))
    numbers = label_tensor(images, labels)[order]
    ours, theirs = (order[part].sort().values for part in hold_out(numbers, _EVERY))
    words = "every fifth image of each class, sampled and held out of training"
    notes = small_class_notes(numbers, labels.classes, _EVERY)
    return [images[n] for n in ours.tolist()], [images[n] for n in theirs.tolist()], words, notes


def label_tensor(images: Sequence[ListedImage], labels: RowLabels) -> Tensor:
    """The class of each image `[N]` int64, or with several labels 0 and 1 `[N, C]` uint8."""
    number = {name: index for index, name in enumerate(labels.classes)}
    if not labels.several:
        return torch.tensor([number[min(image.labels)] for image in images])
    found = torch.zeros(len(images), len(number), dtype=torch.uint8)
    for row, image in enumerate(images):
        found[row, [number[name] for name in image.labels]] = 1
    return found


def _image_files(images: Sequence[ListedImage], labels: RowLabels, workers: int) -> ImageFiles:
    paths = tuple(image.path for image in images)
    return ImageFiles(paths, label_tensor(images, labels), LARGE, workers)


def _root(home: Path, paths: Sequence[str]) -> Path:
    """The folder of the table, or the one above it that holds all images."""
    return Path(os.path.commonpath([str(home), *map(os.path.dirname, paths)]))
