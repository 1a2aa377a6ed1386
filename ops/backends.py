"""Which code evaluates the search cells: PyTorch, or the kernels of `ops.native` on the CPU.

Both give the same numbers. The choice is made once, when a supernet is built; single calls that the
kernels cannot take (another device, autocast, transforms of torch.func) go through PyTorch anyway.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from ops.mixed_norm import WeightedNorm
from ops.native import build, kernels

log = logging.getLogger(__name__)

BACKENDS = ("auto", "torch", "native")
VARIABLE = "DARTS_BACKEND"


class BackendError(ValueError):
    """A back end that does not exist or does not work here."""


def choose_backend(backend: str, layouts: Iterable[kernels.Lanes]) -> Literal["torch", "native"]:
    """The back end's name, "torch" or "native"; for the latter its kernels are compiled now.

    Args:
        backend: One of `BACKENDS`. "auto" takes the environment variable DARTS_BACKEND if it is
            set, else the kernels if they can be compiled here, else PyTorch with a line in the log.
        layouts: What the kernels must be able to do.

    Raises:
        BackendError: There is no such back end, or "native" was asked for and cannot be compiled.
    """
    origin = "The back end"
    if backend == "auto":
        backend, origin = os.environ.get(VARIABLE) or "auto", VARIABLE
    if backend not in BACKENDS:
        raise BackendError(f"{origin} is {backend!r}; valid: {', '.join(BACKENDS)}.")
    elsewhere = backend == "auto" and torch.get_default_device().type != "cpu"
    if backend == "torch" or elsewhere:
        return "torch"
    try:
        kernels.prepare(layouts, torch.get_default_dtype())
    except build.BuildError as error:
        if backend == "native":
            raise BackendError(f"The native back end does not work here: {error}") from error
        log.warning("Search cells run in PyTorch, without native kernels: %s", error)
        return "torch"
    return "native"


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
