"""The literal supernet of NAS-Bench-201: edge by edge, as in the formulas. It is slow.

Cells: arXiv 2001.00326, §2. Partial channels: as in the code of DrNAS (arXiv 2006.10355), with the
edge normalisation of PC-DARTS where a table has weights of edges.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.reference.supernet import MixedOperation


class LiteralReduction(nn.Module):
    """The residual block: pooled shortcut, and two convolutions behind ReLUs."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = 2 * channels
        self.conv1 = nn.Conv2d(channels, wide, 3, 2, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(wide)
        self.conv2 = nn.Conv2d(wide, wide, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(wide)
        self.shortcut = nn.Conv2d(channels, wide, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.norm1(self.conv1(functional.relu(x)))
        main = self.norm2(self.conv2(functional.relu(inner)))
        return self.shortcut(functional.avg_pool2d(x, 2, 2)) + main


class LiteralStageCell(nn.Module):
    """Node j is the sum over all i < j of the mixed operation of node i; the output is the last."""

    def __init__(self, channels: int, nodes: int, k: int, space: Sequence[str]) -> None:
        super().__init__()
        self.nodes = nodes
        self.edges = nn.ModuleList(
            MixedOperation(channels, k, 1, space, normalised=False)
            for target in range(1, nodes + 1)
            for _ in range(target)
        )

    def forward(
        self,
        x: Tensor,
        operations: Tensor,
        edges: Tensor | None,
        active: Sequence[Sequence[int]] | None = None,
        keep: Tensor | None = None,
    ) -> Tensor:
        states, row = [x], 0
        for _ in range(self.nodes):
            node = torch.zeros_like(x)
            for state in states:
                columns = None if active is None else active[row]
                out = self.edges[row](state, operations[row], active=columns)
                if edges is not None:
                    out = edges[row] * out
                if keep is not None:
                    out = keep[row].view(-1, 1, 1, 1) * out
                node = node + out
                row += 1
            states.append(node)
        return states[-1]


class LiteralStages(nn.Module):
    """Stem, three stages, classifier. `cells[i].edges[row].operation(column)` as elsewhere."""

    def __init__(
        self, channels: int, layers: int, space: Sequence[str], *, nodes: int = 3, k: int = 1
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)
        )
        self.each = layers // 3
        self.cells = nn.ModuleList(
            LiteralStageCell(channels * 2 ** (number // self.each), nodes, k, space)
            for number in range(layers)
        )
        self.reductions = nn.ModuleList(LiteralReduction(channels * 2**stage) for stage in (0, 1))
        self.norm = nn.BatchNorm2d(4 * channels)
        self.classifier = nn.Linear(4 * channels, 10)

    def forward(self, images: Tensor, *table: Tensor | None) -> Tensor:
        """Logits, for the entries of one table: operations `[E, O]`, edges `[E]` or None, …"""
        x = self.stem(images)
        for number, cell in enumerate(self.cells):
            if number and number % self.each == 0:
                x = self.reductions[number // self.each - 1](x)
            x = cell(x, *table)
        pooled = functional.adaptive_avg_pool2d(functional.relu(self.norm(x)), 1).flatten(1)
        return self.classifier(pooled)
