"""The relaxation of DrNAS: weights from a Dirichlet distribution, with a pathwise gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import elu

from cells.topology import EdgeWeights, Topology
from darts.methods.relaxation import BaseRelaxation, Draw, edge_weights

LEAST_CONCENTRATION = 1e-6
"""Smaller concentrations are raised to this: their samples would underflow."""


@dataclass(frozen=True)
class Dirichlet(BaseRelaxation):
    """DrNAS: the weights of each edge are a sample from a Dirichlet distribution.

        w[e] ~ Dirichlet(concentration[e]),   concentration = elu(alpha) + 1

    The gradient is pathwise: the sample as an implicit function of its concentrations. Candidates
    that an edge does not have take part in the draw with alpha = 0, as in the authors' code; their
    weights are then set to 0 and each row is divided by its sum.

    Source: DrNAS (arXiv 2006.10355, §2.2) and the authors' code. The expected weights are
    softmax(alpha), by which the authors derive the genotype; validation uses the mean
    concentration / sum of concentrations (the authors go on sampling there).

    >>> from darts.methods.relaxation import Progress
    >>> draw = Draw(Progress(), torch.Generator().manual_seed(0))
    >>> weights = Dirichlet().weights(torch.zeros(2, 3), None, Topology(1), draw)
    >>> weights.operations.sum(1)
    tensor([1., 1.])

    Attributes:
        edge_normalisation: Whether edges are weighted by a softmax of beta. Not in DrNAS.
    """

    recordable: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def weights(
        self, alpha: Tensor, beta: Tensor | None, topology: Topology, draw: Draw
    ) -> EdgeWeights:
        present = alpha.isfinite()
        sample = dirichlet_sample(concentration(alpha), draw.generator)
        return EdgeWeights(renormalise(sample, present), edge_weights(beta, topology))

    def evaluated(self, alpha: Tensor, beta: Tensor | None, topology: Topology) -> EdgeWeights:
        mean = renormalise(concentration(alpha), alpha.isfinite())
        return EdgeWeights(mean, edge_weights(beta, topology))


def concentration(alpha: Tensor) -> Tensor:
    """elu(alpha) + 1, at least `LEAST_CONCENTRATION`; 1 where alpha is -inf.

    >>> import torch
    >>> concentration(torch.tensor([1.0, 0.0, -torch.inf])).tolist()
    [2.0, 1.0, 1.0]
    """
    return (elu(alpha.masked_fill(alpha.isneginf(), 0.0)) + 1).clamp_min(LEAST_CONCENTRATION)


def renormalise(weights: Tensor, present: Tensor) -> Tensor:
    """Set the weights that are not `present` to 0, and divide each row by its sum.

    >>> import torch
    >>> renormalise(torch.tensor([[0.5, 0.25, 0.25]]), torch.tensor([[False, True, True]])).tolist()
    [[0.0, 0.5, 0.5]]
    """
    kept = weights.masked_fill(~present, 0.0)
    return kept / kept.sum(dim=1, keepdim=True).clamp_min(torch.finfo(kept.dtype).tiny)


def dirichlet_sample(concentrations: Tensor, generator: torch.Generator) -> Tensor:
    """One sample for each row of concentrations `[E, O]`, with its pathwise gradient.

    It is drawn in double precision on the CPU.
    """
    exact = concentrations.detach().double().cpu()
    return follow(concentrations, torch._sample_dirichlet(exact, generator=generator))


def follow(concentrations: Tensor, sample: Tensor) -> Tensor:
    """A given sample as a function of its concentrations."""
    result = _PathwiseFunction.apply(concentrations, sample.to(concentrations.device))
    assert isinstance(result, Tensor)
    return result


class _PathwiseFunction(torch.autograd.Function):
    """dL/dc[i] = r[i] · (g[i] - <x, g>), with r from the derivative of the Beta distribution."""

    @staticmethod
    def forward(ctx: Any, concentrations: Tensor, sample: Tensor) -> Tensor:
        ctx.save_for_backward(concentrations, sample)
        return sample.to(concentrations.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        concentrations, x = ctx.saved_tensors
        exact, upstream = concentrations.double(), gradient.double()
        total = exact.sum(dim=1, keepdim=True).expand_as(exact)
        rate = torch._dirichlet_grad(x, exact, total.contiguous())
        found = rate * (upstream - (x * upstream).sum(dim=1, keepdim=True))
        return found.nan_to_num().to(gradient.dtype), None
