"""Regularisers: terms that join the validation loss in the architecture step."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from darts.methods.architecture import Architecture


class Regulariser(Protocol):
    """A scalar function of alpha and beta alone, added to the loss of the architecture.

    It does not depend on the weights of the supernet; so its gradient is added to that of any
    `Gradient`. The penalty on the cost of the derived network is one
    (`darts.costs.ceilings.CostPenalty`); the assembly of the search adds it.

    Attributes:
        recordable: Whether a CUDA graph can record it.
    """

    @property
    def recordable(self) -> bool: ...

    def __call__(self, architecture: Architecture) -> Tensor:
        """The penalty, a scalar on the device of alpha, differentiable in alpha and beta."""
