"""Parts of a source: its branches and pools, and the tensors that its evaluation saves."""

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
    """One or two convolutions of an operation on all edges, each followed by its batch norm.

    Attributes:
        column: The operation's column in the table of weights.
        fans: The convolutions in order.
        norms: Their batch norms.
    """

    column: int
    fans: tuple[Fan, ...]
    norms: tuple[WeightedNorm, ...]


def branches_of(fan_out: FanOut) -> list[ConvolutionBranch]:
    """The operations with convolutions that the kernels can evaluate."""
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
    """The name of the "max" and of the "avg" pool; the kernels can evaluate one of each."""
    pools = {
        form.kind: name
        for name, form in fan_out.shared.items()
        if isinstance(form, forms.SharedPool) and isinstance(form.norm, WeightedNorm)
    }
    return {kind: pools[kind] for kind in ("max", "avg") if kind in pools}


def names_beside(fan_out: FanOut) -> tuple[str, ...]:
    """The operations that the kernels cannot evaluate."""
    known = set(pools_of(fan_out).values())
    shared = (name for name in fan_out.shared if name not in known)
    rectified = (name for name, form in fan_out.rectified.items() if _branch(form, 0) is None)
    return (*shared, *fan_out.dropped, *rectified, *fan_out.separate)


class Pooled(NamedTuple):
    """Tensors that all edges share; they are empty if not needed.

    Attributes:
        active: ReLU of the processed channels, `[B, C/K, H, W]`.
        largest: Their max pool, `[B, C/K, H', W']`.
        tap_of_largest: The position of each maximum in its window, `[B, C/K, H', W']`.
        average: Their average pool, `[B, C/K, H', W']`.
    """

    active: Tensor
    largest: Tensor
    tap_of_largest: Tensor
    average: Tensor


class Kept(NamedTuple):
    """Tensors that are saved for the backward pass, besides the state.

    Attributes:
        statistics: Means and 1 / standard deviations of all batch norms.
        pooled: The tensors that all edges share.
        convolved: The results of the first convolutions of all branches, then those of the second
            convolutions; all before their batch norms.
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
    """The nodes, the weights and the channel order of one source.

    Attributes:
        nodes: The inner nodes or, in the backward pass, their gradients, `[B, nodes·C, H', W']`.
        mixture: Operation weights times edge weights of the source, `[E, O]`.
        passing: Edge weights of the source, `[E]`.
        order: The order in which channels are read, `[C]`, int64; see forward_kernels.py.
        place: Their positions in a node, `[C]`, int64.
    """

    nodes: Tensor
    mixture: Tensor
    passing: Tensor
    order: Tensor
    place: Tensor
