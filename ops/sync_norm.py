"""Batch normalisation whose statistics are those of the batches of all processes together.

torch's own SyncBatchNorm works on CUDA only and takes no weight from outside. This one is written
with collectives of torch.distributed, so it works with every back end of theirs.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ops.fused.mixed_norm import WeightedNorm


def synchronise_norms(module: nn.Module) -> None:
    """Let every norm in `module` take its statistics from all processes, in training mode.

    Parameters, buffers and their names stay. Every process must evaluate the same norms in the same
    order, forwards and backwards.
    """
    for norm in module.modules():
        if type(norm) is nn.BatchNorm2d:
            norm.__class__ = SyncBatchNorm
        elif type(norm) is WeightedNorm:
            norm.__class__ = SyncWeightedNorm


class SyncWeightedNorm(WeightedNorm):
    """`WeightedNorm` over all processes; made by `synchronise_norms`."""

    def forward(self, x: Tensor, weights: Tensor | None = None) -> Tensor:
        if not self.training:
            return super().forward(x, weights)
        return _normalise(self, x, weights, None)


class SyncBatchNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d` over all processes; made by `synchronise_norms`."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        if self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        return _normalise(self, x, self.weight, self.bias)


def _normalise(
    norm: SyncWeightedNorm | SyncBatchNorm, x: Tensor, weight: Tensor | None, bias: Tensor | None
) -> Tensor:
    # Statistics keep their precision under autocast, as those of torch's batch norms do.
    result, mean, variance, count = _Normalised.apply(x.to(_statistics_dtype(x)), norm.eps)
    with torch.no_grad():
        momentum = norm.momentum
        if norm.running_mean is not None and norm.running_var is not None and momentum:
            unbiased = variance * (count / (count - 1).clamp_min(1))
            norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), momentum)
            norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), momentum)
    if weight is not None:
        result = result * weight.view(-1, 1, 1)
    if bias is not None:
        result = result + bias.view(-1, 1, 1)
    return result.to(x.dtype)


def _statistics_dtype(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)


class _Normalised(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps) over all processes; also mean, variance and pixel count.

    The gradient is that of the sum of all processes' losses: averaged over the processes, it is
    that of the mean of their losses, like every other gradient.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, eps: float) -> tuple[Tensor, ...]:
        variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
        pixels = mean.new_full((1,), x.numel() / x.shape[1])
        own = torch.cat([pixels, mean, variance])
        everyone = [torch.empty_like(own) for _ in range(dist.get_world_size())]
        dist.all_gather(everyone, own)
        counts, means, variances = torch.stack(everyone).split([1, len(mean), len(mean)], dim=1)
        count = counts.sum()
        mean = (counts * means).sum(0) / count
        variance = (counts * (variances + (means - mean) ** 2)).sum(0) / count
        inverse = (variance + eps).rsqrt()
        result = (x - mean.view(-1, 1, 1)) * inverse.view(-1, 1, 1)
        # Not the result, which what follows may change in place.
        ctx.save_for_backward(x, mean, inverse, count)
        ctx.mark_non_differentiable(mean, variance, count)
        return result, mean, variance, count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, None]:
        x, mean, inverse, count = ctx.saved_tensors
        result = (x - mean.view(-1, 1, 1)) * inverse.view(-1, 1, 1)
        sums = torch.cat([gradient.sum((0, 2, 3)), (gradient * result).sum((0, 2, 3))])
        dist.all_reduce(sums)
        level, slope = (sums / count).view(2, -1, 1, 1)
        return (gradient - level - result * slope) * inverse.view(-1, 1, 1), None
