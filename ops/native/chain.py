"""Chains of ReLU, convolution and batch norm in one autograd function, in C++ (chain.cpp).

Arguments are passed as the 64-bit words of `StageCall` (stage.h) and `ChainCall` (chain.cpp).
"""

from __future__ import annotations

import ctypes
import functools
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ops.native import build
from ops.native.kernels import REALS

_SOURCE = "chain.cpp"
_Word = ctypes.c_int64


class ChainStage(NamedTuple):
    """One stage of a chain: BN(pointwise · depthwise · ReLU(x)), or BN(conv · ReLU(x)).

    Attributes:
        norm: The batch norm, with scale and shift.
        convolutions: A depthwise and a pointwise convolution; one (grouped) convolution; or both
            pointwise convolutions of a factorised reduction.
        relu: Whether a ReLU comes first.
    """

    norm: nn.BatchNorm2d
    convolutions: tuple[nn.Conv2d, ...]
    relu: bool = True

    @property
    def separable(self) -> bool:
        """Whether a depthwise and a pointwise convolution follow each other."""
        return len(self.convolutions) == 2 and self.convolutions[0].kernel_size != (1, 1)

    @property
    def halves(self) -> bool:
        """Whether this is a factorised reduction."""
        return len(self.convolutions) == 2 and not self.separable

    @property
    def parameters(self) -> list[Tensor]:
        """The kernels, then scale and shift."""
        parameters: list[Any] = [one._parameters["weight"] for one in self.convolutions]
        own = self.norm._parameters  # Nothing slower: this is called for each step of a network.
        return [*parameters, own["weight"], own["bias"]]


class _Fixed(NamedTuple):
    """What is known about a stage before its tensors; see `StageCall` in stage.h."""

    inputs: int
    outputs: int
    kernel: int
    stride: int
    dilation: int
    groups: int
    halves: int
    relu: int
    columns: int
    eps: int
    momentum: int

    @classmethod
    def of(cls, stage: ChainStage, vector: int) -> _Fixed:
        first, norm = stage.convolutions[0], stage.norm
        separable = stage.separable
        halves = len(stage.convolutions) == 2 and not separable
        groups = 1 if separable else first.groups
        outputs = norm.num_features
        # Each group's columns are rounded up to whole vectors.
        each = outputs // (2 if halves else groups)
        return cls(
            first.in_channels,
            outputs,
            first.kernel_size[0],
            2 if halves else first.stride[0],
            first.dilation[0],
            groups,
            halves,
            stage.relu,
            _rounded(outputs - each + _rounded(each, vector), vector),
            _bits(norm.eps),
            _bits(norm.momentum or 0.0),
        )


_PARAMETERS = 5  # window, two weights, scale and shift; absent ones are null


@functools.cache
def load(dtype: torch.dtype) -> ctypes.CDLL:
    """The kernels for numbers of this type; compiled if necessary.

    Raises:
        BuildError: The kernels cannot be compiled or loaded on this machine.
    """
    library = build.load_library(_SOURCE, {"REAL": REALS[dtype]})
    library.chain_vector.restype = _Word
    return library


def run_chain(
    stages: Sequence[ChainStage],
    x: Tensor,
    *,
    relu: bool = False,
    mask: Tensor | None = None,
    add: Tensor | None = None,
    shortcut: Sequence[ChainStage] | None = None,
    finally_relu: bool = False,
) -> Tensor:
    """mask · y + add, where y is the output of the last of `stages`, after a ReLU if `relu`.

    Batch norms are in training mode: they use the statistics of the batch and update their running
    ones. Only the inputs of the batch norms are saved for the backward pass.

    Args:
        stages: The stages in their order.
        x: `[B, C, H, W]`.
        mask: `[B, 1, 1, 1]`: factors of whole images, without a gradient.
        add: Like the result.
        shortcut: Instead of `add`, the output of these stages on `x` is added; x itself if there
            are none.
        finally_relu: Whether a ReLU follows the sum. The result must not be changed in place then.
    """
    every = (*stages, *(shortcut or ()))
    for stage in every:
        counter = stage.norm._buffers["num_batches_tracked"]
        assert counter is not None
        counter.add_(1)
    x = x.contiguous(memory_format=torch.channels_last)
    if mask is not None:
        mask = mask.to(x.dtype).contiguous()
    if add is not None:
        add = add.contiguous(memory_format=torch.channels_last)
    parameters = [one.contiguous() for stage in every for one in stage.parameters]
    beside = None if shortcut is None else tuple(shortcut)
    way = _Way(tuple(stages), beside, (relu, finally_relu))
    return _Chain.apply(way, mask, add, x, *parameters)


