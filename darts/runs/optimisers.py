"""Optimisers that fit the device: on CUDA they neither wait for it nor forbid recording a graph.

There the learning rate is a tensor, which a recorded graph reads anew at every replay. SGD updates
all parameters by one kernel, there and on the CPU. Checkpoints hold the same state for all devices.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

# What depends on the device at hand and not on the run: a checkpoint's choice does not count.
_OF_THE_DEVICE = ("fused", "foreach", "capturable")


def create_sgd(
    parameters: Iterable[Any],
    *,
    learning_rate: float,
    momentum: float,
    weight_decay: float,
    device: torch.device,
) -> torch.optim.SGD:
    """SGD with momentum, of parameters or of groups of them."""
    on_cuda = device.type == "cuda"
    rate = torch.tensor(learning_rate, device=device) if on_cuda else learning_rate
    return torch.optim.SGD(
        parameters,
        lr=rate,
        momentum=momentum,
        weight_decay=weight_decay,
        fused=True if device.type in ("cpu", "cuda") else None,
    )


def create_adam(
    parameters: Iterable[nn.Parameter],
    *,
    learning_rate: float,
    betas: tuple[float, float],
    weight_decay: float,
    device: torch.device,
) -> torch.optim.Adam:
    """Adam with weight decay in the gradient."""
    return torch.optim.Adam(
        parameters,
        lr=learning_rate,
        betas=betas,
        weight_decay=weight_decay,
        capturable=device.type == "cuda",
    )


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Change the learning rate of all parameters, in place where it is a tensor."""
    for group in optimiser.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def restore(optimiser: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Load a state that may have been saved on another kind of device."""
    groups = []
    for ours, saved in zip(optimiser.param_groups, state["param_groups"], strict=True):
        kept = {name: ours[name] for name in _OF_THE_DEVICE if name in ours}
        rate = float(saved["lr"])
        if isinstance(ours["lr"], Tensor):
            kept["lr"] = torch.full_like(ours["lr"], rate)
        else:
            kept["lr"] = rate
        groups.append({**saved, **kept})
    optimiser.load_state_dict({**state, "param_groups": groups})
