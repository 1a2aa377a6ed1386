"""All candidate operations on all edges that leave one state, fused.

All edges that leave a state read the same channels. Parts without parameters (the ReLU, pooling
with its batch norm, the identity) are therefore computed once, and the convolutions of all edges
run as one convolution with E times the outputs. The numbers are those of the literal edge-by-edge
form in another order; `tests/reference` has that form.

Edges are concatenated along the channels: channel e·C + c is channel c of edge e.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from ops.fused.unfused import SeparateEdges
from ops.registry import Trivial, create_operation, find_operation


class FanOut(nn.Module):
    """The mixed operations of all edges that leave one state.

        y_e = sum over o of  weights[e, o] · o_e(x)

    Shapes: x `[B, C/K, H, W]`, weights `[E, O]`; the result is one `[B, C/K, H', W']` per edge.
    Source: DARTS (arXiv 1806.09055, Eq. 2).

    >>> fan_out = FanOut(("none", "skip_connect"), channels=4, edges=3, stride=1)
    >>> [tuple(y.shape) for y in fan_out(torch.ones(1, 4, 8, 8), torch.ones(3, 2))]
    [(1, 4, 8, 8), (1, 4, 8, 8), (1, 4, 8, 8)]

    Args:
        operations: Names of the candidates, in the order of alpha's columns.
        channels: C/K, the channels that a mixed operation processes.
        edges: E, the number of edges that leave the state.
        stride: 1, or 2 on the edges that reduce.
    """

    def __init__(self, operations: Sequence[str], channels: int, edges: int, stride: int) -> None:
        super().__init__()
        self.channels, self.edges, self.stride = channels, edges, stride
        self.columns = {name: column for column, name in enumerate(operations)}
        self.shared = nn.ModuleDict()
        self.rectified = nn.ModuleDict()
        self.separate = nn.ModuleDict()
        # Operations that return the state itself.
        self.identities: tuple[str, ...] = ()
        for name in operations:
            form = find_operation(name).fuse(channels, edges, stride)
            if form is Trivial.NOTHING:
                continue
            if form is Trivial.IDENTITY:
                self.identities += (name,)
            elif isinstance(form, nn.Module):
                getattr(self, form.group)[name] = form
            else:
                create = partial(create_operation, name, channels, stride, False, normalised=True)
                self.separate[name] = SeparateEdges(create, edges)

    def _spread(self, x: Tensor, weights: Tensor) -> Tensor | None:
        """Weighted sum for each edge of the branches that all edges share: one matrix product."""
        names = list(self.shared)
        branches = [self.shared[name](x) for name in names]
        for name in self.identities:
            names.append(name)
            branches.append(x)
        if not branches:
            return None
        # Not `weights[:, [...]]`: copying the list to the device would make the host wait.
        chosen = torch.stack([weights[:, self.columns[name]] for name in names])
        unit = torch.eye(self.channels, dtype=x.dtype, device=x.device)
        # [S·C, E·C]: branch s, channel c feeds channel c of edge e with weight chosen[s, e].
        matrix = (chosen[:, None, :, None] * unit[None, :, None, :]).flatten(2).flatten(0, 1)
        stacked = torch.cat(branches, dim=1).permute(0, 2, 3, 1)
        return (stacked @ matrix).permute(0, 3, 1, 2)

    def forward(self, x: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
        activated = functional.relu(x) if len(self.rectified) else x
        total: Tensor | None = None
        for group, source in ((self.rectified, activated), (self.separate, x)):
            total = self._add(group, source, weights, total)
        # Last, because it is a view: an in-place addition to a view would cost a copy.
        spread = self._spread(x, weights)
        if spread is not None:
            total = spread if total is None else total.add_(spread)
        if total is None:
            raise ValueError("A mixed operation needs a candidate besides 'none'.")
        return total.split(self.channels, dim=1)

    def branch(self, name: str) -> nn.Module:
        """The module of an operation."""
        if name in self.identities:
            return nn.Identity()
        groups = (self.shared, self.rectified, self.separate)
        return next(group[name] for group in groups if name in group)

    def mix(self, names: Sequence[str], x: Tensor, weights: Tensor) -> Tensor:
        """The contribution of some operations to the mixtures, `[B, E·C/K, H', W']`.

        Engines with kernels use it for operations that have no kernel.

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
            if name in self.shared or name in self.identities:
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
