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
        UserError: A part would be empty or, if balanced, lack a class.
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
    order = _by_class(labels, generator)
    first = _share(total, fraction)
    parts = order[first].sort().values, order[~first].sort().values
    for part in parts:
        lacking = set(labels.unique().tolist()) - set(labels[part].unique().tolist())
        if lacking:
            raise UserError(
                f"class number {min(lacking)} has too few training images for both parts of "
                f"a split at {fraction}; add images or change the fraction"
            )
    return parts


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
    order = _by_class(labels, generator)
    turn = _rank_in_class(labels[order])
    return order[turn.argsort(stable=True)[:count]].sort().values


def proportional_subset(labels: Tensor, fraction: float, generator: torch.Generator) -> Tensor:
    """Sample floor(fraction * N) of N images; a class with n images keeps about fraction * n.

    The deviation is less than one image per class. Returns sorted indices.

    >>> labels = torch.tensor([0, 0, 0, 0, 1, 1])
    >>> labels[proportional_subset(labels, 0.5, torch.Generator())].tolist()
    [0, 0, 1]

    Raises:
        UserError: `fraction` is not in (0, 1], or so small that a class would have no image.
    """
    if not 0 < fraction <= 1:
        raise UserError(f"cannot take the share {fraction}: it must be above 0 and at most 1")
    chosen = _by_class(labels, generator)[_share(len(labels), fraction)].sort().values
    lacking = set(labels.unique().tolist()) - set(labels[chosen].unique().tolist())
    if lacking:
        raise UserError(f"the share {fraction} leaves no image of class number {min(lacking)}")
    return chosen


def file_half(labels: Tensor, half: Literal["first", "second"], name: str) -> Tensor:
    """The first or the second half of the images in file order, as indices.

    DARTS-Bench-Suite (arXiv 2507.16533) searches on the first 25,000 images of CIFAR-10 and
    retrains on the others. (Its code leaves out the very last image.)

    >>> file_half(torch.tensor([0, 1, 0, 1, 1]), "second", "small")
    tensor([2, 3, 4])

    Args:
        labels: Class numbers `[N]`.
        half: The first half has floor(N / 2) images.
        name: Name of the data set, for the error.

    Raises:
        UserError: The half lacks a class, because the files are sorted.
    """
    cut = len(labels) // 2
    chosen = torch.arange(cut) if half == "first" else torch.arange(cut, len(labels))
    lacking = set(labels.unique().tolist()) - set(labels[chosen].unique().tolist())
    if lacking:
        raise UserError(
            f"--half {half}: {name} has no image of class number {min(lacking)} in this half, "
            "because its images are sorted by class. Use --train-fraction 0.5 instead, which "
            "samples each class."
        )
    return chosen


def hold_out(labels: Tensor, classes: Sequence[str], every: int = 5) -> tuple[Tensor, Tensor]:
    """Hold out every `every`-th image of each class, in file order, as test images.

    The choice does not depend on a seed, so runs with different seeds are evaluated on the same
    images, and none of them trains on these. Returns the indices for training and for testing.

    >>> hold_out(torch.tensor([0, 0, 0, 1, 1, 1]), ("cat", "dog"), every=3)
    (tensor([0, 1, 3, 4]), tensor([2, 5]))

    Args:
        labels: Class numbers `[N]`.
        classes: Names of the classes, for the error.
        every: Which image of each class is held out.

    Raises:
        UserError: A class has fewer than `every` images.
    """
    order = labels.argsort(stable=True)
    counts = labels.bincount()
    small = ((counts > 0) & (counts < every)).nonzero().flatten().tolist()
    if small:
        raise UserError(
            f"class {classes[small[0]]} has {counts[small[0]]} images; {every} are needed to hold "
            "out test images"
        )
    test = _rank_in_class(labels[order]) % every == every - 1
    return order[~test].sort().values, order[test].sort().values


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
