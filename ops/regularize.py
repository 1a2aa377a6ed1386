"""Regularisation that acts inside a network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


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


def drop_path(x: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Set whole samples of `x` `[B, ...]` to zero and scale the others by 1 / (1 - probability).

    The expected value stays that of `x` (FractalNet, arXiv 1605.07648; as in DARTS' utils.py). The
    mask is drawn where the generator lives.

    Raises:
        ValueError: probability lies outside [0, 1).
    """
    if not 0.0 <= probability < 1.0:
        raise ValueError(f"A drop path probability lies in [0, 1), not {probability}.")
    if probability == 0.0:
        return x
    keep = 1.0 - probability
    drawn = draw((x.shape[0], *[1] * (x.dim() - 1)), generator)
    return x * ((drawn < keep).to(x.device, x.dtype, non_blocking=True) / keep)


def dropout(x: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Set elements of `x` to zero and scale the others by 1 / (1 - probability).

    As `torch.nn.functional.dropout`, but the mask is drawn from `generator`, where it lives.

    Raises:
        ValueError: probability lies outside [0, 1).
    """
    if not 0.0 <= probability < 1.0:
        raise ValueError(f"A dropout probability lies in [0, 1), not {probability}.")
    if probability == 0.0:
        return x
    keep = 1.0 - probability
    drawn = draw(x.shape, generator)
    return x * ((drawn < keep).to(x.device, x.dtype, non_blocking=True) / keep)
