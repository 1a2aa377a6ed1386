"""What a source of a cell consists of, and what its evaluation hands on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from ops.fused import fan_out as fused
from ops.fused.mixed_norm import WeightedNorm
from ops.triton.convolutions import Fan

INPUTS = 2  # of a cell


@dataclass(frozen=True)
class Branch:
    """Convolutions of one operation on all edges, one or two, each followed by its norm."""

    column: int
    fans: tuple[Fan, ...]
    norms: tuple[WeightedNorm, ...]


def branches_of(fan_out: fused.FanOut) -> list[Branch]:
    found = []
    for name, branch in fan_out.rectified.items():
        column = fan_out.columns[name]
        if isinstance(branch, fused.SeparableConvFan):
            fans: tuple[Fan, ...] = (branch.first, branch.second)
            found.append(Branch(column, fans, (branch.norm1, branch.norm2)))
        elif isinstance(branch, fused.DilatedConvFan):
            found.append(Branch(column, (branch.conv,), (branch.norm,)))
        else:
            assert isinstance(branch, fused.FactorizedReduceFan)
            found.append(Branch(column, (branch,), (branch.norm,)))
    return found


class Pooled(NamedTuple):
    """What all edges share: the processed channels, rectified and pooled; empty where not needed.

    Shapes: `[B, C/K, H, W]` for `active`, `[B, C/K, H', W']` for the others.
    """

    active: Tensor
    largest: Tensor
    tap_of_largest: Tensor
    average: Tensor


class Kept(NamedTuple):
    """What the backward pass needs besides the state: all before the norms, and their statistics.

    `convolved` has of every branch the result of its first convolution, then those of the second
    ones.
    """

    statistics: Tensor
    pooled: Pooled
    convolved: Sequence[Tensor]

    def tensors(self) -> list[Tensor]:
        return [self.statistics, *self.pooled, *self.convolved]

    @staticmethod
    def of(tensors: Sequence[Tensor]) -> Kept:
        return Kept(tensors[0], Pooled(*tensors[1:5]), tensors[5:])


class Surroundings(NamedTuple):
    """What the sources of a cell share.

    Args:
        nodes: The inner nodes, or in the backward pass their gradients, `[B, nodes·C, H', W']`.
        mixture: The source's rows `[E, O]` of the architecture's weights times the edges'.
        passing: The source's part `[E]` of the edges' weights.
        order, place: `[C]`, int64; see ops/triton/forward_kernels.py.
    """

    nodes: Tensor
    mixture: Tensor
    passing: Tensor
    order: Tensor
    place: Tensor
