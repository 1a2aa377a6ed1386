"""Synaptic flow."""

from __future__ import annotations

import math

import torch

from darts.proxies.subject import (
    Subject,
    gradients,
    logits_of,
    weights_of,
    without_batch_norms,
)


def synflow(subject: Subject) -> float:
    """log Σ |w ⊙ ∂R/∂w|, or 0 where the sum is 0.

    R is the sum of the logits for one image of ones, after every parameter and buffer is replaced
    by its absolute value and every batch norm by the identity, in double precision. The images of
    the batch are not used, only their size. Source: SynFlow (Tanaka et al., arXiv 2006.05467, §5),
    as a score in arXiv 2101.08134; the logarithm is NASLib's and changes no rank.
    """
    copied = without_batch_norms(subject.copy()).double()
    with torch.no_grad():
        for tensor in copied.state_dict().values():
            if tensor.is_floating_point():
                tensor.abs_()
    ones = torch.ones_like(subject.batch.images[:1], dtype=torch.float64)
    weights = weights_of(copied)
    flows = gradients(logits_of(copied, ones).sum(), weights)
    total = sum(float((w.detach() * g).abs().sum()) for w, g in zip(weights, flows, strict=True))
    return math.log(total) if total else 0.0
