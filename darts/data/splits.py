"""Disjoint parts of a data set in which every class keeps its proportion.

Departure: the authors' search takes images 0..N/2 for the weights and the rest for the
architecture, in file order, which is correct only if the files are shuffled already. The default
here is correct for any order and depends on the seed; "paper" is the authors' rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from darts.errors import UserError


def split_halves(
    labels: Tensor,
    fraction: float = 0.5,
    generator: torch.Generator | None = None,
    method: Literal["balanced", "paper"] = "balanced",
) -> tuple[Tensor, Tensor]:
    """Divide images into two disjoint sets of indices, each in file order.

    The first set trains the weights, the second the architecture (PC-DARTS, §4.2). The first gets
    floor(fraction * N) of N images.

    >>> labels = torch.tensor([0, 0, 1, 1])
    >>> first, second = split_halves(labels, 0.5, torch.Generator())
    >>> labels[first].tolist(), labels[second].tolist()
    ([0, 1], [0, 1])

    Args:
        labels: Class numbers `[N]`.
        fraction: Share of the first set.
        generator: Source of the random choice.
        method: "balanced" samples at random, and of a class with n images takes fraction * n
            images, rounded up or down. "paper" takes the first images in file order.

    Raises:
        UserError: A part would be empty.
    """
    total = len(labels)
    if not 0 < fraction < 1 or not 0 < _portion(total, fraction) < total:
        raise UserError(
            f"{total} training images cannot be divided at {fraction}: one part would be empty"
        )
    if method == "paper":
        whole = torch.arange(total)
        cut = _portion(total, fraction)
        return whole[:cut], whole[cut:]
    order = _by_class(strata(labels), generator)
    first = _share(total, fraction)
    return order[first].sort().values, order[~first].sort().values


def balanced_subset(labels: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Sample `count` images with class sizes as equal as possible.

    A class with too few images contributes all of them. From the same generator state, a smaller
    sample is a subset of a larger one. Returns sorted indices `[count]`.

    >>> labels = torch.tensor([0, 0, 0, 0, 1])
    >>> labels[balanced_subset(labels, 3, torch.Generator())].tolist()
    [0, 0, 1]

    Raises:
        UserError: `count` is not in 1..N.
    """
    if not 0 < count <= len(labels):
        raise UserError(f"cannot take {count} images out of {len(labels)}")
    labels = strata(labels)
    order = _by_class(labels, generator)
    turn = _rank_in_class(labels[order])
    return order[turn.argsort(stable=True)[:count]].sort().values


def proportional_subset(
    labels: Tensor, fraction: float, generator: torch.Generator, classes: Sequence[str]
) -> Tensor:
    """Sample floor(fraction * N) of N images; a class with n images keeps about fraction * n.

    The deviation is less than one image per class. Returns sorted indices.

    >>> labels = torch.tensor([0, 0, 0, 0, 1, 1])
    >>> labels[proportional_subset(labels, 0.5, torch.Generator(), "ab")].tolist()
    [0, 0, 1]

    Args:
        labels: Class numbers `[N]`, or `[N, C]` with 1 for each class of an image.
        fraction: The share.
        generator: Where draws come from.
        classes: Names of the classes, for the error.

    Raises:
        UserError: `fraction` is not in (0, 1], or so small that a class would have no image.
    """
    if not 0 < fraction <= 1:
        raise UserError(f"cannot take the share {fraction}: it must be above 0 and at most 1")
    chosen = _by_class(strata(labels), generator)[_share(len(labels), fraction)].sort().values
    if lost := lacking(labels, chosen):
        raise UserError(f"the share {fraction} leaves no image of class {classes[lost[0]]}")
    return chosen


def file_half(
    labels: Tensor, half: Literal["first", "second"], name: str, classes: Sequence[str]
) -> Tensor:
    """The first or the second half of the images in file order, as indices.

    DARTS-Bench-Suite (arXiv 2507.16533) searches on the first 25,000 images of CIFAR-10 and
    retrains on the others. (Its code leaves out the very last image.)

    >>> file_half(torch.tensor([0, 1, 0, 1, 1]), "second", "small", ("cat", "dog"))
    tensor([2, 3, 4])

    Args:
        labels: Class numbers `[N]`.
        half: The first half has floor(N / 2) images.
        name: Name of the data set, for the error.
        classes: Names of the classes, for the error.

    Raises:
        UserError: The half lacks a class, because the files are sorted.
    """
    cut = len(labels) // 2
    chosen = torch.arange(cut) if half == "first" else torch.arange(cut, len(labels))
    if lost := lacking(labels, chosen):
        raise UserError(
            f"--half {half}: {name} has no image of class {classes[lost[0]]} in this half, "
            "because its images are sorted by class. Use --train-fraction 0.5 instead, which "
            "samples each class."
        )
    return chosen


