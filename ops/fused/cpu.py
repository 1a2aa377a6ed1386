"""Condition under which the CPU-specific autograd functions may replace PyTorch's operations."""

from __future__ import annotations

import torch
from torch import Tensor


def on_plain_cpu(x: Tensor) -> bool:
    """Whether x is on the CPU and no autocast, compiler or transform of torch.func is active.

    >>> on_plain_cpu(torch.zeros(2))
    True
    """
    return (
        x.device.type == "cpu"
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch._C._are_functorch_transforms_active()
    )
