"""Training of chains of ReLU, convolution and batch norm on a CPU: the one place that decides how.

Derived cells and the blocks of RegNets consist of such chains. On a CPU they run in C++
(`ops.native.chain`) if the tensors are in the layout channels_last, gradients are recorded, the
batch norms have scale and shift, and there is a compiler. Everything else (evaluation, supernets,
other devices, autocast, `torch.func`, compiling, tracing, hooks on the layers, synchronised batch
norms) runs layer by layer in PyTorch. Both give the same numbers; in float64 they agree to 1e-9.

The environment variable DARTS_BACKEND chooses: `torch` switches the kernels off, `native` makes it
an error if they cannot be compiled; by default they are used where they can.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules import module as modules

from ops.backends import BACKENDS, VARIABLE, BackendError
from ops.native import build
from ops.native.chain import ChainStage, load, run_chain
from ops.native.kernels import REALS
from ops.native.pool import run_pool

__all__ = [
    "ChainStage",
    "Chained",
    "prepare_chains",
    "run_chain",
    "run_pool",
    "takes_chain",
    "takes_pool",
]

_log = logging.getLogger(__name__)

# In groups of fewer channels, vectors are mostly empty.
NARROWEST_GROUP = 4


class Chained(nn.Module):
    """Base of an operation that is a chain: its stages, and the same as single layers.

    >>> class Double(Chained):
    ...     def layered(self, x):
    ...         return 2 * x
    >>> Double()(torch.ones(1, 1, 1, 1), add=torch.ones(1, 1, 1, 1)).item()
    3.0
    """

    @property
    def stages(self) -> tuple[ChainStage, ...]:
        """The stages; without any, only the layers compute."""
        return ()

    def layered(self, x: Tensor) -> Tensor:
        """The operation on x `[B, C, H, W]`, layer by layer in PyTorch."""
        raise NotImplementedError

    def forward(self, x: Tensor, mask: Tensor | None = None, add: Tensor | None = None) -> Tensor:
        """mask · operation(x) + add.

        Args:
            x: `[B, C, H, W]`.
            mask: `[B, 1, 1, 1]`: factors of whole images; None for ones.
            add: Like the result; None for zeros.
        """
        stages = self.stages
        if takes_chain(stages, x):
            return run_chain(stages, x, mask=mask, add=add)
        y = self.layered(x)
        if mask is not None:
            y = y * mask
        return y if add is None else add + y


def takes_chain(stages: Sequence[ChainStage], x: Tensor) -> bool:
    """Whether `run_chain` can compute these stages on `x` `[B, C, H, W]` now.

    >>> norm, conv = nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1, bias=False)
    >>> takes_chain([ChainStage(norm, (conv,))], torch.ones(2, 4, 8, 8))  # not channels_last
    False
    """
    return (
        len(stages) > 0
        and _trains_here(x)
        and len(x) > 1
        and all(
            _takes_norm(stage.norm, x.dtype)
            and _suits(stage)
            and all(_plain(one, x.dtype) for one in stage.convolutions)
            for stage in stages
        )
        and not (stages[0].halves and (x.shape[2] % 2 or x.shape[3] % 2))
        and _is_eager()
        and prepare_chains(x.dtype)
    )


def takes_pool(layer: nn.Module, x: Tensor) -> bool:
    """Whether `run_pool` can compute this 3x3 pooling of `x` `[B, C, H, W]` now.

    >>> takes_pool(nn.MaxPool2d(3), torch.ones(2, 4, 8, 8))  # not channels_last
    False
    """
    return _trains_here(x) and not _is_watched(layer) and _is_eager() and prepare_chains(x.dtype)


def _trains_here(x: Tensor) -> bool:
    return (
        x.is_cpu
        and x.dim() == 4
        and torch.is_grad_enabled()
        and not torch.jit.is_tracing()
        and x.is_contiguous(memory_format=torch.channels_last)
        and type(x) in (Tensor, nn.Parameter)
    )


def _is_eager() -> bool:
    return (
        not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch._C._are_functorch_transforms_active()
        and not modules._has_any_global_hook()
    )


def prepare_chains(dtype: torch.dtype) -> bool:
    """Compile the kernels if necessary; whether there are any for this type of numbers.

    Raises:
        BackendError: DARTS_BACKEND asks for native kernels, and there are none; or it is wrong.
    """
    return dtype in REALS and _prepared(dtype, os.environ.get(VARIABLE) or "auto")


@functools.cache
def _prepared(dtype: torch.dtype, backend: str) -> bool:
    if backend not in BACKENDS:
        raise BackendError(f"{VARIABLE} is {backend!r}; valid: {', '.join(BACKENDS)}.")
    if backend not in ("auto", "native"):
        return False
    try:
        load(dtype)
    except build.BuildError as error:
        if backend == "native":
            raise BackendError(f"The native back end does not work here: {error}") from error
        _log.warning("Networks train in PyTorch, without native kernels: %s", error)
        return False
    return True


def _takes_norm(norm: nn.BatchNorm2d, dtype: torch.dtype) -> bool:
    mean = norm._buffers["running_mean"]
    return (
        type(norm) is nn.BatchNorm2d  # not synchronised
        and norm.training
        and norm.momentum is not None
        and _plain(norm, dtype)
        and mean is not None
        and mean.dtype == dtype
    )


def _suits(stage: ChainStage) -> bool:
    first = stage.convolutions[0]
    size, groups = first.kernel_size[0], first.groups
    around = first.dilation[0] * (size // 2)
    return (
        all(one._parameters["bias"] is None for one in stage.convolutions)
        and first.padding == (around, around)
        and first.padding_mode == "zeros"
        and size % 2 == 1
        and first.kernel_size[1] == size
        and first.stride[0] == first.stride[1]
        and first.dilation[0] == first.dilation[1]
        and (groups == 1 or first.in_channels >= NARROWEST_GROUP * groups or stage.separable)
    )


def _plain(layer: nn.Module, dtype: torch.dtype) -> bool:
    """Whether a layer has plain weights on the CPU, and nobody watches its calls."""
    weight = layer._parameters.get("weight")  # None under a parametrisation
    return (
        type(weight) is nn.Parameter
        and weight.dtype == dtype
        and weight.is_cpu
        and not _is_watched(layer)
    )


def _is_watched(layer: nn.Module) -> bool:
    return bool(
        layer._forward_hooks
        or layer._forward_pre_hooks
        or layer._backward_hooks
        or layer._backward_pre_hooks
    )
