"""The literal supernet: edge by edge, as in the formulas of PC-DARTS and its code. It is slow.

Tests compare the fast engines with it: equal weights must give equal numbers. Nothing is shared,
fused or reordered here. Formulas: PC-DARTS (arXiv 1907.05737), Eq. 2 and §3.3. Layers: its code,
model_search.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from cells.skeleton import reduction_layers
from darts.models.stems import create_search_stem
from ops.primitives import FactorizedReduce, ReluConvBn
from ops.registry import create_operation

OPERATIONS = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)

# For each kind of cell: weights of the operations [E, O], and of the edges [E] or None; then,
# optionally, the computed columns of each edge, and a factor for each edge and sample [E, B].
Tables = Mapping[str, Sequence]
# (kind of cell, source, target) -> names of the candidates of an edge.
Candidates = Callable[[str, int, int], Sequence[str]]
# For (cell, state): a permutation of the channels; its first C/K entries are selected.
Selection = Mapping[tuple[int, int], Tensor]


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """Read the channels, as a table of `groups` rows, column by column."""
    batch, channels, height, width = x.shape
    x = x.view(batch, groups, channels // groups, height, width)
    return x.transpose(1, 2).reshape(batch, channels, height, width)


class MixedOperation(nn.Module):
    """One edge: all candidates process C/K channels; the other channels bypass them."""

    def __init__(
        self,
        channels: int,
        k: int,
        stride: int,
        space: Sequence[str] = OPERATIONS,
        candidates: Sequence[str] | None = None,
        normalised: bool = True,
    ) -> None:
        super().__init__()
        self.channels, self.k, self.stride = channels, k, stride
        names = space if candidates is None else candidates
        self.columns = [column for column, name in enumerate(space) if name in names]
        self.operations = nn.ModuleList(
            create_operation(
                space[column], channels // k, stride, affine=False, normalised=normalised
            )
            for column in self.columns
        )

    def operation(self, column: int) -> nn.Module:
        """The candidate that belongs to a column of alpha."""
        return self.operations[self.columns.index(column)]

    def mixture(self, x: Tensor, weights: Tensor, active: Sequence[int] | None = None) -> Tensor:
        """sum_o w_o · o(x) over the candidates that are active"""
        total = x.new_zeros(()) * x[:, :, :: self.stride, :: self.stride]
        for column, operation in zip(self.columns, self.operations, strict=True):
            if active is None or column in active:
                total = total + weights[column] * operation(x)
        return total

    def bypass(self, x: Tensor) -> Tensor:
        return functional.max_pool2d(x, 2, 2) if self.stride == 2 else x

    def forward(
        self,
        x: Tensor,
        weights: Tensor,
        permutation: Tensor | None = None,
        active: Sequence[int] | None = None,
    ) -> Tensor:
        selected = self.channels // self.k
        if self.k == 1 and permutation is None:
            return self.mixture(x, weights, active)
        if permutation is None:
            processed, bypassed = x[:, :selected], x[:, selected:]
            both = torch.cat(
                [self.mixture(processed, weights, active), self.bypass(bypassed)], dim=1
            )
            return channel_shuffle(both, self.k)
        # S · sum_o w_o · o(S x) + (1 - S) x: all channels keep their positions.
        size = (len(x), self.channels, x.shape[2] // self.stride, x.shape[3] // self.stride)
        out = x.new_zeros(size)
        chosen, others = permutation[:selected], permutation[selected:]
        out = out.index_copy(1, chosen, self.mixture(x[:, chosen], weights, active))
        if len(others):
            out = out.index_copy(1, others, self.bypass(x[:, others]))
        return out


class ReferenceCell(nn.Module):
    """A search cell; its edges are ordered as the rows of alpha: by node, then by source."""

    def __init__(
        self,
        before_previous: int,
        previous: int,
        channels: int,
        *,
        nodes: int,
        k: int,
        reduction: bool,
        previous_reduction: bool,
        space: Sequence[str] = OPERATIONS,
        candidates: Candidates | None = None,
    ) -> None:
        super().__init__()
        self.nodes, self.reduction = nodes, reduction
        if previous_reduction:
            self.preprocess0: nn.Module = FactorizedReduce(before_previous, channels, affine=False)
        else:
            self.preprocess0 = ReluConvBn(before_previous, channels, affine=False)
        self.preprocess1 = ReluConvBn(previous, channels, affine=False)
        self.edges = nn.ModuleList()
        for node in range(nodes):
            for source in range(2 + node):
                stride = 2 if reduction and source < 2 else 1
                kind = "reduce" if reduction else "normal"
                names = candidates(kind, source, 2 + node) if candidates else None
                self.edges.append(MixedOperation(channels, k, stride, space, names))

    def forward(
        self,
        before_previous: Tensor,
        previous: Tensor,
        operations: Tensor,
        edges: Tensor | None,
        permutations: Mapping[int, Tensor],
        active: Sequence[Sequence[int]] | None = None,
        keep: Tensor | None = None,
    ) -> Tensor:
        states = [self.preprocess0(before_previous), self.preprocess1(previous)]
        row = 0
        for _ in range(self.nodes):
            node: Tensor | None = None
            for source, state in enumerate(states):
                columns = None if active is None else active[row]
                out = self.edges[row](state, operations[row], permutations.get(source), columns)
                if edges is not None:
                    out = edges[row] * out
                if keep is not None:
                    out = keep[row].view(-1, 1, 1, 1) * out
                node = out if node is None else node + out
                row += 1
            assert node is not None
            states.append(node)
        return torch.cat(states[2:], dim=1)


class ReferenceSupernet(nn.Module):
    """Stem, cells, global average pooling, classifier.

    `cells[i].edges[row].operation(column)` is the operation that alpha[row, column] weights.
    """

    def __init__(
        self,
        channels: int = 16,
        layers: int = 8,
        nodes: int = 4,
        k: int = 4,
        num_classes: int = 10,
        stem: str = "cifar",
        edge_normalisation: bool = True,
        space: Sequence[str] = OPERATIONS,
        candidates: Candidates | None = None,
    ) -> None:
        super().__init__()
        self.edge_normalisation = edge_normalisation
        self.stem = create_search_stem(stem, channels)
        before_previous, previous = self.stem.out_channels0, self.stem.out_channels1
        previous_reduction = self.stem.reduces
        self.cells = nn.ModuleList()
        for layer in range(layers):
            reduction = layer in reduction_layers(layers)
            if reduction:
                channels = 2 * channels
            self.cells.append(
                ReferenceCell(
                    before_previous,
                    previous,
                    channels,
                    nodes=nodes,
                    k=k,
                    reduction=reduction,
                    previous_reduction=previous_reduction,
                    space=space,
                    candidates=candidates,
                )
            )
            before_previous, previous = previous, nodes * channels
            previous_reduction = reduction
        self.classifier = nn.Linear(previous, num_classes)

    def forward(self, images: Tensor, tables: Tables, selection: Selection | None = None) -> Tensor:
        """Logits `[B, num_classes]`.

        Args:
            images: `[B, 3, H, W]`.
            tables: For "normal" and "reduce": softmax of alpha `[E, O]` and softmax of beta over
                each node's incoming edges `[E]` (unused without edge normalisation); see `Tables`.
            selection: For (cell, source state): a permutation of the cell's channels whose first
                C/K entries S selects. None: the first channels and a shuffle.
        """
        before_previous, previous = self.stem(images)
        for layer, cell in enumerate(self.cells):
            operations, edges, *more = tables["reduce" if cell.reduction else "normal"]
            if not self.edge_normalisation:
                edges = None
            permutations = {
                source: permutation
                for (of, source), permutation in (selection or {}).items()
                if of == layer
            }
            output = cell(before_previous, previous, operations, edges, permutations, *more)
            before_previous, previous = previous, output
        pooled = functional.adaptive_avg_pool2d(previous, 1).flatten(1)
        return self.classifier(pooled)
