"""Batch norm whose scale is an input: the weight of its branch in a mixed operation.

Each branch of a mixed operation ends in a batch norm without affine parameters. The normalised
branch is multiplied by its weight and added to the sum. The weight can therefore replace the affine
scale, so that one kernel normalises, weights and computes the gradient of the weight.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ops.fused.slices import put_edges, take_edges
from ops.fused.wide_norm import suits_rows, wide_norm


class WeightedNorm(nn.Module):
    """y = w[c] · (x - mean) / sqrt(variance + eps), a batch norm with the weights as input.

    The statistics are those of `nn.BatchNorm2d(affine=False)`.

    Shapes: x `[B, C, H, W]`; weights `[C]`, or None for 1; y `[B, C, H, W]`.

    >>> x = torch.tensor([1.0, 3.0]).view(2, 1, 1, 1)
    >>> WeightedNorm(1)(x, torch.tensor([0.5])).flatten()
    tensor([-0.5000,  0.5000])
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(
        self,
        x: Tensor,
        weights: Tensor | None = None,
        edges: int = 1,
        chosen: Sequence[int] | None = None,
    ) -> Tensor:
        """Normalise and weight x.

        Args:
            x: `[B, C, H, W]`.
            weights: `[C]`, or None for 1.
            edges: Number of edges whose channels the norm has, one after the other.
            chosen: The edges whose channels x has; None means all.
        """
        mean = take_edges(self.running_mean, edges, chosen)
        variance = take_edges(self.running_var, edges, chosen)
        y = self.normalised(x, weights, mean, variance)
        if self.training:
            put_edges(self.running_mean, edges, chosen, mean)
            put_edges(self.running_var, edges, chosen, variance)
        return y

    def normalised(
        self, x: Tensor, weights: Tensor | None, mean: Tensor, variance: Tensor
    ) -> Tensor:
        """`forward` with the running statistics `mean` and `variance`, updated in training."""
        if self.training and suits_rows(x, mean):
            return wide_norm(x, weights, mean, variance, self.momentum, self.eps)
        return functional.batch_norm(
            x,
            mean,
            variance,
            # Contiguous: the channels_last backward of torch 2.13 on the CPU ignores strides here.
            weight=None if weights is None else weights.contiguous(),
            training=self.training,
            momentum=self.momentum,
            eps=self.eps,
        )
