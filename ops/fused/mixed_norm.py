"""Batch normalisation whose scale comes from outside: the weight of its branch in a mixture.

A mixed operation adds branches that each end in a batch normalisation without affine parameters.
Since the normalised branch is only multiplied by its weight and added, the weight can stand where
the affine scale stands, and one kernel normalises, weighs, and yields the weight's gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ops.fused.wide_norm import suits_rows, wide_norm


class WeightedNorm(nn.Module):
    """w[c] * (x - mean) / sqrt(variance + eps), statistics as in `nn.BatchNorm2d(affine=False)`.

    Shapes: x `[B, C, H, W]`, weights `[C]` or None for 1.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor, weights: Tensor | None = None) -> Tensor:
        if self.training and suits_rows(x, self.running_mean):
            return wide_norm(
                x, weights, self.running_mean, self.running_var, self.momentum, self.eps
            )
        return functional.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            # In one piece: the channels_last backward (torch 2.13, CPU) ignores its stride.
            weight=None if weights is None else weights.contiguous(),
            training=self.training,
            momentum=self.momentum,
            eps=self.eps,
        )
