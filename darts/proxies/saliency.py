"""Scores that sum weights and gradients over all convolutions and linear layers.

Notation: w are the weights of a layer, L is the mean cross-entropy of one batch, g = ∂L/∂w. Batch
norms are on. The conventions are those of NASLib (automl/NASLib, predictors/utils/pruners), which
follow "Zero-cost proxies for lightweight NAS" (Abdelfattah et al., arXiv 2101.08134, §3).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from darts.proxies.subject import Subject, gradients, weights_of


def l2_norm(subject: Subject) -> float:
    """Σ over layers of ‖w‖₂. It reads no image.

    >>> from darts.proxies.subject import Batch
    >>> layer = torch.nn.Linear(2, 1)
    >>> _ = layer.weight.data.copy_(torch.tensor([[3.0, 4.0]]))
    >>> l2_norm(Subject(layer, Batch(torch.ones(1, 2), torch.tensor([0]), 1)))
    5.0
    """
    return sum(float(w.detach().norm()) for w in weights_of(subject.copy()))


def grad_norm(subject: Subject) -> float:
    """Σ over layers of ‖g‖₂ (arXiv 2101.08134, §3.1)."""
    return sum(float(g.norm()) for g in subject.weight_gradients)


def snip(subject: Subject) -> float:
    """Σ |w ⊙ g| over all weights.

    w ⊙ g is the gradient with respect to a mask of ones that multiplies the weights. Source: SNIP
    (Lee et al., arXiv 1810.02340, §4.1); arXiv 2101.08134 uses the sum as a score.
    """
    return sum(float(product.abs().sum()) for product in _products(subject))


def plain(subject: Subject) -> float:
    """Σ w ⊙ g over all weights, with its sign: `snip` without the absolute value (NASLib)."""
    return sum(float(product.sum()) for product in _products(subject))


def grasp(subject: Subject) -> float:
    """-Σ w ⊙ H g over all weights, with the Hessian H of L.

    H g is the gradient of gᵀ stop(g), where stop(g) is constant; two backward passes, no Hessian.
    The temperature of the logits is 1. Source: GraSP (Wang et al., arXiv 2002.07376, §4.1).

    It takes more memory than the other scores, because the graph of the gradient is kept.
    """
    copied = _twice_differentiable(subject.copy())
    weights = weights_of(copied)
    found = gradients(subject.loss(copied), weights, differentiable=True)
    product = torch.stack([(g * g.detach()).sum() for g in found]).sum()
    if not product.requires_grad:
        return 0.0
    curved = gradients(product, weights)
    return -sum(float((w.detach() * h).sum()) for w, h in zip(weights, curved, strict=True))


class _HardSigmoid(nn.Module):
    """ReLU6(x + 3) / 6: the function of `nn.Hardsigmoid`, which torch differentiates only once."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu6(x + 3) / 6


def _twice_differentiable(copied: nn.Module) -> nn.Module:
    for part in list(copied.modules()):
        for name, child in part.named_children():
            if isinstance(child, nn.Hardsigmoid):
                setattr(part, name, _HardSigmoid())
    return copied


def _products(subject: Subject) -> list[Tensor]:
    """w ⊙ g of each layer."""
    pairs = zip(weights_of(subject.copy()), subject.weight_gradients, strict=True)
    return [w.detach() * g for w, g in pairs]
