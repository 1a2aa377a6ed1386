"""All candidate operations on all edges that leave one state, fused.

All edges that leave a state read the same channels. Parts without parameters (the ReLU, pooling
with its batch norm, the identity) are therefore computed once, and the convolutions of all edges
run as one convolution with E times the outputs. The numbers are those of the literal edge-by-edge
form in another order; `tests/reference` has that form.

Edges are concatenated along the channels: channel e·C + c is channel c of edge e. An operation
that is a candidate on some edges only has the weights of those edges. Of these, a call may compute
any part: what a method does not sample costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from ops.fused.branches import DroppedIdentity, SharedPool
from ops.fused.unfused import SeparateEdges
from ops.registry import Trivial, create_operation, find_operation

_SKIP = "skip_connect"
"""The operation that dropout may follow."""


class FanOut(nn.Module):
    """The mixed operations of all edges that leave one state.

        y_e = sum over o of  weights[e, o] · o_e(x)

    Shapes: x `[B, C/K, H, W]`, weights `[E, O]`; the result is one `[B, C/K, H', W']` per edge.
    Source: DARTS (arXiv 1806.09055, Eq. 2).

    >>> fan_out = FanOut(("none", "skip_connect"), channels=4, edges=3, stride=1)
    >>> [tuple(y.shape) for y in fan_out(torch.ones(1, 4, 8, 8), torch.ones(3, 2))]
    [(1, 4, 8, 8), (1, 4, 8, 8), (1, 4, 8, 8)]

    Args:
        operations: Names of all operations, in the order of alpha's columns.
        channels: C/K, the channels that a mixed operation processes.
        edges: E, the number of edges that leave the state.
        stride: 1, or 2 on the edges that reduce.
        candidates: The operations that each edge has; by default all have all.
        normalised: Whether a batch norm follows pooling.

    Attributes:
        holders: For each operation the edges that have it.
        complete: Whether all edges have all operations.
        identities: Operations that return the state itself.
    """

    def __init__(
        self,
        operations: Sequence[str],
        channels: int,
        edges: int,
        stride: int,
        candidates: Sequence[Sequence[str]] | None = None,
        *,
        normalised: bool = True,
    ) -> None:
        super().__init__()
        self.channels, self.edges, self.stride = channels, edges, stride
        self.columns = {name: column for column, name in enumerate(operations)}
        having = candidates or [operations] * edges
        self.holders = {
            name: tuple(edge for edge in range(edges) if name in having[edge])
            for name in operations
        }
        self.complete = all(len(holders) == edges for holders in self.holders.values())
        self.shared = nn.ModuleDict()
        self.rectified = nn.ModuleDict()
        self.separate = nn.ModuleDict()
        self.identities: tuple[str, ...] = ()
        self.skip = DroppedIdentity()
        for name in operations:
            holders = len(self.holders[name])
            if not holders:
                continue
            form = find_operation(name).fuse(channels, holders, stride)
            if form is Trivial.NOTHING:
                continue
            if form is Trivial.IDENTITY:
                self.identities += (name,)
            elif isinstance(form, nn.Module):
                if isinstance(form, SharedPool):
                    form.normalised = normalised
                getattr(self, form.group)[name] = form
            else:
                create = partial(
                    create_operation, name, channels, stride, False, normalised=normalised
                )
                self.separate[name] = SeparateEdges(create, holders)

    @property
    def dropped(self) -> tuple[str, ...]:
        """The identities that dropout follows now: skip connections, in training."""
        drops = self.skip.rate > 0 and self.training and _SKIP in self.identities
        return (_SKIP,) if drops else ()

    @property
    def plain_identities(self) -> tuple[str, ...]:
        """The identities that no dropout follows now."""
        dropped = self.dropped
        return tuple(name for name in self.identities if name not in dropped)

    def fold(self, weights: Tensor) -> Tensor:
        """Add the weights `[E, O]` of all plain identities to the column of the first one.

        >>> fan_out = FanOut(("skip_connect", "auxiliary_skip"), channels=4, edges=1, stride=1)
        >>> fan_out.fold(torch.tensor([[0.25, 0.5]])).tolist()
        [[0.75, 0.5]]
        """
        first, *others = (self.columns[name] for name in self.plain_identities)
        columns = list(weights.unbind(dim=1))
        for other in others:
            columns[first] = columns[first] + columns[other]
        return torch.stack(columns, dim=1)

    def _spread(self, x: Tensor, weights: Tensor) -> Tensor | None:
        """Weighted sum for each edge of the branches that all edges share: one matrix product."""
        names = list(self.shared)
        branches = [self.shared[name](x) for name in names]
        identities = self.plain_identities
        if identities:
            names.append(identities[0])
            branches.append(x)
        if not branches:
            return None
        if len(identities) > 1:
            weights = self.fold(weights)
        # Not `weights[:, [...]]`: copying the list to the device would make the host wait.
        chosen = torch.stack([weights[:, self.columns[name]] for name in names])
        unit = torch.eye(self.channels, dtype=x.dtype, device=x.device)
        # [S·C, E·C]: branch s, channel c feeds channel c of edge e with weight chosen[s, e].
        matrix = (chosen[:, None, :, None] * unit[None, :, None, :]).flatten(2).flatten(0, 1)
        stacked = torch.cat(branches, dim=1).permute(0, 2, 3, 1)
        return (stacked @ matrix).permute(0, 3, 1, 2)

    def forward(
        self, x: Tensor, weights: Tensor, active: Sequence[Sequence[int]] | None = None
    ) -> tuple[Tensor, ...]:
        """Mix the operations of every edge.

        Args:
            x: `[B, C/K, H, W]`.
            weights: `[E, O]`.
            active: For each edge the columns that are computed; None computes all candidates.
        """
        if active is not None or not self.complete:
            return self._sparse(x, weights, active)
        activated = functional.relu(x) if len(self.rectified) else x
        total: Tensor | None = None
        for group, source in ((self.rectified, activated), (self.separate, x)):
            total = self._add(group, source, weights, total)
        for name in self.dropped:
            column = weights[:, self.columns[name]].repeat_interleave(self.channels)
            dropped = self.skip(x, column)
            total = dropped if total is None else total.add_(dropped)
        # Last, because it is a view: an in-place addition to a view would cost a copy.
        spread = self._spread(x, weights)
        if spread is not None:
            total = spread if total is None else total.add_(spread)
        if total is None:
            raise ValueError("A mixed operation needs a candidate besides 'none'.")
        return total.split(self.channels, dim=1)

    def active_edges(self, name: str, active: Sequence[Sequence[int]] | None) -> tuple[int, ...]:
        """The edges on which an operation is computed, in rising order."""
        if active is None:
            return self.holders[name]
        column = self.columns[name]
        return tuple(edge for edge in self.holders[name] if column in active[edge])

    def positions(self, name: str, edges: Sequence[int]) -> tuple[int, ...] | None:
        """The positions of edges among those that have the operation; None means all of them."""
        holders = self.holders[name]
        return None if len(edges) == len(holders) else tuple(map(holders.index, edges))

    def _sparse(
        self, x: Tensor, weights: Tensor, active: Sequence[Sequence[int]] | None
    ) -> tuple[Tensor, ...]:
        """Mix only the active candidates of each edge."""
        totals: list[Tensor | None] = [None] * self.edges
        for name in (*self.rectified, *self.separate, *self.shared, *self.identities):
            edges = self.active_edges(name, active)
            if not edges:
                continue
            for edge, part in zip(edges, self.contribution(name, edges, x, weights), strict=True):
                total = totals[edge]
                totals[edge] = part if total is None else total + part
        height, width = (-(-size // self.stride) for size in x.shape[-2:])
        nothing = x.new_zeros(len(x), self.channels, height, width)
        return tuple(nothing if total is None else total for total in totals)

    def contribution(
        self, name: str, edges: Sequence[int], x: Tensor, weights: Tensor
    ) -> tuple[Tensor, ...]:
        """What an operation adds to some of its edges, one `[B, C/K, H', W']` for each.

        Args:
            name: The operation.
            edges: Edges that have it, in rising order.
            x: `[B, C/K, H, W]`.
            weights: `[E, O]`.
        """
        column, branch = self.columns[name], self.branch(name)
        chosen = [weights[edge, column] for edge in edges]
        if self._same_for_all_edges(name):
            y = branch(x)
            return tuple(y * weight for weight in chosen)
        given = functional.relu(x) if name in self.rectified else x
        per_channel = torch.stack(chosen).repeat_interleave(self.channels)
        mixed: Tensor = branch(given, per_channel, self.positions(name, edges))
        return mixed.split(self.channels, dim=1)

    def _same_for_all_edges(self, name: str) -> bool:
        return name in self.shared or name in self.plain_identities

    def branch(self, name: str) -> nn.Module:
        """The module of an operation."""
        if name in self.dropped:
            return self.skip
        if name in self.identities:
            return nn.Identity()
        groups = (self.shared, self.rectified, self.separate)
        return next(group[name] for group in groups if name in group)

    def mix(self, names: Sequence[str], x: Tensor, weights: Tensor) -> Tensor:
        """The contribution of some operations to the mixtures, `[B, E·C/K, H', W']`.

        Engines with kernels use it for operations that have no kernel, and only where all edges
        have all operations.

        Args:
            names: At least one operation.
            x: `[B, C/K, H, W]`.
            weights: `[E, O]`.
        """
        activated = functional.relu(x) if any(name in self.rectified for name in names) else x
        per_channel = weights.t().repeat_interleave(self.channels, dim=1)
        total: Tensor | None = None
        for name in names:
            branch, weight = self.branch(name), per_channel[self.columns[name]]
            if self._same_for_all_edges(name):
                mixed = branch(x).repeat(1, self.edges, 1, 1) * weight.view(1, -1, 1, 1)
            else:
                mixed = branch(activated if name in self.rectified else x, weight)
            total = mixed if total is None else total.add_(mixed)
        assert total is not None
        return total

    def _add(
        self, group: nn.ModuleDict, x: Tensor, weights: Tensor, total: Tensor | None
    ) -> Tensor | None:
        per_channel = weights.t().repeat_interleave(self.channels, dim=1)
        for name, branch in group.items():
            mixed = branch(x, per_channel[self.columns[name]])
            total = mixed if total is None else total.add_(mixed)
        return total
