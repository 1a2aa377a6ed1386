"""Choice of the back end that evaluates the search cells: PyTorch, native kernels or Triton.

`ops.native` has C++ kernels for the CPU, `ops.triton` has kernels for CUDA. All back ends compute
the same numbers. A supernet chooses its back end once, when it is built. A single call that the
kernels cannot handle (another device, autocast on the CPU, a transform of torch.func) still runs in
PyTorch.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from ops.fused.mixed_norm import WeightedNorm
from ops.native import build, kernels

_log = logging.getLogger(__name__)

BACKENDS = ("auto", "torch", "native", "triton")
BackendName = Literal["torch", "native", "triton"]
VARIABLE = "DARTS_BACKEND"


class BackendError(ValueError):
    """The back end does not exist or does not work on this machine."""


def choose_backend(
    backend: str, layouts: Iterable[kernels.Lanes], device: str | None = None
) -> BackendName:
    """Choose a back end and return its name, never "auto"; compile the native kernels it needs.

    >>> choose_backend("torch", [])
    'torch'

    Args:
        backend: One of `BACKENDS`. "auto" uses the environment variable DARTS_BACKEND if it is
            set, else the kernels for the device if they are available, else PyTorch (and logs why).
        layouts: The lane layouts that the native kernels must support.
        device: Type of the device that computes, such as "cuda"; torch's default device if None.

    Raises:
        BackendError: There is no such back end, or the requested one is not available.
    """
    device = device or torch.get_default_device().type
    origin = "The back end"
    if backend == "auto":
        backend, origin = os.environ.get(VARIABLE) or "auto", VARIABLE
    if backend not in BACKENDS:
        raise BackendError(f"{origin} is {backend!r}; valid: {', '.join(BACKENDS)}.")
    if backend == "triton" or (backend == "auto" and device == "cuda"):
        reason = _lacks_triton(device)
        if reason is None:
            return "triton"
        if backend == "triton":
            raise BackendError(f"The triton back end does not work here: {reason}.")
        _log.warning("Search cells run in PyTorch, without Triton: %s", reason)
        return "torch"
    if backend == "torch" or (backend == "auto" and device != "cpu"):
        return "torch"
    try:
        kernels.prepare_kernels(layouts, torch.get_default_dtype())
    except build.BuildError as error:
        if backend == "native":
            raise BackendError(f"The native back end does not work here: {error}") from error
        _log.warning("Search cells run in PyTorch, without native kernels: %s", error)
        return "torch"
    return "native"


def missing_backends(
    layouts: Iterable[kernels.Lanes], device: str
) -> dict[BackendName, str | None]:
    """Say for each back end why it does not work here, or None; the fastest kind comes first.

    The native kernels are compiled for this.

    >>> missing_backends([], "cpu")["torch"] is None
    True

    Args:
        layouts: The lane layouts that the native kernels must support.
        device: Type of the device that computes, such as "cuda".
    """
    native: str | None = None
    if device != "cpu":
        native = f"its kernels are for CPUs, and the work is on {device}"
    else:
        try:
            kernels.prepare_kernels(layouts, torch.get_default_dtype())
        except build.BuildError as error:
            native = str(error).rstrip(".")
    triton: str | None = f"its kernels are for CUDA devices, and the work is on {device}"
    if device == "cuda":
        triton = _lacks_triton(device)
    return {"triton": triton, "native": native, "torch": None}


def interpreted() -> bool:
    """Whether Triton runs in its interpreter, slowly and on the CPU (for tests)."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def _lacks_triton(device: str) -> str | None:
    """The reason why Triton's kernels cannot run on a device, or None if they can."""
    if device != "cuda" and not interpreted():
        return f"its kernels are for CUDA devices, and the work is on {device}"
    try:
        import triton.language
    except ImportError as error:
        return f"{error} (pip install triton)"
    if not hasattr(triton.language, "tuple"):
        return f"Triton {triton.__version__} is too old, 3.3 is needed"
    try:
        _try_triton(device)
    except Exception as error:  # Triton and its compilers document no exceptions.
        return f"a first kernel fails: {str(error).strip().splitlines()[0].rstrip('.')}"
    return None


def _try_triton(device: str) -> None:
    """Compile and run one small kernel. Triton also needs a C compiler for this."""
    from ops.triton.norms import normalise_branches

    statistics = torch.ones(2, 2, device=device)
    normalise_branches([torch.ones(1, 2, 1, 1, device=device)], 0, statistics, relu=False)


def takes_triton(
    tensors: Sequence[Tensor],
    parameters: Sequence[Tensor],
    norms: Sequence[WeightedNorm | nn.BatchNorm2d],
    training: bool,
) -> bool:
    """Whether the kernels of `ops.triton` can compute with these tensors and batch norms now."""
    kind = tensors[0].device.type
    dtype = tensors[0].dtype
    if torch.is_autocast_enabled(kind):
        dtype = torch.get_autocast_dtype(kind)
    return (
        (kind == "cuda" or interpreted())
        and dtype in (torch.float32, torch.float64, torch.bfloat16)
        and all(type(one) in (Tensor, nn.Parameter) for one in (*tensors, *parameters))
        and all(one.device == tensors[0].device for one in (*tensors, *parameters))
        and all(norm.training == training for norm in norms)
        and not torch.compiler.is_compiling()
        and not torch._C._are_functorch_transforms_active()
    )


def takes(
    tensors: Sequence[Tensor],
    parameters: Sequence[Tensor],
    norms: Sequence[WeightedNorm | nn.BatchNorm2d],
    training: bool,
) -> bool:
    """Whether the kernels of `ops.native` can compute with these tensors and batch norms now.

    They cannot under autocast, inside a transform of torch.func, while a compiler traces the code,
    on another device, or if a batch norm is in another mode than `training`.
    """
    dtype = tensors[0].dtype
    statistics = [norm.running_mean for norm in norms]
    return (
        dtype in kernels.REALS
        and all(
            tensor is not None
            and type(tensor) in (Tensor, nn.Parameter)
            and tensor.device.type == "cpu"
            and tensor.dtype == dtype
            for tensor in (*tensors, *parameters, *statistics)
        )
        and all(parameter.is_contiguous() for parameter in parameters)
        and all(norm.training == training for norm in norms)
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch._C._are_functorch_transforms_active()
    )
