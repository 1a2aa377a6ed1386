"""The data sets that are known by name: their files, sizes and published statistics. Torch-free.

Statistics are those of the training images, for values in 0..1. CIFAR-10: the authors' code
(yuhuixu1993/PC-DARTS, utils.py). ImageNet: the values that published models use. Others: the values
in common use, which equal the statistics of the official training files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from darts.data.channels import ChannelStatistics
from darts.data.options import data_directory
from darts.errors import UserError


@dataclass(frozen=True, kw_only=True)
class KnownSet:
    """A data set that has a name.

    >>> KNOWN["cifar10"].classes
    10

    Attributes:
        files: Paths below the data directory that must all exist; empty if scikit-learn brings
            the data set.
        train: Number of training images.
        test: Number of test images.
        classes: Number of classes.
        size: Side of the images in pixels; None if it varies.
        flip: Whether a mirrored image has the same class.
        statistics: Published statistics of the channels, or None.
    """

    files: tuple[str, ...]
    train: int
    test: int
    classes: int
    size: int | None
    flip: bool
    statistics: ChannelStatistics | None


KNOWN: Mapping[str, KnownSet] = MappingProxyType(
    {
        "digits": KnownSet(
            files=(), train=1442, test=355, classes=10, size=8, flip=False, statistics=None
        ),
        "cifar10": KnownSet(
            files=("cifar-10-batches-py",),
            train=50_000,
            test=10_000,
            classes=10,
            size=32,
            flip=True,
            statistics=ChannelStatistics(
                (0.49139968, 0.48215827, 0.44653124),
                (0.24703233, 0.24348505, 0.26158768),
            ),
        ),
        "cifar100": KnownSet(
            files=("cifar-100-python",),
            train=50_000,
            test=10_000,
            classes=100,
            size=32,
            flip=True,
            statistics=ChannelStatistics(
                (0.50707516, 0.48654887, 0.44091784),
                (0.26733429, 0.25643846, 0.27615047),
            ),
        ),
        "svhn": KnownSet(
            files=("train_32x32.mat", "test_32x32.mat"),
            train=73_257,
            test=26_032,
            classes=10,
            size=32,
            flip=False,
            statistics=ChannelStatistics(
                (0.43768210, 0.44376970, 0.47280442),
                (0.19803012, 0.20101562, 0.19703614),
            ),
        ),
        "fashion-mnist": KnownSet(
            files=("FashionMNIST/raw",),
            train=60_000,
            test=10_000,
            classes=10,
            size=28,
            flip=True,
            statistics=ChannelStatistics.grey(0.28604060, 0.35302424),
        ),
        "imagenet": KnownSet(
            files=("imagenet/train", "imagenet/val"),
            train=1_281_167,
            test=50_000,
            classes=1000,
            size=None,
            flip=True,
            statistics=ChannelStatistics((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ),
        "flowers102": KnownSet(
            files=("flowers-102",),
            train=2_040,
            test=6_149,
            classes=102,
            size=None,
            flip=True,
            statistics=None,
        ),
        "pets": KnownSet(
            files=("oxford-iiit-pet",),
            train=3_680,
            test=3_669,
            classes=37,
            size=None,
            flip=True,
            statistics=None,
        ),
        "food101": KnownSet(
            files=("food-101",),
            train=75_750,
            test=25_250,
            classes=101,
            size=None,
            flip=True,
            statistics=None,
        ),
        "cars": KnownSet(
            files=("stanford_cars",),
            train=8_144,
            test=8_041,
            classes=196,
            size=None,
            flip=True,
            statistics=None,
        ),
    }
)


@dataclass(frozen=True, kw_only=True)
class DatasetRow:
    """One line of the list of data sets.

    Attributes:
        name: Name of the data set.
        present: Whether it is on this machine.
        where: Paths where it is, or where it is expected.
        train_images: Number of training images.
        test_images: Number of test images.
        classes: Number of classes.
        size: Side of the images in pixels; None if it varies.
    """

    name: str
    present: bool
    where: str
    train_images: int
    test_images: int
    classes: int
    size: int | None


def find(name: str, directory: Path) -> tuple[Path, ...] | None:
    """Return the paths of the data set `name` below `directory`, or None if one is missing.

    ImageNet may also lie directly in `directory`.
    """
    known = KNOWN[name]
    places = [tuple(directory / file for file in known.files)]
    if name == "imagenet":
        places.append((directory / "train", directory / "val"))
    return next((paths for paths in places if all(path.exists() for path in paths)), None)


def list_datasets(data_dir: str | None = None) -> tuple[DatasetRow, ...]:
    """List all data sets that have a name, without opening an image.

    >>> list_datasets()[0].where
    'comes with scikit-learn'
    """
    directory = data_directory(data_dir)
    rows = []
    for name, known in KNOWN.items():
        found = find(name, directory)
        paths = found or [directory / file for file in known.files]
        rows.append(
            DatasetRow(
                name=name,
                present=found is not None,
                where=", ".join(map(str, paths)) or "comes with scikit-learn",
                train_images=known.train,
                test_images=known.test,
                classes=known.classes,
                size=known.size,
            )
        )
    return tuple(rows)


def missing_error(name: str, directory: Path, reason: str) -> UserError:
    """Return the error for a missing data set; it names the expected paths and the alternatives."""
    looked = ", ".join(str(directory / file) for file in KNOWN[name].files)
    present = [other for other in KNOWN if find(other, directory) is not None]
    return UserError(
        f"{name} is not on this machine: looked for {looked}; {reason}. "
        f"Give its directory by --data-dir, or choose among {', '.join(present)}, folder:PATH "
        "and array:FILE.npz"
    )