def hold_out(labels: Tensor, every: int = 5) -> tuple[Tensor, Tensor]:
    """Hold out every `every`-th image of each class, in file order, as test images.

    The choice does not depend on a seed, so runs with different seeds are evaluated on the same
    images, and none of them trains on these. Of a class with fewer images the last one is held out,
    unless it is the only one. Returns the indices for training and for testing.

    >>> hold_out(torch.tensor([0, 0, 0, 1, 1, 2]), every=3)
    (tensor([0, 1, 3, 5]), tensor([2, 4]))

    Args:
        labels: Class numbers `[N]`, or `[N, C]` with 1 for each class of an image.
        every: Which image of each class is held out.

    Raises:
        UserError: Each class has only one image.
    """
    labels = strata(labels)
    order = labels.argsort(stable=True)
    counts = labels.bincount()[labels[order]]
    test = _rank_in_class(labels[order]) % every == (counts.clamp(max=every) - 1)
    test &= counts > 1
    if not test.any():
        raise UserError("each class has only one image; none can be held out")
    return order[~test].sort().values, order[test].sort().values


def small_class_notes(labels: Tensor, classes: Sequence[str], every: int) -> list[str]:
    """What the user should know about classes with fewer than `every` images (see `hold_out`).

    >>> small_class_notes(torch.tensor([0, 0, 0, 1, 1]), ("cat", "dog"), 3)
    ['Class dog (2) has fewer than 3 images; one is held out.']
    """
    counts = class_counts(labels, len(classes)).tolist()
    few = [f"{name} ({n})" for name, n in zip(classes, counts, strict=True) if 1 < n < every]
    alone = [name for name, n in zip(classes, counts, strict=True) if n == 1]
    notes = []
    if few:
        verb = "has" if len(few) == 1 else "have"
        held = "one is held out" if len(few) == 1 else "one of each is held out"
        notes.append(f"{_named(few)} {verb} fewer than {every} images; {held}.")
    if alone:
        verb, them = ("has", "it is") if len(alone) == 1 else ("have", "these are")
        notes.append(f"{_named(alone)} {verb} one image; {them} trained on and not tested.")
    return notes


def _named(names: Sequence[str]) -> str:
    words = "Class" if len(names) == 1 else f"{len(names)} classes:"
    return f"{words} {', '.join(names[:5])}{' …' if len(names) > 5 else ''}"


def strata(labels: Tensor) -> Tensor:
    """The group of each image `[N]` whose share a split keeps: its class.

    An image with several labels is in the group of its rarest one, so that rare labels are divided
    first (as in Sechidis et al. 2011, On the stratification of multi-label data); images without
    labels are a group of their own.

    >>> strata(torch.tensor([[1, 1], [1, 0], [0, 0]]))
    tensor([1, 0, 2])

    Args:
        labels: Class numbers `[N]`, or `[N, C]` with 1 for each class of an image.
    """
    if labels.ndim == 1:
        return labels
    count, classes = labels.shape
    rarity = labels.sum(0, dtype=torch.int64).expand(count, classes)
    group = rarity.masked_fill(labels == 0, count + 1).argmin(1)
    return torch.where((labels > 0).any(1), group, classes)


def class_counts(labels: Tensor, classes: int) -> Tensor:
    """Number of images of each class `[C]`; labels `[N]`, or `[N, C]` of 0 and 1."""
    if labels.ndim == 1:
        return labels.bincount(minlength=classes)
    return labels.sum(0, dtype=torch.int64)


def lacking(labels: Tensor, chosen: Tensor) -> list[int]:
    """The classes that have images, but none of the `chosen` ones.

    >>> lacking(torch.tensor([0, 1, 2, 2]), torch.tensor([0, 2]))
    [1]
    """
    classes = int(labels.max()) + 1 if labels.ndim == 1 else labels.shape[1]
    all_of_them, some = (class_counts(one, classes) for one in (labels, labels[chosen]))
    return ((all_of_them > 0) & (some == 0)).nonzero().flatten().tolist()


def _portion(total: int, fraction: float) -> int:
    return int(total * fraction + 1e-9)


def _share(total: int, fraction: float) -> Tensor:
    """Return evenly spread marks `[total]`, bool: those i where floor(fraction * i) increases."""
    line = (torch.arange(total + 1, dtype=torch.float64) * fraction + 1e-9).floor()
    return line[1:] > line[:-1]


def _by_class(labels: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return the image numbers sorted by class and shuffled within each class."""
    shuffled = torch.randperm(len(labels), generator=generator)
    return shuffled[labels[shuffled].argsort(stable=True)]


def _rank_in_class(sorted_labels: Tensor) -> Tensor:
    """Return the position of each image within its class, for sorted labels `[N]`."""
    counts = sorted_labels.bincount()
    starts = counts.cumsum(0) - counts
    return torch.arange(len(sorted_labels)) - starts[sorted_labels]
