"""Preprocessing (ReLU, 1x1 convolution, batch norm) of one input for all cells that read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ops.native.kernels import InputCall, ReaderCall, addresses, run_preprocess
from ops.primitives import FactorizedReduce, ReluConvBn

Module = ReluConvBn | FactorizedReduce


def preprocess(modules: Sequence[Module], pieces: Sequence[Tensor]) -> list[Tensor]:
    """Preprocess one input x `[B, C, H, W]` with each of `modules`, reading it only once.

    Args:
        modules: The readers of x, without affine parameters. It is faster if the first one reads
            all pixels (has stride 1).
        pieces: x, split into pieces of equally many channels.

    Returns:
        For each module its output, `[B, C_out, H, W]` or `[B, C_out, H/2, W/2]`.
    """
    for module in modules:
        if module.norm.training and module.norm.num_batches_tracked is not None:
            module.norm.num_batches_tracked.add_(1)
    pieces = [piece.contiguous(memory_format=torch.channels_last) for piece in pieces]
    weights = [weight.contiguous() for module in modules for weight in _weights(module)]
    return list(_Preprocess.apply(modules, len(pieces), *pieces, *weights))


def _weights(module: Module) -> list[Tensor]:
    if isinstance(module, FactorizedReduce):
        return [module.conv1.weight, module.conv2.weight]
    return [module.conv.weight]


def _parts(module: Module) -> int:
    return 2 if isinstance(module, FactorizedReduce) else 1


def _input(pieces: Sequence[Tensor], training: bool) -> InputCall:
    batch, channels, height, width = pieces[0].shape
    return InputCall(
        batch=batch,
        height=height,
        width=width,
        channels=len(pieces) * channels,
        pieces=len(pieces),
        training=training,
        threads=torch.get_num_threads(),
        x=addresses(pieces),
    )


def _readers(modules: Sequence[Module], weights: Sequence[Tensor]) -> list[ReaderCall]:
    given = iter(weights)
    readers = []
    for module in modules:
        own = [next(given) for _ in range(_parts(module))]
        readers.append(
            ReaderCall(
                outputs=sum(len(weight) for weight in own),
                parts=len(own),
                eps=module.norm.eps,
                momentum=module.norm.momentum,
                weight=addresses(own, 2),
            )
        )
    return readers


class _Preprocess(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, modules: Sequence[Module], count: int, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        pieces, weights = tensors[:count], tensors[count:]
        call = _input(pieces, modules[0].norm.training)
        readers = _readers(modules, weights)
        results, kept = [], []
        for module, reader in zip(modules, readers, strict=True):
            size = (call.batch, reader.outputs, call.height // reader.parts)
            y = torch.empty(
                (*size, call.width // reader.parts),
                dtype=pieces[0].dtype,
                memory_format=torch.channels_last,
            )
            inverse = y.new_empty(reader.outputs)
            reader.running = addresses([module.norm.running_mean, module.norm.running_var], 2)
            reader.y, reader.inverse = y.data_ptr(), inverse.data_ptr()
            results.append(y)
            kept.append(inverse)
        run_preprocess(call, readers, pieces[0].dtype, backward=False)
        ctx.save_for_backward(*tensors, *results, *kept)
        ctx.modules, ctx.count, ctx.training = modules, count, modules[0].norm.training
        return tuple(results)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        modules, count = ctx.modules, ctx.count
        saved = ctx.saved_tensors
        tensors, saved = saved[: -2 * len(modules)], saved[-2 * len(modules) :]
        pieces, weights = tensors[:count], tensors[count:]
        needed = ctx.needs_input_grad[2:]
        call = _input(pieces, ctx.training)
        readers = _readers(modules, weights)
        given = [dy.contiguous(memory_format=torch.channels_last) for dy in gradients]
        learned = [
            torch.empty_like(weight) if wanted else None
            for weight, wanted in zip(weights, needed[count:], strict=True)
        ]
        left = iter(learned)
        for reader, y, inverse, dy in zip(
            readers, saved[: len(modules)], saved[len(modules) :], given, strict=True
        ):
            reader.y, reader.inverse, reader.dy = y.data_ptr(), inverse.data_ptr(), dy.data_ptr()
            reader.gradient = addresses([next(left) for _ in range(reader.parts)], 2)
        # A first reader with stride 2 skips pixels; their gradient must be zero.
        make = torch.zeros_like if readers[0].parts == 2 else torch.empty_like
        d_pieces: list[Tensor | None] = [None] * count
        if any(needed[:count]):
            d_pieces = [make(piece) for piece in pieces]
            call.dx = addresses(d_pieces)
        if any(needed):
            run_preprocess(call, readers, pieces[0].dtype, backward=True)
        return None, None, *d_pieces, *learned
