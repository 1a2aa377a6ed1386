"""From the name of a data set to the data set: the one entry to this room."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import torch

from darts.data.arrays import open_array
from darts.data.augmentation import policy_of, stored_size
from darts.data.catalogue import KNOWN, absent, find
from darts.data.dataset import Dataset, ImageSet
from darts.data.digits import open_digits
from darts.data.folders import open_folder
from darts.data.named import open_named
from darts.data.options import DataOptions, data_directory
from darts.data.source import Source
from darts.data.splits import balanced_subset
from darts.data.statistics import measured_on
from darts.data.streaming import ImageFiles
from darts.errors import UserError

GIB = 2**30


def open_dataset(
    options: DataOptions, seed: int = 0, device: torch.device | str = "cpu"
) -> Dataset:
    """Open the data set that `options` names; images that fit in memory go to `device`.

    `seed` draws the subsets of `train_images` and `test_images`, and nothing else. Statistics of
    own data are those of all training images; `statistics.measured_on` narrows them.

    Raises:
        UserError: the data set is unknown, absent or faulty, or an option does not fit it.
    """
    source = _open(options)
    size = options.image_size or source.size
    if size is None:
        raise UserError(f"the images of {options.dataset} are not square: give --image-size")
    stored = stored_size(size, policy_of(options.augment, size))
    dataset = Dataset(
        name=options.dataset,
        classes=source.classes,
        image_size=size,
        stored_size=stored,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        measured=source.statistics is None,
        flip=source.flip if options.flip is None else options.flip,
        train=_settle(source.train, options.train_images, stored, options, seed, "train_images"),
        test=_settle(source.test, options.test_images, stored, options, seed, "test_images"),
    )
    if source.statistics is not None:
        dataset = replace(dataset, mean=source.statistics[0], std=source.statistics[1])
    return measured_on(dataset.to(device))


def _open(options: DataOptions) -> Source:
    name, (kind, _, path) = options.dataset, options.dataset.partition(":")
    directory = data_directory(options.data_dir)
    if kind in ("folder", "array") and path:
        place = Path(path).expanduser()
        return open_array(place) if kind == "array" else open_folder(place, options.workers, name)
    if name == "digits":
        return open_digits()
    if name == "imagenet":
        found = find(name, directory)
        if found is None:
            raise absent(name, directory, "it has to be downloaded by hand (image-net.org)")
        source = open_folder(found[0].parent, options.workers, name)
        return replace(source, statistics=KNOWN[name].statistics)
    if name in KNOWN:
        return open_named(name, directory, options.download)
    raise UserError(
        f"there is no data set {name!r}; choose among {', '.join(KNOWN)}, folder:PATH "
        "and array:FILE.npz"
    )


def _settle(
    images: ImageSet, count: int | None, size: int, options: DataOptions, seed: int, what: str
) -> ImageSet:
    """Take the subset before touching pixels, then resize, and decode files that fit in memory."""
    if count is not None:
        if not 0 < count <= len(images):
            raise UserError(f"{what} {count}: {options.dataset} has {len(images)} such images")
        images = images.subset(balanced_subset(images.labels, count, _generator(seed, what)))
    images = images.resized(size)
    if isinstance(images, ImageFiles) and images.decoded_bytes <= options.memory * GIB:
        return images.in_memory()
    return images


def _generator(seed: int, what: str) -> torch.Generator:
    digest = hashlib.sha256(f"{seed} {what}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
