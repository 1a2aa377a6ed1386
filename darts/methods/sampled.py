"""Relaxations that add Gumbel noise to alpha: SNAS, GDAS, ReinMax.

With G = -log(-log(U)), U uniform in (0, 1), the largest of alpha + G in a row is column o with
probability softmax(alpha)[o]. The noise is drawn once per forward pass and kind of cell; all cells
of a kind share it, as in the authors' code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from cells.topology import EdgeWeights, Topology
from darts.methods.relaxation import BaseRelaxation, Draw, edge_weights

Active = tuple[tuple[int, ...], ...]
"""For each edge the columns that are computed."""


@dataclass(frozen=True)
class GumbelSoftmax(BaseRelaxation):
    """SNAS: all operations, with random weights that are nearly one-hot at low temperatures.

        w[e] = softmax((alpha[e] + G[e]) / temperature)

    Source: SNAS (arXiv 1812.09926, §2.2) and the authors' code, whose temperature is 1 throughout.
    (With their flag for annealing it falls to 0.03.) The expected weights are softmax(alpha), by
    which the authors derive the genotype.

    >>> from darts.methods.relaxation import Progress
    >>> draw = Draw(Progress(), torch.Generator().manual_seed(0))
    >>> weights = GumbelSoftmax().weights(torch.zeros(2, 3), None, Topology(1), draw)
    >>> weights.operations.sum(1).tolist(), weights.active
    ([1.0, 1.0], None)

    Attributes:
        edge_normalisation: Whether edges are weighted by a softmax of beta. Not in SNAS.
        temperature: Temperature in the first epoch.
        final_temperature: Temperature in the last epoch; it changes linearly.
    """

    temperature: float = 1.0
    final_temperature: float = 1.0
    recordable: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def weights(
        self, alpha: Tensor, beta: Tensor | None, topology: Topology, draw: Draw
    ) -> EdgeWeights:
        temperature = draw.progress.between(self.temperature, self.final_temperature)
        noise = gumbel_noise(alpha, draw.generator)
        return EdgeWeights(soft_sample(alpha, noise, temperature), edge_weights(beta, topology))


@dataclass(frozen=True)
class OnePath(BaseRelaxation):
    """Base of relaxations that sample one operation per edge; validation uses the likeliest one."""

    recordable: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def evaluated(self, alpha: Tensor, beta: Tensor | None, topology: Topology) -> EdgeWeights:
        return one_path(alpha.argmax(dim=1), alpha, edge_weights(beta, topology))


@dataclass(frozen=True)
class HardGumbel(OnePath):
    """GDAS: one sampled operation per edge, with the straight-through gradient of `GumbelSoftmax`.

        l = (log_softmax(alpha) + G) / temperature,   p = softmax(l),   k = argmax(l)
        w = onehot(k) forward,   dw/dalpha = dp/dalpha backward

    Only operation k is computed. The other gates have no effect on the output, so their gradient
    is 0: with c = dL/dw[k], dL/dalpha[o] = c · p[k] · ([o = k] - p[o]) / temperature. The authors'
    cell of the DARTS space does the same. Their cell of NAS-Bench-201 also adds the bare gates of
    the other operations to each element of the output, which gives these gates a gradient that
    does not depend on their operations; that is not offered.

    Source: GDAS (arXiv 1910.04465, §3.2) and the authors' code (temperature from 10 to 0.1).

    >>> from darts.methods.relaxation import Progress
    >>> draw = Draw(Progress(), torch.Generator().manual_seed(0))
    >>> weights = HardGumbel().weights(torch.zeros(2, 3), None, Topology(1), draw)
    >>> weights.operations.tolist(), weights.active
    ([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]], ((0,), (0,)))

    Attributes:
        edge_normalisation: Whether edges are weighted by a softmax of beta. Not in GDAS.
        temperature: Temperature in the first epoch.
        final_temperature: Temperature in the last epoch; it changes linearly.
    """

    temperature: float = 10.0
    final_temperature: float = 0.1

    def weights(
        self, alpha: Tensor, beta: Tensor | None, topology: Topology, draw: Draw
    ) -> EdgeWeights:
        temperature = draw.progress.between(self.temperature, self.final_temperature)
        noise = gumbel_noise(alpha, draw.generator)
        soft = soft_sample(alpha.log_softmax(dim=1), noise, temperature)
        return straight_through(soft, edge_weights(beta, topology))


@dataclass(frozen=True)
class ReinMax(OnePath):
    """One sampled operation per edge, with the gradient of Heun's method instead of Euler's.

        D = onehot(k), k drawn from p = softmax(alpha)
        q = (D + softmax(alpha / temperature)) / 2
        dL/dalpha = [2 J(q) - J(p) / 2] · dL/dD,   J(p) = diag(p) - p·p'

    dL/dD needs the output of every operation. So the architecture step computes all operations,
    although the sampled one alone is the output; the weight step computes the sampled one.

    Source: ReinMax (arXiv 2304.08612, §4) and the authors' code. The gradient is not divided by
    the temperature.

    >>> from darts.methods.relaxation import Progress
    >>> draw = Draw(Progress(), torch.Generator().manual_seed(0), "weights")
    >>> weights = ReinMax().weights(torch.zeros(2, 3), None, Topology(1), draw)
    >>> weights.operations.tolist(), weights.active
    ([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]], ((0,), (0,)))

    Attributes:
        edge_normalisation: Whether edges are weighted by a softmax of beta.
        temperature: At least 1; at 1, q is (D + p) / 2.
        single_path: Whether the architecture step computes the sampled operation only. This is as
            fast as GDAS, but sets dL/dD of the other operations to 0, and the gradient is no
            longer accurate to the second order.

    Raises:
        ValueError: The temperature is below 1.
    """

    temperature: float = 1.0
    single_path: bool = False

    def __post_init__(self) -> None:
        if self.temperature < 1:
            raise ValueError(f"ReinMax needs a temperature of at least 1, not {self.temperature}.")

    def weights(
        self, alpha: Tensor, beta: Tensor | None, topology: Topology, draw: Draw
    ) -> EdgeWeights:
        chosen = (alpha.detach() + gumbel_noise(alpha, draw.generator)).argmax(dim=1)
        sampled = one_path(chosen, alpha, edge_weights(beta, topology))
        hard = reinmax(alpha, sampled.operations, self.temperature)
        computes_all = draw.step == "architecture" and not self.single_path
        return sampled._replace(operations=hard, active=None if computes_all else sampled.active)


def gumbel(uniform: Tensor) -> Tensor:
    """-log(-log(U)) of numbers in [0, 1), finite also at 0.

    >>> import torch
    >>> gumbel(torch.tensor([0.0, 0.5], dtype=torch.float64)).tolist()
    [-6.563..., 0.3665...]
    """
    return -(-uniform.clamp_min(torch.finfo(uniform.dtype).tiny).log()).log()


def gumbel_noise(alpha: Tensor, generator: torch.Generator) -> Tensor:
    """Gumbel noise of the shape of alpha, computed in double precision on the CPU."""
    uniform = torch.rand(alpha.shape, generator=generator, dtype=torch.float64)
    return gumbel(uniform).to(alpha)


def soft_sample(logits: Tensor, noise: Tensor, temperature: float) -> Tensor:
    """softmax((logits + noise) / temperature) of each row."""
    return ((logits + noise) / temperature).softmax(dim=1)


def active_columns(chosen: Tensor) -> Active:
    """The chosen columns `[E]` or `[E, n]`, read by the host."""
    return tuple(tuple(row) for row in chosen.view(len(chosen), -1).tolist())


def one_path(chosen: Tensor, alpha: Tensor, edges: Tensor | None) -> EdgeWeights:
    """Weight 1 for the chosen operation of each edge `[E]`; the others are not computed."""
    operations = one_hot(chosen, alpha.shape[1]).to(alpha)
    return EdgeWeights(operations, edges, active_columns(chosen))


def straight_through(soft: Tensor, edges: Tensor | None) -> EdgeWeights:
    """The largest weight of each row as a one-hot path that has the gradient of `soft`."""
    path = one_path(soft.argmax(dim=1), soft, edges)
    # The bracket is exactly 0, so the weights are exactly one-hot in every precision.
    return path._replace(operations=path.operations + (soft - soft.detach()))


def reinmax(alpha: Tensor, hard: Tensor, temperature: float) -> Tensor:
    """The one-hot rows `hard` with the gradient of `ReinMax` in alpha."""
    result = _ReinMaxFunction.apply(alpha, hard, temperature)
    assert isinstance(result, Tensor)
    return result


class _ReinMaxFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, alpha: Tensor, hard: Tensor, temperature: float) -> Tensor:
        ctx.save_for_backward(alpha, hard)
        ctx.temperature = temperature
        return hard.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = gradients
        alpha, hard = ctx.saved_tensors
        first = alpha.softmax(dim=1)
        second = (hard + (alpha / ctx.temperature).softmax(dim=1)) / 2
        return 2 * _jacobian(second, gradient) - 0.5 * _jacobian(first, gradient), None, None


def _jacobian(p: Tensor, gradient: Tensor) -> Tensor:
    """(diag(p) - p·p') times the gradient, row by row."""
    return p * (gradient - (p * gradient).sum(dim=1, keepdim=True))
