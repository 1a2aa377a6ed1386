"""The transfer sets of photographs that torchvision lists: flowers102, pets, food101 and cars.

Only the lists of files are torchvision's; images are read as those of a folder. Flowers are trained
on its train and val images together, 2,040 in all, as in EfficientNet (arXiv 1905.11946, Table 6).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from darts.data.catalogue import KNOWN
from darts.data.source import Source
from darts.data.streaming import ImageFiles
from darts.errors import UserError

_SIZE = 224

Listing = tuple[tuple[str, ...], list[str], list[int]]
"""Class names, files and labels of a part."""


def open_photographs(name: str, directory: Path, workers: int) -> Source:
    """Open the lists of a data set whose files are in `directory`.

    Raises:
        UserError: The files are incomplete or damaged.
    """
    known = KNOWN[name]
    try:
        train, test = (_listed(name, directory, part) for part in ("train", "test"))
    except (RuntimeError, OSError, ValueError, KeyError, EOFError) as error:
        raise UserError(
            f"the files of {name} in {directory / known.files[0]} are incomplete or damaged "
            f"({error}); delete them, and get them again"
        ) from error
    return Source(
        classes=train[0],
        train=_files(train, workers),
        test=_files(test, workers),
        flip=known.flip,
        size=None,
        statistics=known.statistics,
        root=directory / known.files[0],
    )


def download_photographs(name: str, directory: Path) -> None:
    """Let torchvision download a data set; what it raises if it cannot is not handled here."""
    for split in _SPLITS[name]["train"] + _SPLITS[name]["test"]:
        _KINDS[name](directory, split, True)


def _files(listing: Listing, workers: int) -> ImageFiles:
    _, paths, labels = listing
    return ImageFiles(tuple(paths), torch.tensor(labels), _SIZE, workers)


def _listed(name: str, directory: Path, part: str) -> Listing:
    paths: list[str] = []
    labels: list[int] = []
    classes: tuple[str, ...] = ()
    for split in _SPLITS[name][part]:
        dataset = _KINDS[name](directory, split, False)
        found, numbers = _LISTS[name](dataset)
        paths += map(str, found)
        labels += map(int, numbers)
        numbered = tuple(map(str, range(1, KNOWN[name].classes + 1)))
        classes = tuple(getattr(dataset, "classes", numbered))
    return classes, paths, labels


def _kind(name: str) -> Callable[[Path, str, bool], Any]:
    def create(root: Path, split: str, download: bool) -> Any:
        # Imported here because it is heavy and only these data sets need it.
        from darts.system.torchvision_compat import torchvision

        return getattr(torchvision.datasets, name)(root, split=split, download=download)

    return create


_KINDS: dict[str, Callable[[Path, str, bool], Any]] = {
    "flowers102": _kind("Flowers102"),
    "pets": _kind("OxfordIIITPet"),
    "food101": _kind("Food101"),
    "cars": _kind("StanfordCars"),
}
_SPLITS: dict[str, dict[str, tuple[str, ...]]] = {
    "flowers102": {"train": ("train", "val"), "test": ("test",)},
    "pets": {"train": ("trainval",), "test": ("test",)},
    "food101": {"train": ("train",), "test": ("test",)},
    "cars": {"train": ("train",), "test": ("test",)},
}
# torchvision's data sets keep their lists under different names.
_LISTS: dict[str, Callable[[Any], tuple[list[Any], list[Any]]]] = {
    "flowers102": lambda found: (found._image_files, found._labels),
    "pets": lambda found: (found._images, found._labels),
    "food101": lambda found: (found._image_files, found._labels),
    "cars": lambda found: (
        [path for path, _ in found._samples],
        [label for _, label in found._samples],
    ),
}

PHOTOGRAPH_SETS = tuple(_KINDS)
"""Their names."""
