"""PyTorch's optimisers without its compiler, which their first use would import.

PyTorch wraps some methods of an optimiser so that `torch.compile` leaves them out of its graphs.
The first call of any of them imports `torch._dynamo`, and with it sympy and torch.distributed: 2 s
of processor time. A step that is never compiled needs none of it. The classes here have the methods
inside the wrappers, so they compute the same bits.
"""

from __future__ import annotations

from inspect import unwrap
from typing import Any

import torch


class EagerOptimiser(torch.optim.Optimizer):
    """An optimiser whose bookkeeping does not import PyTorch's compiler; base of the others."""

    # A step inside `torch.compile` is not supported; networks may well be compiled.
    add_param_group = unwrap(torch.optim.Optimizer.add_param_group)
    load_state_dict = unwrap(torch.optim.Optimizer.load_state_dict)
    state_dict = unwrap(torch.optim.Optimizer.state_dict)
    zero_grad = unwrap(torch.optim.Optimizer.zero_grad)


class EagerSGD(EagerOptimiser, torch.optim.SGD):
    """`torch.optim.SGD`, bit for bit.

    >>> weight = torch.nn.Parameter(torch.tensor([2.0]))
    >>> optimiser = EagerSGD([weight], lr=0.5)
    >>> weight.sum().backward(); _ = optimiser.step(); weight.item()
    1.5
    """

    step: Any = torch.no_grad()(unwrap(torch.optim.SGD.step))


class EagerAdam(EagerOptimiser, torch.optim.Adam):
    """`torch.optim.Adam`, bit for bit.

    >>> weight = torch.nn.Parameter(torch.tensor([2.0]))
    >>> optimiser = EagerAdam([weight], lr=0.5)
    >>> weight.sum().backward(); _ = optimiser.step(); round(weight.item(), 4)
    1.5
    """

    step: Any = torch.no_grad()(unwrap(torch.optim.Adam.step))


class EagerAdamW(EagerOptimiser, torch.optim.AdamW):
    """`torch.optim.AdamW`, bit for bit.

    >>> weight = torch.nn.Parameter(torch.tensor([2.0]))
    >>> optimiser = EagerAdamW([weight], lr=0.5, weight_decay=0.0)
    >>> weight.sum().backward(); _ = optimiser.step(); round(weight.item(), 4)
    1.5
    """

    step: Any = torch.no_grad()(unwrap(torch.optim.AdamW.step))