def in_rows(gradient: Tensor) -> tuple[Tensor, int]:
    """A gradient `[B, C, H, W]` whose pixels are rows of channels, and the distance of the rows.

    Slices of the channels of a tensor in channels_last are taken as they are.

    >>> rows, distance = in_rows(torch.ones(2, 4, 4, 6).permute(0, 3, 1, 2)[:, 2:4])
    >>> rows.shape, distance
    (torch.Size([2, 2, 4, 4]), 6)
    """
    _, channels, height, width = gradient.shape
    pitch = gradient.stride(3)
    if pitch >= channels and gradient.stride() == (height * width * pitch, 1, width * pitch, pitch):
        return gradient, pitch
    return gradient.contiguous(memory_format=torch.channels_last), channels


def _out(size: int, stride: int) -> int:
    return (size - 1) // stride + 1


def _rounded(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


@functools.cache
def _bits(number: float) -> int:
    """The integer of the same 64 bits."""
    return int(struct.unpack("q", struct.pack("d", number))[0])


def _addresses(stage: ChainStage, tensors: Sequence[Tensor]) -> list[int]:
    """Addresses of the parameters of a stage, or of their gradients, as `StageCall` has them."""
    found = [tensor.data_ptr() for tensor in tensors]
    if stage.separable:
        found.insert(2, 0)
    elif len(found) == 3:
        found[:1] = [0, found[0], 0]
    else:
        found.insert(0, 0)
    return found


def address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def _run(function: Any, chain: Sequence[int], stages: Sequence[int]) -> None:
    """Call a kernel. The structures of chain.cpp and stage.h are arrays of 64-bit words."""
    of_stages = (_Word * len(stages))(*stages)
    function((_Word * (len(chain) + 1))(*chain, ctypes.addressof(of_stages)))


class _Way(NamedTuple):
    """What is computed, apart from the tensors; see `run_chain`."""

    stages: tuple[ChainStage, ...]
    shortcut: tuple[ChainStage, ...] | None
    relus: tuple[bool, bool]


class _Pass(NamedTuple):
    """A forward pass of some stages, apart from the tensors that autograd keeps."""

    stages: tuple[ChainStage, ...]
    fixed: list[_Fixed]
    relus: tuple[bool, bool]


def _forward(
    stages: tuple[ChainStage, ...],
    relus: tuple[bool, bool],
    x: Tensor,
    parameters: Sequence[Tensor],
    *,
    mask: Tensor | None = None,
    add: Tensor | None = None,
) -> tuple[Tensor, _Pass, list[Tensor]]:
    """The output of stages, their pass, and the inputs and statistics of their batch norms."""
    library = load(x.dtype)
    vector = library.chain_vector()
    batch, _, height, width = x.shape
    given = iter(parameters)
    fixed, kept, words = [], [], []
    size = (height, width)
    for stage in stages:
        known = _Fixed.of(stage, vector)
        size = (_out(size[0], known.stride), _out(size[1], known.stride))
        # The kernels of groups leave the last numbers of a row as they are.
        make = x.new_zeros if known.groups > 1 and known.columns > known.outputs else x.new_empty
        z = make((batch, *size, known.columns))
        norm = x.new_empty((2, known.columns))
        own = [next(given) for _ in range(_parameters_of(stage))]
        running: Any = stage.norm._buffers
        words += [*known, *_addresses(stage, own), *(0,) * _PARAMETERS]
        words += [running["running_mean"].data_ptr(), running["running_var"].data_ptr()]
        words += [z.data_ptr(), norm.data_ptr()]
        fixed.append(known)
        kept += [z, norm]
    shape = (batch, fixed[-1].outputs, *size)
    y = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last)
    chain = (batch, height, width, len(stages), torch.get_num_threads(), *relus)
    tensors = (x.data_ptr(), address(mask), address(add), y.data_ptr(), *(0,) * 5)
    _run(library.chain_forward, (*chain, *tensors), words)
    return y, _Pass(stages, fixed, relus), kept


