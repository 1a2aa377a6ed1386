"""Disjoint parts of a data set, with every class in proportion.

Departure: the authors' search takes images 0..N/2 for the weights and the rest for the
architecture, in file order, which is right only for files that are shuffled already. The default
here is right for any order and draws from the seed; `paper` gives the authors' rule.
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
    """Divide images with these labels [N] into two disjoint index sets, each in file order.

    `balanced` draws from `generator`: the first set gets floor(fraction * N) images, and of a class
    with n images fraction * n, up to less than one image. `paper` takes the first images for the
    first set. The first set trains the weights, the second the architecture (PC-DARTS, 4.2).

    Raises:
        UserError: a part would be empty or, if balanced, lack a class.
    """
    total = len(labels)
    if not 0 < fraction < 1 or not 0 < _portion(total, fraction) < total:
        raise UserError(f"{total} training images cannot be divided at {fraction}: a part is empty")
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
                f"class number {min(lacking)} has too few training images to be in both parts "
                f"of a split at {fraction}; add images or change the fraction"
            )
    return parts


def balanced_subset(labels: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Numbers of `count` images, drawn so that the classes are as equal as they can be.

    A class with too few images gives all it has. Smaller counts of one generator state are subsets
    of larger ones. Returns sorted indices [count].

    Raises:
        UserError: `count` is not in 1..N.
    """
    if not 0 < count <= len(labels):
        raise UserError(f"cannot take {count} images out of {len(labels)}")
    order = _by_class(labels, generator)
    turn = _rank_in_class(labels[order])
    return order[turn.argsort(stable=True)[:count]].sort().values


def proportional_subset(labels: Tensor, fraction: float, generator: torch.Generator) -> Tensor:
    """Numbers of floor(fraction * N) images, of each class its share, up to less than one image.

    Returns sorted indices.

    Raises:
        UserError: `fraction` is not in 0..1, or too small for an image of every class.
    """
    if not 0 < fraction <= 1:
        raise UserError(f"cannot take a share of {fraction}: it must be above 0 and at most 1")
    chosen = _by_class(labels, generator)[_share(len(labels), fraction)].sort().values
    lacking = set(labels.unique().tolist()) - set(labels[chosen].unique().tolist())
    if lacking:
        raise UserError(f"a share of {fraction} leaves no image of class number {min(lacking)}")
    return chosen


def hold_out(labels: Tensor, classes: Sequence[str], every: int = 5) -> tuple[Tensor, Tensor]:
    """Divide images that came without a test set: every fifth of each class, in order, is a test.

    The rule draws nothing, so that runs with different seeds are judged on the same images, none
    of which any of them has trained on. Returns training and test indices.

    Raises:
        UserError: a class has fewer than `every` images.
    """
    order = labels.argsort(stable=True)
    counts = labels.bincount()
    small = ((counts > 0) & (counts < every)).nonzero().flatten().tolist()
    if small:
        raise UserError(
            f"class {classes[small[0]]} has {counts[small[0]]} images; {every} are needed to set "
            "test images aside"
        )
    test = _rank_in_class(labels[order]) % every == every - 1
    return order[~test].sort().values, order[test].sort().values


def _portion(total: int, fraction: float) -> int:
    return int(total * fraction + 1e-9)


def _share(total: int, fraction: float) -> Tensor:
    """Evenly spread marks [total], `fraction` of them set: where floor(fraction * i) steps up."""
    line = (torch.arange(total + 1, dtype=torch.float64) * fraction + 1e-9).floor()
    return line[1:] > line[:-1]


def _by_class(labels: Tensor, generator: torch.Generator | None) -> Tensor:
    """Image numbers, class by class, shuffled within a class."""
    shuffled = torch.randperm(len(labels), generator=generator)
    return shuffled[labels[shuffled].argsort(stable=True)]


def _rank_in_class(sorted_labels: Tensor) -> Tensor:
    """Position of each image within its class, for labels [N] in ascending order."""
    counts = sorted_labels.bincount()
    starts = counts.cumsum(0) - counts
    return torch.arange(len(sorted_labels)) - starts[sorted_labels]
