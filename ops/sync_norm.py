"""Synchronised batch norms: the statistics are computed over the batches of all processes.

torch.nn.SyncBatchNorm works on CUDA only and accepts no weight from outside. These batch norms use
collectives of torch.distributed and work with each of its back ends.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ops.fused.mixed_norm import WeightedNorm


def synchronise_norms(module: nn.Module) -> None:
    """Make all batch norms in `module` use the statistics of all processes in training mode.

    Parameters, buffers and their names do not change. All processes must evaluate the same batch
    norms in the same order, both forward and backward.

    >>> network = nn.Sequential(nn.BatchNorm2d(4), WeightedNorm(4))
    >>> synchronise_norms(network)
    >>> [type(norm).__name__ for norm in network]
    ['SyncBatchNorm', 'SyncWeightedNorm']
    """
    for norm in module.modules():
        if type(norm) is nn.BatchNorm2d:
            norm.__class__ = SyncBatchNorm
        elif type(norm) is WeightedNorm:
            norm.__class__ = SyncWeightedNorm


class SyncWeightedNorm(WeightedNorm):
    """`WeightedNorm` with statistics over all processes; created by `synchronise_norms`."""

    def normalised(
        self, x: Tensor, weights: Tensor | None, mean: Tensor, variance: Tensor
    ) -> Tensor:
        if not self.training:
            return super().normalised(x, weights, mean, variance)
        return _normalise(self, x, weights, None, (mean, variance))


class SyncBatchNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d` with statistics over all processes; created by `synchronise_norms`."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        if self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        running = self.running_mean, self.running_var
        return _normalise(self, x, self.weight, self.bias, running)


def _normalise(
    norm: SyncWeightedNorm | SyncBatchNorm,
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running: tuple[Tensor | None, Tensor | None],
) -> Tensor:
    # Under autocast, statistics stay in full precision, as in torch's batch norms.
    result, mean, variance, count = _Normalised.apply(x.to(_statistics_dtype(x)), norm.eps)
    with torch.no_grad():
        momentum, (running_mean, running_var) = norm.momentum, running
        if running_mean is not None and running_var is not None and momentum:
            unbiased = variance * (count / (count - 1).clamp_min(1))
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            running_var.lerp_(unbiased.to(running_var.dtype), momentum)
    if weight is not None:
        result = result * weight.view(-1, 1, 1)
    if bias is not None:
        result = result + bias.view(-1, 1, 1)
    return result.to(x.dtype)


def _statistics_dtype(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)


class _Normalised(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps) over all processes, with mean, variance and pixel count.

    The gradient is that of the sum of the losses of all processes. Averaged over the processes it
    becomes the gradient of their mean loss, like the gradients of all other layers.
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
        # Save x instead of the result: the next layer may change the result in place.
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
