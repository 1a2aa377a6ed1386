"""Regularisation that acts inside a network."""

from __future__ import annotations

import torch
from torch import Tensor


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
    shape = (x.shape[0],) + (1,) * (x.dim() - 1)
    drawn = torch.rand(shape, generator=generator, device=generator.device)
    return x * ((drawn < keep).to(x.device, x.dtype) / keep)


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
    drawn = torch.rand(x.shape, generator=generator, device=generator.device)
    return x * ((drawn < keep).to(x.device, x.dtype) / keep)
