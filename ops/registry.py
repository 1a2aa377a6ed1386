"""Registry of the operations that an edge can have: the built-in ones and a user's own.

Each entry has all facts about its operation: how to create one module, the fused form that
evaluates it on all edges at once, and whether it is the absent edge. No other code interprets the
name of an operation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from torch import nn

from ops import primitives
from ops.fused.branches import (
    DilatedConvFan,
    FactorizedReduceFan,
    FusedForm,
    NormalConvFan,
    SeparableConvFan,
    SharedPool,
)


class UnknownOperation(ValueError):
    """There is no operation of this name; the message lists those that there are."""


class Trivial(Enum):
    """Fused forms that need no module: the result is zero, or the state itself."""

    NOTHING = "nothing"
    IDENTITY = "identity"


@dataclass(frozen=True)
class Operation:
    """One entry of the registry.

    >>> import torch
    >>> double = Operation("double", lambda channels, stride, affine, normalised: nn.Identity())
    >>> double.create(8, 1, True, False)(torch.ones(1, 8, 4, 4)).shape
    torch.Size([1, 8, 4, 4])

    Attributes:
        name: The name in search spaces, genotypes and tables.
        create: (channels, stride, affine, normalised) -> a module that maps `[B, C, H, W]` to
            `[B, C, H/stride, W/stride]`; see `create_operation`.
        fuse: (channels, edges, stride) -> the form that evaluates the operation on all edges that
            leave a state, `Trivial` if it needs no module, or None for one module per edge.
        absent: Whether the operation is the absent edge, which a derived cell never keeps.
    """

    name: str
    create: Callable[[int, int, bool, bool], nn.Module]
    fuse: Callable[[int, int, int], FusedForm | Trivial | None] = lambda channels, edges, stride: (
        None
    )
    absent: bool = False


def _pool(kind: primitives.PoolKind) -> Operation:
    return Operation(
        f"{kind}_pool_3x3",
        lambda channels, stride, affine, normalised: primitives.Pool(
            kind, channels, stride, normalised
        ),
        lambda channels, edges, stride: SharedPool(kind, channels, stride),
    )


def _skip(name: str) -> Operation:
    """The identity; with stride 2 a factorised reduction."""
    return Operation(
        name,
        lambda channels, stride, affine, normalised: (
            nn.Identity()
            if stride == 1
            else primitives.FactorizedReduce(channels, channels, affine)
        ),
        lambda channels, edges, stride: (
            Trivial.IDENTITY if stride == 1 else FactorizedReduceFan(channels, edges)
        ),
    )


def _separable(kernel: int) -> Operation:
    return Operation(
        f"sep_conv_{kernel}x{kernel}",
        lambda channels, stride, affine, normalised: primitives.SeparableConv(
            channels, kernel, stride, affine
        ),
        lambda channels, edges, stride: SeparableConvFan(channels, edges, kernel, stride),
    )


def _normal(kernel: int) -> Operation:
    return Operation(
        f"nor_conv_{kernel}x{kernel}",
        lambda channels, stride, affine, normalised: primitives.NormalConv(
            channels, kernel, stride, affine
        ),
        lambda channels, edges, stride: NormalConvFan(channels, edges, kernel, stride),
    )


def _dilated(kernel: int) -> Operation:
    return Operation(
        f"dil_conv_{kernel}x{kernel}",
        lambda channels, stride, affine, normalised: primitives.DilatedConv(
            channels, kernel, stride, affine
        ),
        lambda channels, edges, stride: DilatedConvFan(channels, edges, kernel, stride),
    )


_BUILT_IN = (
    Operation(
        "none",
        lambda channels, stride, affine, normalised: primitives.Zero(stride),
        lambda channels, edges, stride: Trivial.NOTHING,
        absent=True,
    ),
    _pool("max"),
    _pool("avg"),
    _skip("skip_connect"),
    _separable(3),
    _separable(5),
    _dilated(3),
    _dilated(5),
    _normal(1),
    _normal(3),
    _skip("auxiliary_skip"),
    Operation("noise", lambda channels, stride, affine, normalised: primitives.RandomNoise(stride)),
    _separable(7),
    Operation(
        "conv_7x1_1x7",
        lambda channels, stride, affine, normalised: primitives.FactorizedConv7(
            channels, stride, affine
        ),
    ),
)
_operations = {operation.name: operation for operation in _BUILT_IN}


def register_operation(operation: Operation) -> Operation:
    """Register an operation under its name, in this process.

    Raises:
        ValueError: Another operation has that name.
    """
    if _operations.get(operation.name, operation) is not operation:
        raise ValueError(f"There is already an operation {operation.name!r}.")
    _operations[operation.name] = operation
    return operation


def list_operations() -> tuple[str, ...]:
    """The names of all operations, the built-in ones first."""
    return tuple(_operations)


def find_operation(name: str) -> Operation:
    """The entry of an operation.

    Raises:
        UnknownOperation: There is no such operation.
    """
    if name not in _operations:
        raise UnknownOperation(
            f"Unknown operation {name!r} (choices: {', '.join(_operations)}). If it is one of your "
            "own, name its file: --use my_parts.py."
        )
    return _operations[name]


def create_operation(
    name: str, channels: int, stride: int, affine: bool, *, normalised: bool = False
) -> nn.Module:
    """Create the operation `name` on `channels` channels as one module.

    >>> import torch
    >>> create_operation("sep_conv_3x3", 8, 2, affine=True)(torch.zeros(1, 8, 4, 4)).shape
    torch.Size([1, 8, 2, 2])

    Args:
        name: The name of the operation.
        channels: Channels of input and output.
        stride: 1 or 2.
        affine: Whether batch norms have scale and shift, as in networks trained from scratch.
        normalised: Whether a batch norm without scale and shift follows pooling, as in supernets.

    Raises:
        UnknownOperation: There is no such operation.
        ChannelError: `skip_connect` with stride 2 on an odd number of channels.
    """
    return find_operation(name).create(channels, stride, affine, normalised)
