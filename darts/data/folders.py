"""Data sets of image files with one folder per class; ImageNet is one of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from darts.data.dataset import ImageSet
from darts.data.duplicates import duplicate_sentences
from darts.data.folder_parts import FolderPart, FolderParts, find_parts
from darts.data.imagenet import validation_classes
from darts.data.pixels import DEEP_MODES
from darts.data.scanning import Scan
from darts.data.source import Source
from darts.data.splits import hold_out, small_class_notes
from darts.data.streaming import ImageFiles
from darts.errors import UserError

LARGE = 224  # image size of large or differing images
SMALL = 64  # largest images that keep their own size
_MOST = 0.9  # share of images that decide the size of all, if some are large
_HALF = 0.5  # the same, if all are small
_EVERY = 5


def open_folder(root: Path, workers: int, name: str, part: FolderPart | None = None) -> Source:
    """Open a folder that holds train/CLASS/* and test/CLASS/* (or val/CLASS/*), or only CLASS/*.

    Parts are known by their usual names (`darts.data.folder_parts`). If there are test/ and val/,
    the images of test/ are the test images; of ImageNet, whose test/ has no labels, those of val/,
    which may have no class folders (see `darts.data.imagenet`). Without both, every fifth training
    image of each class is held out (`splits.hold_out`).

    Images keep their own size if nearly all of them are square, equally large and at most 64
    pixels. If none is larger, the size of at least half of them decides; otherwise the size is 224.
    Only the headers of the files are read.

    Args:
        root: The folder.
        workers: Processes that decode the images later.
        name: Name of the data set, for the error.
        part: The part that the test images come from, if it is not chosen by this rule.

    Raises:
        UserError: The folder is missing, has fewer than two classes or a class without images, or
            training and test have different classes. The message names the folder.
    """
    if not root.is_dir():
        raise UserError(f"{name}: there is no folder {root}")
    scan = Scan(root)
    parts = find_parts(root, scan)
    classes = _classes(parts.train, scan)
    train = _scan(parts.train, classes, workers, scan)
    tested = _tested(parts, scan, part)
    notes = [*parts.notes]
    test: ImageSet
    if tested is None:
        notes += small_class_notes(train.labels, classes, _EVERY)
        train_part, test_part = hold_out(train.labels, _EVERY)
        train, test = train.subset(train_part), train.subset(test_part)
        words = "every fifth image of each class, held out of training"
    else:
        place = parts.others[tested]
        if scan.folders(place):
            _check_same(classes, _classes(place, scan), parts.train, place)
            test = _scan(place, classes, workers, scan)
        else:
            test = _scan_flat(place, classes, workers, scan)
        words = f"those in {place.name}/"
        notes += _unused(parts, tested)
        notes += duplicate_sentences(train.paths, test.paths)
    size = common_size(train.paths)
    return Source(
        classes=classes,
        train=train,
        test=test,
        flip=True,
        size=size.pixels or LARGE,
        root=root,
        tested=words,
        notes=(*notes, *scan.left_out.sentences, *size.notes, *depth_notes(train.paths)),
    )


def _tested(parts: FolderParts, scan: Scan, part: FolderPart | None) -> FolderPart | None:
    """The part that the test images come from; None if there is none."""
    if part is not None and part not in parts.others:
        have = ", ".join(f"{place.name}/" for place in parts.others.values()) or "none"
        raise UserError(f"--test-part {part}: {parts.train.parent} has no such part, but {have}.")
    if part is not None or not parts.others:
        return part
    if "test" in parts.others and ("val" not in parts.others or scan.folders(parts.others["test"])):
        return "test"
    return "val"


def _unused(parts: FolderParts, tested: FolderPart) -> list[str]:
    return [
        f"{place.name}/ is not used; --test-part {part} tests on it."
        for part, place in parts.others.items()
        if part != tested
    ]


def _classes(root: Path, scan: Scan) -> tuple[str, ...]:
    found = scan.folders(root)
    if len(found) < 2:
        raise UserError(
            f"{root} has {len(found)} class folders; a data set needs at least two classes, "
            "each in its own folder"
        )
    return found


def _scan(root: Path, classes: tuple[str, ...], workers: int, scan: Scan) -> ImageFiles:
    paths: list[str] = []
    counts: list[int] = []
    for name in classes:
        files = scan.images(root / name)
        if not files:
            raise UserError(f"the class folder {root / name} holds no image")
        paths += files
        counts.append(len(files))
    labels: Tensor = torch.arange(len(classes)).repeat_interleave(torch.tensor(counts))
    return ImageFiles(tuple(paths), labels, LARGE, workers)


def _scan_flat(root: Path, classes: tuple[str, ...], workers: int, scan: Scan) -> ImageFiles:
    class_of = validation_classes(root)
    number = {name: index for index, name in enumerate(classes)}
    found: dict[str, int] = {}
    for path in scan.images(root):
        name = class_of.get(Path(path).stem)
        if name in number:
            found[path] = number[name]
    if not found:
        raise UserError(f"{root} holds no image of the classes of the training images")
    return ImageFiles(tuple(found), torch.tensor(list(found.values())), LARGE, workers)


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


@dataclass(frozen=True)
class CommonSize:
    """The size that small images of a folder are given.

    Attributes:
        pixels: The side of the square images; None if they are large, or differ too much.
        notes: What the user should know.
    """

    pixels: int | None
    notes: tuple[str, ...] = ()


def common_size(paths: tuple[str, ...]) -> CommonSize:
    """The size of nearly all images, or of the most if all are small.

    All headers are read if the first images are small, otherwise those of a few images. Files that
    cannot be read do not count.
    """
    first = Counter(filter(None, map(_header, _spread(paths, 9))))
    if not first or not _is_small_square(first.most_common(1)[0][0]):
        return CommonSize(None)
    sizes = Counter(filter(None, map(_header, paths)))
    (size, count), total = sizes.most_common(1)[0], sizes.total()
    if not _is_small_square(size):
        return CommonSize(None)
    side, others = size[0], total - count
    if not others:
        return CommonSize(side)
    if count < _HALF * total:
        return CommonSize(None)
    differing = (
        f"{others:,} of {total:,} training images {'does' if others == 1 else 'do'} not have the "
        f"size of the others, {side} x {side} pixels"
    )
    if count < _MOST * total and max(map(max, sizes)) > SMALL:
        note = f"{differing}; all are resized to {LARGE} x {LARGE}. --image-size chooses a size."
        return CommonSize(None, (note,))
    return CommonSize(side, (f"{differing}; {'it is' if others == 1 else 'they are'} resized.",))


def _is_small_square(size: tuple[int, int]) -> bool:
    return size[0] == size[1] <= SMALL


def depth_notes(paths: tuple[str, ...]) -> tuple[str, ...]:
    """A sentence if a few of the images have more than 8 bits a channel."""
    if any(_mode(path) in DEEP_MODES for path in _spread(paths, 9)):
        return ("Grey values of more than 8 bits are scaled to 8 bits.",)
    return ()


def _mode(path: str) -> str:
    try:
        with Image.open(path) as image:
            return image.mode
    except Exception:  # Each of Pillow's plug-ins raises what it likes.
        return ""


def _spread(paths: tuple[str, ...], count: int) -> tuple[str, ...]:
    """At most `count` paths, evenly spread."""
    return paths[:: max(1, len(paths) // count)][:count]


def _header(path: str) -> tuple[int, int] | None:
    """Width and height as stored; None if the file cannot be read, which decoding will report."""
    try:
        with Image.open(path) as image:
            return image.size
    except Exception:  # Each of Pillow's plug-ins raises what it likes.
        return None
