"""The toy problem of the golden vectors `darts_unrolled_second_order` and `idarts_neumann`.

L_train = sum over i of (c_i w_i - t_i p_(i mod n))^2 / 2 + 0.05 w_i^4,     p = softmax(alpha)
L_val   = sum over i of (d_i w_i - q_i p_((i + 1) mod n))^2 / 2
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from cells.topology import EdgeWeights
from darts.methods.gradient import Bilevel, LabelledBatch


class Alpha(nn.Module):
    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.alpha = nn.Parameter(values.clone())

    def tables(self) -> dict[str, EdgeWeights]:
        return {"normal": EdgeWeights(self.alpha.softmax(0), None)}

    def fixed_tables(self) -> dict[str, EdgeWeights]:
        return {"normal": self.tables()["normal"].detach()}


class Losses(nn.Module):
    """The terms of a loss; a batch holds its coefficients: factor, target, shift, quartic."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.w = nn.Parameter(weights.clone())

    def forward(self, batch: Tensor, tables: Mapping[str, EdgeWeights]) -> Tensor:
        factor, target, shift, quartic = batch
        p = tables["normal"].operations
        index = (torch.arange(len(self.w)) + shift.long()) % len(p)
        return (factor * self.w - target * p[index]) ** 2 / 2 + quartic * self.w**4


def _batch(factor: Tensor, target: Tensor, shift: int, quartic: float) -> LabelledBatch:
    constants = torch.full_like(factor, shift), torch.full_like(factor, quartic)
    return LabelledBatch(torch.stack([factor, target, *constants]), torch.zeros(4))


def toy(inputs: Mapping[str, Any]) -> tuple[Bilevel, LabelledBatch, LabelledBatch]:
    """The problem, its validation batch and its training batch."""
    net = Losses(inputs["w"])
    sgd = torch.optim.SGD(
        net.parameters(),
        lr=inputs["lr"],
        momentum=inputs.get("momentum", 0.0),
        weight_decay=inputs.get("weight_decay", 0.0),
    )
    if "momentum_buffer" in inputs:
        sgd.state[net.w]["momentum_buffer"] = inputs["momentum_buffer"].clone()
    problem = Bilevel(net, Alpha(inputs["alpha"]), sgd, lambda terms, _: terms.sum())
    validation = _batch(inputs["d"], inputs["q"], 1, 0.0)
    return problem, validation, _batch(inputs["c"], inputs["t"], 0, 0.05)
