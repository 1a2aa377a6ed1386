"""Mixup: convex pairs of images and of their labels (arXiv 1710.09412)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def draw_share(alpha: float, generator: torch.Generator) -> float:
    """A number of the distribution Beta(alpha, alpha); a torch generator lends its randomness."""
    seed = torch.randint(2**62, (), generator=generator).item()
    return float(np.random.default_rng(int(seed)).beta(alpha, alpha))


def mix(images: Tensor, targets: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """`share` of each image and target, and the rest of those of its neighbour in the batch.

    Batches come in random order, so a neighbour is as good as a random partner (the paper's code
    draws a permutation); one share for the whole batch, as there.

    Args:
        images: `[B, C, H, W]`.
        targets: Probabilities `[B, classes]`.
    """
    mixed = share * images + (1 - share) * images.roll(1, dims=0)
    return mixed, share * targets + (1 - share) * targets.roll(1, dims=0)


def one_hot(labels: Tensor, num_classes: int, dtype: torch.dtype) -> Tensor:
    """Labels `[B]` as probabilities `[B, num_classes]`."""
    return functional.one_hot(labels, num_classes).to(dtype)