def _backward(
    done: _Pass,
    x: Tensor,
    dy: Tensor,
    parameters: Sequence[Tensor],
    kept: Sequence[Tensor],
    *,
    dx: Tensor | None,
    base: Tensor | None,
    mask: Tensor | None = None,
    y: Tensor | None = None,
    d_sum: Tensor | None = None,
) -> list[Tensor]:
    """The gradients of the parameters. Writes dx, plus `base`, and with `y` also `d_sum`."""
    gradients = [torch.empty_like(parameter) for parameter in parameters]
    words, at, of_stages = [], 0, iter(kept)
    for stage, known in zip(done.stages, done.fixed, strict=True):
        own = slice(at, at + _parameters_of(stage))
        words += [*known, *_addresses(stage, parameters[own])]
        words += [*_addresses(stage, gradients[own]), 0, 0]
        words += [next(of_stages).data_ptr(), next(of_stages).data_ptr()]
        at = own.stop
    given, pitch = in_rows(dy)
    batch, _, height, width = x.shape
    chain = (batch, height, width, len(done.stages), torch.get_num_threads(), *done.relus)
    tensors = (x.data_ptr(), address(mask), 0, address(y), given.data_ptr(), pitch)
    written = (address(d_sum), address(dx), address(base))
    _run(load(x.dtype).chain_backward, (*chain, *tensors, *written), words)
    return gradients


def _parameters_of(stage: ChainStage) -> int:
    return len(stage.convolutions) + 2


class _Chain(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        way: _Way,
        mask: Tensor | None,
        add: Tensor | None,
        x: Tensor,
        *parameters: Tensor,
    ) -> Tensor:
        count = sum(map(_parameters_of, way.stages))
        beside: _Pass | None = None
        others: list[Tensor] = []
        if way.shortcut:
            rest = parameters[count:]
            add, beside, others = _forward(way.shortcut, (False, False), x, rest)
        elif way.shortcut is not None:
            add = x
        own = parameters[:count]
        y, main, kept = _forward(way.stages, way.relus, x, own, mask=mask, add=add)
        ctx.passes, of_sum = (main, beside), y if way.relus[1] else None
        ctx.save_for_backward(x, mask, of_sum, *parameters, *kept, *others)
        ctx.itself, ctx.parameters = way.shortcut == (), len(parameters)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, mask, y, *tensors = ctx.saved_tensors
        parameters, kept = tensors[: ctx.parameters], tensors[ctx.parameters :]
        main, beside = ctx.passes
        count, norms = sum(map(_parameters_of, main.stages)), 2 * len(main.stages)
        wanted = ctx.needs_input_grad
        dx = torch.empty_like(x) if wanted[3] else None
        d_sum = dy if y is None else torch.empty_like(y)
        base = d_sum.contiguous(memory_format=torch.channels_last) if ctx.itself else None
        own, of_own = parameters[:count], kept[:norms]
        forms = {"mask": mask, "y": y, "d_sum": None if y is None else d_sum}
        learned = _backward(main, x, dy, own, of_own, dx=dx, base=base, **forms)
        if beside is not None:  # Its gradient is added to that of the main stages.
            rest, of_rest = parameters[count:], kept[norms:]
            learned += _backward(beside, x, d_sum, rest, of_rest, dx=dx, base=dx)
        needed = [
            gradient if is_needed else None
            for gradient, is_needed in zip(learned, wanted[4:], strict=True)
        ]
        return None, None, d_sum if wanted[2] else None, dx, *needed
