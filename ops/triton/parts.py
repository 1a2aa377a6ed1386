"""What a source of a cell consists of, and what its evaluation hands on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn

from ops.fused import branches as forms
from ops.fused.fan_out import FanOut
from ops.fused.mixed_norm import WeightedNorm
from ops.triton.convolutions import Fan


@dataclass(frozen=True)
class ConvolutionBranch:
    """Convolutions of one operation on all edges, one or two, each followed by its norm."""

    column: int
    fans: tuple[Fan, ...]
    norms: tuple[WeightedNorm, ...]


def branches_of(fan_out: FanOut) -> list[ConvolutionBranch]:
    """The operations with convolutions that the kernels know."""
    found = (_branch(form, fan_out.columns[name]) for name, form in fan_out.rectified.items())
    return [branch for branch in found if branch is not None]


def _branch(form: nn.Module, column: int) -> ConvolutionBranch | None:
    if isinstance(form, forms.SeparableConvFan):
        return ConvolutionBranch(column, (form.first, form.second), (form.norm1, form.norm2))
    if isinstance(form, forms.DilatedConvFan):
        return ConvolutionBranch(column, (form.conv,), (form.norm,))
    if isinstance(form, forms.FactorizedReduceFan):
        return ConvolutionBranch(column, (form,), (form.norm,))
    return None


def pools_of(fan_out: FanOut) -> dict[str, str]:
    """The pooling operation of each kind, "max" before "avg"; the kernels know one of each."""
    pools = {
        form.kind: name
        for name, form in fan_out.shared.items()
        if isinstance(form, forms.SharedPool)
    }
    return {kind: pools[kind] for kind in ("max", "avg") if kind in pools}


def names_beside(fan_out: FanOut) -> tuple[str, ...]:
    """The operations that the kernels do not know."""
    known = set(pools_of(fan_out).values())
    shared = (name for name in fan_out.shared if name not in known)
    rectified = (name for name, form in fan_out.rectified.items() if _branch(form, 0) is None)
    return (*shared, *fan_out.identities[1:], *rectified, *fan_out.separate)


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
