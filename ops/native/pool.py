"""3x3 pooling in training, with drop path and the sum of a node, in C++ (pool_call.h).

Arguments are passed as the 64-bit words of `PoolCall`.
"""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ops.native.chain import address, in_rows, load

_Word = ctypes.c_int64


def run_pool(
    x: Tensor, *, stride: int, maximum: bool, mask: Tensor | None = None, add: Tensor | None = None
) -> Tensor:
    """mask · pool(x) + add, where pool is the average without padding or the maximum of 3x3 pixels.

    >>> x = torch.arange(9.0).view(1, 1, 3, 3)
    >>> run_pool(x, stride=2, maximum=False).flatten().tolist()
    [2.0, 3.0, 5.0, 6.0]

    Args:
        x: `[B, C, H, W]`.
        stride: 1 or 2.
        maximum: Whether the maximum is taken; its gradient goes to its first position.
        mask: `[B, 1, 1, 1]`: factors of whole images, without a gradient.
        add: Like the result.
    """
    x = x.contiguous(memory_format=torch.channels_last)
    if mask is not None:
        mask = mask.to(x.dtype).contiguous()
    if add is not None:
        add = add.contiguous(memory_format=torch.channels_last)
    return _Pool.apply(stride, maximum, mask, add, x)


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, stride: int, maximum: bool, mask: Tensor | None, add: Tensor | None, x: Tensor
    ) -> Tensor:
        batch, channels, height, width = x.shape
        size = ((height - 1) // stride + 1, (width - 1) // stride + 1)
        y = x.new_empty((batch, *size, channels)).permute(0, 3, 1, 2)
        own = (batch, height, width, channels, stride, maximum, torch.get_num_threads())
        words = (*own, address(x), address(mask), address(add), address(y), 0, 0, 0)
        load(x.dtype).pool_forward((_Word * len(words))(*words))
        ctx.save_for_backward(x, mask)
        ctx.own = own
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, mask = ctx.saved_tensors
        dx = None
        if ctx.needs_input_grad[4]:
            dx = torch.empty_like(x)
            given, pitch = in_rows(dy)
            tensors = (address(x), address(mask), 0, 0, address(given), pitch, address(dx))
            words = (*ctx.own[:-1], torch.get_num_threads(), *tensors)
            load(x.dtype).pool_backward((_Word * len(words))(*words))
        return None, None, None, dy if ctx.needs_input_grad[3] else None, dx
