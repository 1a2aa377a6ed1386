"""A cell's preprocessing (ReLU, 1x1 convolution, norm) as one autograd function."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ops.native.kernels import Preprocess, addresses, run_preprocess
from ops.primitives import FactorizedReduce, ReluConvBn


def preprocess(module: ReluConvBn | FactorizedReduce, x: Tensor) -> Tensor:
    """What `module`, without affine parameters, makes of x `[B, C, H, W]`."""
    if isinstance(module, FactorizedReduce):
        weights = [module.conv1.weight, module.conv2.weight]
    else:
        weights = [module.conv.weight]
    if module.norm.training and module.norm.num_batches_tracked is not None:
        module.norm.num_batches_tracked.add_(1)
    result: Tensor = _Preprocess.apply(
        module.norm, x.contiguous(memory_format=torch.channels_last), *weights
    )
    return result


def _call(norm: nn.BatchNorm2d, x: Tensor, weights: tuple[Tensor, ...]) -> Preprocess:
    batch, inputs, height, width = x.shape
    return Preprocess(
        batch=batch,
        height=height,
        width=width,
        inputs=inputs,
        outputs=sum(len(weight) for weight in weights),
        parts=len(weights),
        threads=torch.get_num_threads(),
        eps=norm.eps,
        momentum=norm.momentum,
        x=x.data_ptr(),
        weight=addresses(weights, 2),
    )


class _Preprocess(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, norm: nn.BatchNorm2d, x: Tensor, *weights: Tensor) -> Tensor:
        weights = tuple(weight.contiguous() for weight in weights)
        call = _call(norm, x, weights)
        call.training = norm.training
        call.running = addresses([norm.running_mean, norm.running_var], 2)
        size = (call.batch, call.outputs, call.height // call.parts, call.width // call.parts)
        y = torch.empty(size, dtype=x.dtype, memory_format=torch.channels_last)
        inverse = x.new_empty(call.outputs)
        call.y, call.inverse = y.data_ptr(), inverse.data_ptr()
        run_preprocess(call, x.dtype, backward=False)
        ctx.save_for_backward(x, y, inverse, *weights)
        ctx.norm, ctx.training = norm, norm.training
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, y, inverse, *weights = ctx.saved_tensors
        dy = dy.contiguous(memory_format=torch.channels_last)
        call = _call(ctx.norm, x, tuple(weights))
        call.training = ctx.training
        call.y, call.inverse, call.dy = y.data_ptr(), inverse.data_ptr(), dy.data_ptr()
        # With stride 2 the kernels read half of the pixels; the others get nothing.
        make = torch.zeros_like if call.parts == 2 else torch.empty_like
        dx = make(x) if ctx.needs_input_grad[1] else None
        learns = any(ctx.needs_input_grad[2:])
        gradients = [torch.empty_like(weight) if learns else None for weight in weights]
        call.dx = None if dx is None else dx.data_ptr()
        call.gradient = addresses(gradients, 2)
        if dx is not None or learns:
            run_preprocess(call, x.dtype, backward=True)
        return None, dx, *gradients
