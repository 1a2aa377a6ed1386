"""Which code evaluates the search cells: PyTorch, or kernels for the CPU or for a GPU.

`ops.native` has kernels for the CPU, `ops.triton` for CUDA. All give the same numbers. The choice
is made once, when a supernet is built; single calls that the kernels cannot take (another device,
autocast on the CPU, transforms of torch.func) go through PyTorch anyway.
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

log = logging.getLogger(__name__)

BACKENDS = ("auto", "torch", "native", "triton")
VARIABLE = "DARTS_BACKEND"


class BackendError(ValueError):
    """A back end that does not exist or does not work here."""


def choose_backend(
    backend: str, layouts: Iterable[kernels.Lanes], device: str | None = None
) -> Literal["torch", "native", "triton"]:
    """The back end's name, never "auto"; native kernels are compiled now.

    Args:
        backend: One of `BACKENDS`. "auto" takes the environment variable DARTS_BACKEND if it is
            set, else the kernels for the device if they can be had, else PyTorch with a line in the
            log.
        layouts: What the native kernels must be able to do.
        device: Kind of device of the work; torch's default device if None.

    Raises:
        BackendError: There is no such back end, or the one asked for cannot be had.
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
        log.warning("Search cells run in PyTorch, without Triton: %s", reason)
        return "torch"
    if backend == "torch" or (backend == "auto" and device != "cpu"):
        return "torch"
    try:
        kernels.prepare(layouts, torch.get_default_dtype())
    except build.BuildError as error:
        if backend == "native":
            raise BackendError(f"The native back end does not work here: {error}") from error
        log.warning("Search cells run in PyTorch, without native kernels: %s", error)
        return "torch"
    return "native"


def interpreted() -> bool:
    """Whether Triton's kernels run on the CPU, slowly, in its interpreter (for tests)."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def _lacks_triton(device: str) -> str | None:
    """Why Triton's kernels cannot run on a device, or None if they can."""
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
    except Exception as error:  # What Triton and the compilers that it calls raise is open.
        return f"a first kernel fails: {str(error).strip().splitlines()[0].rstrip('.')}"
    return None


def _try_triton(device: str) -> None:
    """Compile and run one small kernel; Triton needs a C compiler for that, too."""
    from ops.triton.norms import normalise

    statistics = torch.ones(2, 2, device=device)
    normalise([torch.ones(1, 2, 1, 1, device=device)], 0, statistics, rectify=False)


def takes_triton(
    tensors: Sequence[Tensor],
    parameters: Sequence[Tensor],
    norms: Sequence[WeightedNorm | nn.BatchNorm2d],
    training: bool,
) -> bool:
    """As `takes`, for the kernels of `ops.triton`."""
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
    """Whether the kernels can work on these tensors and norms in the present circumstances."""
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
