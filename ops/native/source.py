"""The calls of the native kernels that evaluate the edges which leave one state."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ops.fused import branches as forms
from ops.fused.fan_out import FanOut
from ops.fused.mixed_norm import WeightedNorm
from ops.fused.slices import put_edges, take_edges
from ops.native.kernels import Kind, choose_lanes


@dataclass(frozen=True)
class NativeCandidate:
    """One operation on some edges that leave a state, as the kernels need it.

    Attributes:
        name: The operation.
        kind: The kind of operation.
        column: Its column in the table of weights.
        kernel: Kernel size of its depthwise convolutions.
        convolutions: Its convolutions in order.
        norms: Its batch norms in order.
    """

    name: str
    kind: Kind
    column: int
    kernel: int = 1
    convolutions: tuple[nn.Conv2d, ...] = ()
    norms: tuple[WeightedNorm, ...] = ()


class NativeSource:
    """A state with edges that leave it; one call of the kernels evaluates them.

    All edges of a call compute the same operations. Where they differ, a state has several of
    these, see `sources_of`.

    Args:
        state: Number of the state.
        fan_out: The mixed operations of all edges that leave the state.
        targets: The inner nodes where the edges of this call end, numbered from 0.
        edges: Numbers of these edges within the fan-out, in rising order.
        active: Columns of the operations that are computed; None computes all.
        shares: Whether an earlier source of the state updates the batch norms of pools.
    """

    def __init__(
        self,
        state: int,
        fan_out: FanOut,
        targets: Sequence[int],
        edges: Sequence[int] | None = None,
        active: Collection[int] | None = None,
        shares: Collection[str] = (),
    ) -> None:
        self.state, self.fan_out, self.targets = state, fan_out, list(targets)
        self.edges = tuple(range(fan_out.edges) if edges is None else edges)
        self.lanes = choose_lanes(fan_out.channels, len(self.edges))
        self.complete = fan_out.complete and len(self.edges) == fan_out.edges and active is None
        known, beside = candidates(fan_out)
        if self.complete:  # The first identity has the weights of all; see `FanOut.fold`.
            folded = fan_out.plain_identities[1:]
            known = [one for one in known if one.name not in folded]
        columns = fan_out.columns
        self.candidates = [one for one in known if active is None or one.column in active]
        self.beside = tuple(name for name in beside if active is None or columns[name] in active)
        """The operations that the kernels evaluate, and the names of all others."""
        self.norms = [norm for one in self.candidates for norm in one.norms]
        self._shares = shares

    def _chosen(self, name: str) -> tuple[int, Sequence[int] | None]:
        """The number of edges that have an operation, and the positions of these edges in it."""
        fan_out = self.fan_out
        return len(fan_out.holders[name]), fan_out.positions(name, self.edges)

    def parameters(self) -> list[Tensor]:
        """The weights of all convolutions on all edges that have them."""
        return [conv.weight for one in self.candidates for conv in one.convolutions]

    def weights(self) -> list[Tensor]:
        """The current weights of all convolutions; functional calls may replace them."""
        return [
            take_edges(conv.weight, *self._chosen(one.name))
            for one in self.candidates
            for conv in one.convolutions
        ]

    def running(self) -> list[list[Tensor]]:
        """For each candidate the running statistics, mean and variance of each batch norm."""
        found = []
        for one in self.candidates:
            parts = [part for norm in one.norms for part in (norm.running_mean, norm.running_var)]
            if one.convolutions:
                parts = [take_edges(part, *self._chosen(one.name)) for part in parts]
            elif one.name in self._shares:
                parts = [part.clone() for part in parts]
            found.append(parts)
        return found

    def put_running(self, updated: Sequence[Sequence[Tensor]]) -> None:
        """Write back the statistics that `running` returned and the kernels have updated."""
        for one, parts in zip(self.candidates, updated, strict=True):
            if not one.convolutions:
                continue
            wholes = [part for norm in one.norms for part in (norm.running_mean, norm.running_var)]
            for whole, part in zip(wholes, parts, strict=True):
                put_edges(whole, *self._chosen(one.name), part)

    def mix_beside(self, x: Tensor, mixture: Tensor) -> Tensor:
        """The contribution of the operations without a kernel, `[B, edges·C/K, H', W']`.

        Args:
            x: The processed channels `[B, C/K, H, W]`.
            mixture: `[edges, O]`.
        """
        if self.complete:
            return self.fan_out.mix(self.beside, x, mixture)
        rows = dict(zip(self.edges, mixture.unbind(), strict=True))
        table = torch.stack(
            [rows.get(edge, torch.zeros_like(mixture[0])) for edge in range(self.fan_out.edges)]
        )
        parts = [
            torch.cat(self.fan_out.contribution(name, self.edges, x, table), dim=1)
            for name in self.beside
        ]
        return torch.stack(parts).sum(dim=0)

    def beside_parameters(self) -> list[Tensor]:
        """The current parameters of the operations that run beside the kernels."""
        return [p for name in self.beside for p in self.fan_out.branch(name).parameters()]


def sources_of(
    state: int,
    fan_out: FanOut,
    targets: Sequence[int],
    active: Sequence[Sequence[int]] | None,
) -> list[NativeSource]:
    """The calls that evaluate the edges of a state: edges that compute the same share a call.

    Args:
        state: Number of the state.
        fan_out: The mixed operations of its edges.
        targets: The inner nodes where the edges end, numbered from 0.
        active: For each edge the columns that are computed; None computes all candidates.
    """
    if active is None and fan_out.complete:
        return [NativeSource(state, fan_out, targets)]
    groups: dict[tuple[int, ...], list[int]] = {}
    names = [name for name in fan_out.columns if fan_out.holders[name]]
    for edge in range(fan_out.edges):
        computed = [name for name in names if edge in fan_out.active_edges(name, active)]
        groups.setdefault(tuple(fan_out.columns[name] for name in computed), []).append(edge)
    found: list[NativeSource] = []
    for columns, edges in groups.items():
        shares = {one.name for source in found for one in source.candidates}
        ends = [targets[edge] for edge in edges]
        found.append(NativeSource(state, fan_out, ends, edges, columns, shares))
    return found


def candidates(fan_out: FanOut) -> tuple[list[NativeCandidate], tuple[str, ...]]:
    """The operations of a fan-out that the kernels can evaluate, and the names of all others."""
    known: list[NativeCandidate] = []
    others = []
    # In the order in which the PyTorch engine adds them.
    for name in (*fan_out.shared, *fan_out.identities, *fan_out.rectified, *fan_out.separate):
        column = fan_out.columns[name]
        if name in fan_out.plain_identities:
            known.append(NativeCandidate(name, Kind.IDENTITY, column))
        elif candidate := _candidate(name, fan_out.branch(name), column):
            known.append(candidate)
        else:
            others.append(name)
    return known, tuple(others)


def _candidate(name: str, form: nn.Module, column: int) -> NativeCandidate | None:
    if isinstance(form, forms.SharedPool) and isinstance(form.norm, WeightedNorm):
        kind = Kind.MAX_POOL if form.kind == "max" else Kind.AVG_POOL
        return NativeCandidate(name, kind, column, norms=(form.norm,))
    if isinstance(form, forms.FactorizedReduceFan):
        pair = (form.conv1, form.conv2)
        return NativeCandidate(name, Kind.REDUCE, column, 1, pair, (form.norm,))
    if isinstance(form, forms.SeparableConvFan):
        first, second = form.first, form.second
        convolutions = (first.depthwise, first.pointwise, second.depthwise, second.pointwise)
        norms = (form.norm1, form.norm2)
        return NativeCandidate(name, Kind.SEPARABLE, column, first.kernel, convolutions, norms)
    if isinstance(form, forms.DilatedConvFan):
        conv = form.conv
        pair = (conv.depthwise, conv.pointwise)
        return NativeCandidate(name, Kind.DILATED, column, conv.kernel, pair, (form.norm,))
    return None
