"""Regularisation that acts inside a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Masks = Callable[[Sequence[int], float], Tensor]
Noise = torch.Generator | Masks
"""What drops paths and features: a random stream that masks are drawn from, or what hands out masks
made ahead, by shape and probability: zeros, and 1 / (1 - probability) for what stays."""


class PartGenerator(torch.Generator):
    """Draws for whole batches of `parts` equal parts, of which part `index` is at hand.

    A batch may be worked on in parts, by several processes or one after the other. Beginning each
    part with the same state gives all of them together the numbers that the whole would draw.
    """

    index = 0
    parts = 1

    @classmethod
    def starting_at(cls, state: Tensor, index: int, parts: int) -> PartGenerator:
        """One on the CPU that goes on from the state of another generator."""
        generator = cls()
        generator.set_state(state)
        generator.index, generator.parts = index, parts
        return generator


def draw(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Numbers in [0, 1) for the samples at hand, `[B, ...]`, where the generator lives."""
    index, parts = 0, 1
    if isinstance(generator, PartGenerator):
        index, parts = generator.index, generator.parts
    return torch.rand((parts, *shape), generator=generator, device=generator.device)[index]


def draw_mask(shape: Sequence[int], probability: float, generator: torch.Generator) -> Tensor:
    """Whether what a mask of `shape` acts on stays, each with 1 - probability."""
    return draw(shape, generator) < 1.0 - probability


def needed_noise(
    training: bool, drop_path: float, dropout: float, noise: Noise | None
) -> Noise | None:
    """The noise for a network's forward pass, or None where nothing can be dropped.

    Masks made ahead are taken whatever the probabilities, which are theirs alone.

    Raises:
        ValueError: There is none, and it is needed.
    """
    if not training:
        return None
    if noise is None and (drop_path or dropout):
        raise ValueError("Drop path and dropout need a random generator.")
    return None if isinstance(noise, torch.Generator) and not (drop_path or dropout) else noise


def drop_path(x: Tensor, probability: float, noise: Noise) -> Tensor:
    """Set whole samples of `x` `[B, ...]` to zero and scale the others by 1 / (1 - probability).

    The expected value stays that of `x` (FractalNet, arXiv 1605.07648; as in DARTS' utils.py). The
    mask is drawn where the generator lives.

    Raises:
        ValueError: probability lies outside [0, 1).
    """
    if not 0.0 <= probability < 1.0:
        raise ValueError(f"A drop path probability lies in [0, 1), not {probability}.")
    if probability == 0.0 and isinstance(noise, torch.Generator):
        return x
    return _masked(x, (x.shape[0], *[1] * (x.dim() - 1)), probability, noise)


def dropout(x: Tensor, probability: float, noise: Noise) -> Tensor:
    """Set elements of `x` to zero and scale the others by 1 / (1 - probability).

    As `torch.nn.functional.dropout`, but the mask is drawn from `noise`, where it lives.

    Raises:
        ValueError: probability lies outside [0, 1).
    """
    if not 0.0 <= probability < 1.0:
        raise ValueError(f"A dropout probability lies in [0, 1), not {probability}.")
    if probability == 0.0:
        return x
    return _masked(x, x.shape, probability, noise)


def _masked(x: Tensor, shape: Sequence[int], probability: float, noise: Noise) -> Tensor:
    if not isinstance(noise, torch.Generator):
        return x * noise(shape, probability).to(x.dtype)
    kept = draw_mask(shape, probability, noise).to(x.device, x.dtype, non_blocking=True)
    return x * (kept / (1.0 - probability))
