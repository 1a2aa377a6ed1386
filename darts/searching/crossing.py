"""Which tensors cross into a recorded iteration: what it reads at fixed addresses.

A graph reads the same addresses in every replay. So a tensor that an iteration reads and that does
not begin within the iteration must stay where it is, and whoever changes it must change it in
place. `static_inputs` lists these tensors, `outside_reads` finds out what an iteration really
reads. Numbers are worse off: a graph keeps the value of its recording. `Reads.numbers` has all
that reach an operation, so that a test can see whether one changes from step to step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from darts.methods.gradient import Bilevel, LabelledBatch


def static_inputs(
    problem: Bilevel,
    architecture_optimiser: torch.optim.Optimizer,
    batches: Mapping[str, LabelledBatch],
) -> dict[str, Tensor]:
    """Every tensor that an iteration may read from outside, by name.

    Args:
        problem: Supernet, architecture and the optimiser of the weights.
        architecture_optimiser: Moves alpha and beta.
        batches: The buffers that batches are copied to.
    """
    named: dict[str, Tensor] = {}
    for name, batch in batches.items():
        named[f"{name} images"], named[f"{name} labels"] = batch
    for owner, module in (("supernet", problem.supernet), ("architecture", problem.architecture)):
        tensors = (*module.named_parameters(), *module.named_buffers())
        named |= {f"{owner} {name}": tensor for name, tensor in tensors}
    optimisers = (("SGD", problem.weight_optimiser), ("Adam", architecture_optimiser))
    for owner, optimiser in optimisers:
        for number, group in enumerate(optimiser.param_groups):
            settings = ((name, value) for name, value in group.items() if torch.is_tensor(value))
            named |= {f"{owner} {name} of group {number}": value for name, value in settings}
        for number, state in enumerate(optimiser.state.values()):
            values = ((name, value) for name, value in state.items() if torch.is_tensor(value))
            named |= {f"{owner} {name} of parameter {number}": value for name, value in values}
    return named


class Reads(TorchDispatchMode):
    """Notes what the operations within the block read that began outside.

    Attributes:
        outside: By address of its memory, a tensor that was read from outside.
        numbers: Every number that an operation got, in order, with the operation's name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.outside: dict[int, Tensor] = {}
        self.numbers: list[tuple[str, float]] = []
        self._inside: dict[int, Tensor] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = tree_leaves((args, kwargs or {}))
        for value in given:
            if torch.is_tensor(value):
                address = _address(value)
                if address not in self._inside:
                    self.outside.setdefault(address, value)
            elif isinstance(value, int | float) and not isinstance(value, bool):
                self.numbers.append((str(func), float(value)))
        result = func(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            # A result may be one of the arguments, or a view of it. What began inside is kept, so
            # that its address is not used again.
            if torch.is_tensor(value) and _address(value) not in self.outside:
                self._inside[_address(value)] = value
        return result


def outside_reads(work: Callable[[], Any]) -> Reads:
    """What `work` reads that it has not made itself.

    >>> x = torch.ones(2)
    >>> reads = outside_reads(lambda: (x + 1) * 2)
    >>> [tensor is x for tensor in reads.outside.values()], reads.numbers[-1][1]
    ([True], 2.0)
    """
    with Reads() as reads:
        work()
    return reads


def _address(tensor: Tensor) -> int:
    """Where the memory of a tensor begins, shared by its views."""
    return tensor.untyped_storage().data_ptr()
