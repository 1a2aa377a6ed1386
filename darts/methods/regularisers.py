"""Regularisers of the architecture: terms that join the validation loss in the architecture step.

Regularisers of the weights, which change the weight step, are in `darts.methods.alignment` and
`darts.methods.freezing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import torch
from torch import Tensor

from darts.methods.architecture import Architecture
from darts.methods.dirichlet import concentration


class Regulariser(Protocol):
    """A scalar function of alpha and beta alone, added to the loss of the architecture.

    It does not depend on the weights of the supernet; so its gradient is added to that of any
    `Gradient`. The penalty on the cost of the derived network is one
    (`darts.costs.ceilings.CostPenalty`); the assembly of the search adds it.

    Attributes:
        recordable: Whether a CUDA graph can record it: whether it is the same function in every
            epoch.
    """

    @property
    def recordable(self) -> bool: ...

    def __call__(self, architecture: Architecture) -> Tensor:
        """The penalty, a scalar on the device of alpha, differentiable in alpha and beta."""


@dataclass(frozen=True)
class BetaDecay:
    """beta-DARTS: keeps the values of alpha, and so their differences, small.

        lambda(e) · mean over edges of log(sum over o of exp(alpha[e, o])),
        lambda(e) = strength · e / E

    Its gradient is lambda(e) · softmax(alpha) / (number of edges): it lowers the largest alphas
    most. The mean is over the edges of all kinds of cell together.

    Source: beta-DARTS (arXiv 2203.01665, §3.3) and the authors' code: strength 50 over the 100
    epochs of a search in NAS-Bench-201. Their code for the cells of DARTS does not run.

    >>> from cells.topology import Topology
    >>> from darts.methods.relaxation import Progress
    >>> architecture = Architecture(Topology(4), generator=torch.Generator())
    >>> architecture.progress = Progress(epoch=1, epochs=50)
    >>> round(BetaDecay()(architecture).item(), 2)  # log(8)
    2.08

    Attributes:
        strength: What lambda grows to, linearly; the last of E epochs has (E - 1) / E of it.
    """

    strength: float = 50.0
    recordable: ClassVar[bool] = False

    def __call__(self, architecture: Architecture) -> Tensor:
        rows = [architecture.masked_alpha(kind).logsumexp(dim=1) for kind in architecture.kinds]
        progress = architecture.progress
        return self.strength * progress.epoch / progress.epochs * torch.cat(rows).mean()


@dataclass(frozen=True)
class ZeroOne:
    """FairDARTS: moves sigmoid weights away from 1/2, towards 0 or 1.

        l2: -strength · mean of (sigmoid(alpha) - 1/2)²
        l1: -strength · mean of |sigmoid(alpha) - 1/2|

    The mean is over the entries of all tables together. At alpha = 0 the gradient of "l2" is 0:
    there the loss has to break the symmetry.

    Source: FairDARTS (arXiv 1911.12126, §4.2) and the authors' code.

    >>> from cells.topology import Topology
    >>> architecture = Architecture(
    ...     Topology(2), generator=torch.Generator(), initial=(torch.inf, 1.0)
    ... )
    >>> ZeroOne()(architecture).item()
    -2.5

    Attributes:
        strength: Factor of the penalty.
        norm: "l2" or "l1".
    """

    strength: float = 10.0
    norm: Literal["l2", "l1"] = "l2"
    recordable: ClassVar[bool] = True

    def __call__(self, architecture: Architecture) -> Tensor:
        alpha = torch.cat([architecture.masked_alpha(kind) for kind in architecture.kinds])
        present = ~alpha.isneginf()
        distance = torch.where(present, alpha.sigmoid() - 0.5, 0.0)
        size = distance.square() if self.norm == "l2" else distance.abs()
        return -self.strength * size.sum() / present.sum()


@dataclass(frozen=True)
class DirichletKL:
    """DrNAS: keeps the Dirichlet distribution of each edge close to the uniform one.

        strength · sum over edges of KL(Dir(c[e]) || Dir(1, …, 1)),   c = elu(alpha) + 1
        KL = log G(s) - sum of log G(c) - log G(n) + sum of (c - 1) (psi(c) - psi(s))

    with s = sum of c, the gamma function G, its logarithmic derivative psi, and n candidates. The
    authors' code offers it instead of the weight decay of alpha: set that to 0.

    Source: DrNAS (arXiv 2006.10355, §2.2) and the authors' code (`kl`).

    >>> from cells.topology import Topology
    >>> architecture = Architecture(
    ...     Topology(2), generator=torch.Generator(), initial=(0.0, 0.0)
    ... )
    >>> DirichletKL()(architecture).item()
    0.0

    Attributes:
        strength: Factor of the divergence.
    """

    strength: float = 1e-3
    recordable: ClassVar[bool] = True

    def __call__(self, architecture: Architecture) -> Tensor:
        alpha = torch.cat([architecture.masked_alpha(kind) for kind in architecture.kinds])
        # Candidates that an edge does not have get c = 1, which adds nothing to the sums over c.
        present, c = ~alpha.isneginf(), concentration(alpha)
        total = torch.where(present, c, 0.0).sum(dim=1)
        count = present.sum(dim=1).to(c.dtype)
        slopes = (c - 1) * (c.digamma() - total.digamma().unsqueeze(1))
        rows = total.lgamma() - c.lgamma().sum(dim=1) - count.lgamma() + slopes.sum(dim=1)
        return self.strength * rows.sum()


@dataclass(frozen=True)
class Entropy:
    """Makes the weights of each edge decided: a penalty on their entropy that grows with time.

        strength · e / (E - 1) · mean over edges of -sum over o of w[e, o] · log(w[e, o])

    with the expected weights w. A supernet whose weights are nearly one-hot loses little when it is
    made discrete. A negative strength rewards undecided weights instead.

    Source: the idea is that of discretization-aware search (DA²S, arXiv 2007.03154), which
    also lets the factor grow; the numbers here are our own.

    >>> from cells.topology import Topology
    >>> from darts.methods.relaxation import Progress
    >>> architecture = Architecture(Topology(2), generator=torch.Generator())
    >>> architecture.progress = Progress(epoch=49, epochs=50)
    >>> round(Entropy(strength=1.0)(architecture).item(), 2)  # log(8)
    2.08

    Attributes:
        strength: Factor in the last epoch; it grows linearly from 0.
    """

    strength: float = 0.1
    recordable: ClassVar[bool] = False

    def __call__(self, architecture: Architecture) -> Tensor:
        rows = []
        for kind in architecture.kinds:
            weights = architecture.weights(kind).operations
            present = ~architecture.masked_alpha(kind).isneginf()
            # Where a candidate does not exist, 1 has no logarithm and no gradient.
            safe = torch.where(present, weights, 1.0).clamp_min(torch.finfo(weights.dtype).tiny)
            rows.append(-(safe * safe.log()).sum(dim=1))
        return architecture.progress.between(0.0, self.strength) * torch.cat(rows).mean()
