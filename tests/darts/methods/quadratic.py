"""The smallest bilevel problem, whose gradients are known: f(x) = w · a · x, squared error."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cells.topology import EdgeWeights
from darts.methods.gradient import Bilevel, LabelledBatch

DOUBLE = torch.float64


class OneAlpha(nn.Module):
    """An architecture of one free number a."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor([[value]], dtype=DOUBLE))

    def tables(self) -> dict[str, EdgeWeights]:
        return {"normal": EdgeWeights(self.a, None)}

    def fixed_tables(self) -> dict[str, EdgeWeights]:
        return {"normal": EdgeWeights(self.a.detach(), None)}


class OneWeight(nn.Module):
    """f(x) = w · a · x."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([value], dtype=DOUBLE))

    def forward(self, x: Tensor, tables: dict[str, EdgeWeights]) -> Tensor:
        return self.w * tables["normal"].operations[0] * x


def half_square(output: Tensor, target: Tensor) -> Tensor:
    return ((output - target) ** 2).sum() / 2


def scalar(x: float, y: float) -> LabelledBatch:
    return LabelledBatch(torch.tensor([x], dtype=DOUBLE), torch.tensor([y], dtype=DOUBLE))


W, A, RATE, MOMENTUM, DECAY, VELOCITY = 0.7, 1.3, 0.05, 0.9, 0.01, 0.4
TRAINING, VALIDATION = scalar(1.5, 2.0), scalar(-0.8, 0.6)


def problem() -> Bilevel:
    """One weight, one alpha and a quadratic loss."""
    net, architecture = OneWeight(W), OneAlpha(A)
    optimiser = torch.optim.SGD(net.parameters(), lr=RATE, momentum=MOMENTUM, weight_decay=DECAY)
    optimiser.state[net.w]["momentum_buffer"] = torch.tensor([VELOCITY], dtype=DOUBLE)
    return Bilevel(net, architecture, optimiser, half_square)
