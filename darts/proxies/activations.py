"""The score of activation patterns."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from darts.proxies.subject import Subject, logits_of

RECTIFIERS = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.ELU,
    nn.GELU,
    nn.SiLU,
    nn.Hardswish,
)
"""Activations that pass large positive inputs and suppress negative ones."""


def nwot(subject: Subject) -> float:
    """log |det K|,  K = Σ over ReLUs of  x xᵀ + (1 - x)(1 - x)ᵀ.

    x `[B, N]` holds 1 where the input of the ReLU is positive, else 0: K counts for each pair of
    images the units that are on for both or off for both. Batch norms are on. Source: Mellor et
    al., "Neural architecture search without training" (arXiv 2006.04647, §3); NASLib.

    NASLib counts `nn.ReLU` only. Networks with other activations of this kind (`RECTIFIERS`) are
    scored by the signs of those inputs as well. Activations that are not modules are not seen.
    """
    copied = subject.copy()
    size = len(subject.batch.images)
    kernel = torch.zeros(size, size, dtype=torch.float64, device=subject.batch.images.device)

    def before_forward(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        on = (inputs[0].detach().flatten(1) > 0).to(torch.float32)
        # Exact in float32 as long as a layer has at most 2^24 units.
        kernel.add_((on @ on.T + (1 - on) @ (1 - on).T).double())

    for part in copied.modules():
        if isinstance(part, RECTIFIERS):
            part.register_forward_pre_hook(before_forward)
    with torch.no_grad():
        logits_of(copied, subject.batch.images)
    return float(torch.linalg.slogdet(kernel).logabsdet)
