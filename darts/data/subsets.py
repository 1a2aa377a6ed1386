"""The images that a run uses: sampled from a seed, or read from a manifest."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from darts.data.dataset import Dataset, ImageSet
from darts.data.manifest import Manifest, part_indices
from darts.data.options import DataOptions
from darts.data.source import Source
from darts.data.splits import balanced_subset, lacking, proportional_subset, split_halves
from darts.data.streaming import ImageFiles
from darts.errors import UserError
from darts.system import distributed
from darts.system.randomness import subset_generator


def draw_subset(source: Source, options: DataOptions, seed: int) -> Source:
    """Sample the classes and images that the options ask for; only `seed` decides which.

    Classes are sampled first, then training and test images, each from a generator of its own. So
    the test images do not depend on the number of training images.

    Raises:
        UserError: The data set has fewer classes or images than the options ask for.
    """
    if options.classes is not None:
        source = _some_classes(source, options, subset_generator(seed, "classes"))
    train, test = source.train, source.test
    if options.train_images is not None:
        train = _some_images(train, options.train_images, options, seed, "train_images")
    elif options.train_fraction is not None:
        generator = subset_generator(seed, "train_images")
        try:
            chosen = proportional_subset(
                train.labels, options.train_fraction, generator, source.classes
            )
        except UserError as error:
            raise UserError(f"train_fraction {options.train_fraction}: {error}") from None
        train = train.subset(chosen)
    if options.test_images is not None:
        test = _some_images(test, options.test_images, options, seed, "test_images")
    return replace(source, train=train, test=test)


def apply_manifest(source: Source, manifest: Manifest, where: str) -> Source:
    """Return the images of `source` that `manifest` lists, in its order.

    Args:
        source: A data set of image files.
        manifest: The list of images.
        where: Path of the manifest, for error messages.

    Raises:
        UserError: `source` is not made of files, or files are missing or changed.
    """
    if not isinstance(source.train, ImageFiles):
        raise UserError(f"{where} lists image files, but this data set is not made of files")
    check_classes(source, manifest, where)
    manifest.check(source.folder, where)
    test = part_indices(manifest.entries, "test")
    is_test = torch.zeros(len(manifest.entries), dtype=torch.bool)
    is_test[test] = True
    train = (~is_test).nonzero().flatten()
    several = source.train.labels.ndim == 2
    if any(entry.several != several for entry in manifest.entries):
        raise UserError(
            f"{where} lists labels of another kind; this data set is {source.target.kind}"
        )
    labels = manifest.label_rows() if several else manifest.label_numbers()
    paths = tuple(str(source.folder / entry.path) for entry in manifest.entries)
    images = replace(source.train, paths=paths, labels=labels)
    return replace(
        source,
        classes=manifest.classes,
        train=images.subset(train),
        test=images.subset(test),
        size=manifest.size or source.size,
    )


def check_classes(source: Source, manifest: Manifest, where: str) -> None:
    """Check that the data set still has the classes of a list of its images.

    Raises:
        UserError: A class is missing; the message names it, and those that are new.
    """
    gone = [name for name in manifest.classes if name not in source.classes]
    if gone:
        new = [name for name in source.classes if name not in manifest.classes]
        what = f", but {', '.join(new[:3])}" if new else ""
        raise UserError(
            f"{where} lists images of the class {', '.join(gone[:3])}, which {source.folder} does "
            f"not have{what}. Restore the name of the class, or start a new run."
        )


def recorded_halves(manifest: Manifest) -> tuple[Tensor, Tensor] | None:
    """Return the training images for weights and architecture, if a search wrote the manifest."""
    training = tuple(entry for entry in manifest.entries if entry.part != "test")
    ours, theirs = (part_indices(training, part) for part in ("weights", "architecture"))
    return (ours, theirs) if len(ours) and len(ours) + len(theirs) == len(training) else None


def search_halves(
    dataset: Dataset,
    fraction: float,
    generator: torch.Generator,
    method: Literal["balanced", "paper"],
) -> tuple[Tensor, Tensor]:
    """Return the numbers of the training images for the weights and for the architecture.

    They are those of an earlier run if `dataset` was opened with its manifest; otherwise
    `darts.data.splits.split_halves` samples them. What a half lacks is said.

    Raises:
        UserError: See `darts.data.splits.split_halves`.
    """
    if dataset.files is not None and dataset.files.halves is not None:
        return dataset.files.halves
    labels = dataset.train.labels
    halves = split_halves(labels, fraction, generator, method)
    for chosen, what in zip(halves, ("weights", "architecture"), strict=True):
        if distributed.is_main() and (lost := lacking(labels, chosen)):
            names = ", ".join(dataset.classes[number] for number in lost[:5])
            noun = "class" if len(lost) == 1 else "classes"
            print(
                f"data: too few images for both parts of a search: the {what} get none of the "
                f"{noun} {names}{' …' if len(lost) > 5 else ''}.",
                file=sys.stderr,
            )
    return halves


def write_manifest(dataset: Dataset, path: Path, seed: int, **parts: Tensor) -> None:
    """Write the manifest of a data set of files, unless all files of a published one are used."""
    if dataset.files is not None and (parts or dataset.files.listed):
        Manifest.of(dataset, seed, parts).write(path)


def _some_classes(source: Source, options: DataOptions, generator: torch.Generator) -> Source:
    count, total = options.classes, len(source.classes)
    if count is None or not 2 <= count <= total:
        raise UserError(
            f"classes {count}: {options.dataset} has {total}; give a number from 2 to that"
        )
    chosen = torch.randperm(total, generator=generator)[:count].sort().values
    number = torch.full((total,), -1)
    number[chosen] = torch.arange(count)

    def narrowed(images: Any) -> ImageSet:
        if images.labels.ndim == 2:  # Images without any of the classes are left out.
            labels = images.labels[:, chosen]
            some = (labels > 0).any(1).nonzero().flatten()
            return replace(images.subset(some), labels=labels[some])
        kept = (number[images.labels] >= 0).nonzero().flatten()
        return replace(images.subset(kept), labels=number[images.labels[kept]])

    return replace(
        source,
        classes=tuple(source.classes[index] for index in chosen.tolist()),
        train=narrowed(source.train),
        test=narrowed(source.test),
    )


def _some_images(
    images: ImageSet, count: int, options: DataOptions, seed: int, what: str
) -> ImageSet:
    if not 0 < count <= len(images):
        raise UserError(f"{what} {count}: {options.dataset} has {len(images)} such images")
    return images.subset(balanced_subset(images.labels, count, subset_generator(seed, what)))
