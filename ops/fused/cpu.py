"""Where functions written for the kernels of a CPU may stand in for PyTorch's own."""

from __future__ import annotations

import torch
from torch import Tensor


def on_plain_cpu(x: Tensor) -> bool:
    """Whether x is on a CPU, and neither autocast, a compiler nor torch.func looks on."""
    return (
        x.device.type == "cpu"
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch._C._are_functorch_transforms_active()
    )
