"""Steps of SGD that leave the weights of some operations, and their momentum, as they are.

An operation that took no part in a forward pass has no gradient. A plain step would still move its
weights by momentum and weight decay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from cells.stacked import StackedOperation

TakesPart = Sequence[Sequence[bool]]
"""For each operation and each of its edges: whether it takes part in the step."""


class _Rows(NamedTuple):
    """Rows of the first dimension of a parameter."""

    parameter: nn.Parameter
    gradient: Tensor
    start: int
    length: int

    def of(self, values: Tensor) -> Tensor:
        return values.narrow(0, self.start, self.length)


@torch.no_grad()
def partial_step(
    optimiser: torch.optim.SGD, operations: Sequence[StackedOperation], takes_part: TakesPart
) -> None:
    """One step of the optimiser, in which some operations do not take part.

    What takes part moves as in `optimiser.step()`; the weights and the momentum of the others do
    not change by a bit. Parameters that belong to none of the operations take part.

    >>> weight = nn.Parameter(torch.tensor([1.0, 1.0]))
    >>> operation = StackedOperation(0, "example", 0, edges=(0, 1), parameters=(weight,))
    >>> weight.grad = torch.tensor([1.0, 1.0])
    >>> partial_step(torch.optim.SGD([weight], lr=0.5), [operation], [(True, False)])
    >>> weight.tolist()
    [0.5, 1.0]

    Args:
        optimiser: SGD with gradients for its parameters.
        operations: Operations that may not take part.
        takes_part: Which of them do.
    """
    rows: list[_Rows] = []
    withheld: list[tuple[nn.Parameter, Tensor]] = []
    for operation, flags in zip(operations, takes_part, strict=True):
        if all(flags):
            continue
        for parameter in operation.parameters:
            if parameter.grad is None:
                continue
            withheld.append((parameter, parameter.grad))
            length = len(parameter) // len(flags)
            rows += [
                _Rows(parameter, parameter.grad, place * length, length)
                for place, flag in enumerate(flags)
                if flag
            ]
            parameter.grad = None  # The step below passes it over.
    _give_momentum(optimiser)
    optimiser.step()
    _step_rows(optimiser, rows)
    for parameter, gradient in withheld:
        parameter.grad = gradient


def _step_rows(optimiser: torch.optim.SGD, rows: Sequence[_Rows]) -> None:
    for group in optimiser.param_groups:
        members = set(map(id, group["params"]))
        ours = [one for one in rows if id(one.parameter) in members]
        if not ours:
            continue
        buffers: list[Tensor | None] = [None] * len(ours)
        if group["momentum"]:
            buffers = [one.of(_momentum(optimiser, one.parameter)) for one in ours]
        sgd(
            [one.of(one.parameter) for one in ours],
            [one.of(one.gradient) for one in ours],
            buffers,
            has_sparse_grad=False,
            foreach=group["foreach"],
            fused=group["fused"],
            weight_decay=group["weight_decay"],
            momentum=group["momentum"],
            lr=group["lr"],
            dampening=group["dampening"],
            nesterov=group["nesterov"],
            maximize=group["maximize"],
        )


def _give_momentum(optimiser: torch.optim.SGD) -> None:
    """Give momentum to the parameters of the step that have had no gradient so far.

    PyTorch's fused SGD does not work if only some of the parameters have it.
    """
    for group in optimiser.param_groups:
        for parameter in group["params"] if group["momentum"] else ():
            if parameter.grad is not None:
                _momentum(optimiser, parameter)


def _momentum(optimiser: torch.optim.SGD, parameter: nn.Parameter) -> Tensor:
    """The momentum of a parameter; zeros before its first step, which give the same numbers."""
    state = optimiser.state[parameter]
    buffer: Tensor | None = state.get("momentum_buffer")
    if buffer is None:
        buffer = state["momentum_buffer"] = torch.zeros_like(parameter)
    return buffer
