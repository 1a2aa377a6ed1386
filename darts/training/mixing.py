"""Mixup: convex combinations of pairs of images and of their labels (arXiv 1710.09412)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def draw_share(alpha: float, generator: torch.Generator) -> float:
    """Sample from Beta(alpha, alpha); a torch generator provides the seed."""
    seed = torch.randint(2**62, (), generator=generator).item()
    return float(np.random.default_rng(int(seed)).beta(alpha, alpha))


def mix(images: Tensor, targets: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Mix each image and target with those of its neighbour in the batch.

        mixed[i] = share · images[i] + (1 - share) · images[i - 1]

    Batches are in random order, so the neighbour is a random partner. (The paper's code samples a
    permutation. As there, one share is used for the whole batch.)

    >>> images, targets = torch.eye(2).view(2, 1, 1, 2), torch.eye(2)
    >>> mix(images, targets, 0.75)[1]
    tensor([[0.7500, 0.2500],
            [0.2500, 0.7500]])

    Args:
        images: `[B, C, H, W]`.
        targets: Probabilities `[B, classes]`.
    """
    mixed = share * images + (1 - share) * images.roll(1, dims=0)
    return mixed, share * targets + (1 - share) * targets.roll(1, dims=0)
