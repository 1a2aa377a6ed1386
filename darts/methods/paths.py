"""Relaxations that sample paths: the binary gates of ProxylessNAS, and uniform paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from cells.topology import EdgeWeights, Topology
from darts.methods.relaxation import AfterStep, BaseRelaxation, Draw, edge_weights
from darts.methods.sampled import OnePath, active_columns, gumbel_noise, one_path


@dataclass(frozen=True)
class BinaryPaths(OnePath):
    """ProxylessNAS: gates that are 0 or 1, and the gradient of the gates for alpha.

        p = softmax(alpha),   g = onehot(k) with k drawn from p,   y = sum over o of g[o] · o(x)
        dL/dalpha[i] = sum over j of dL/dg[j] · p[j] · ([i = j] - p[i])

    The weight step computes the sampled path only. In the architecture step,

    - "full" computes all operations, because dL/dg[j] needs their outputs;
    - "two" draws two different operations by p, chooses between them by the softmax of their two
      alphas, and applies the formula to this pair. After the step of the optimiser, both alphas
      are shifted by the same number, so that the sum of their exponentials is what it was: the
      probabilities of all other operations stay the same. This needs an optimiser that leaves
      alphas without gradient alone (Adam with a first beta and a weight decay of 0, as the authors
      use it); with another one, the shift applies to all alphas that moved.

    The authors make no step for an edge where the operation that means "no edge" is the active
    one; here it is an operation like the others.

    Source: ProxylessNAS (arXiv 1812.00332, §3.2) and the authors' code, with "full" by default.

    >>> from darts.methods.relaxation import Progress
    >>> draw = Draw(Progress(), torch.Generator().manual_seed(0))
    >>> BinaryPaths(mode="two").weights(torch.zeros(2, 3), None, Topology(1), draw).active
    ((0, 1), (0, 2))

    Attributes:
        edge_normalisation: Whether edges are weighted by a softmax of beta. Not in ProxylessNAS.
        mode: What the architecture step computes, "full" or "two".
    """

    mode: Literal["full", "two"] = "full"

    @property
    def after_step(self) -> AfterStep | None:
        return keep_other_probabilities if self.mode == "two" else None

    def weights(
        self, alpha: Tensor, beta: Tensor | None, topology: Topology, draw: Draw
    ) -> EdgeWeights:
        edges = edge_weights(beta, topology)
        noisy = alpha.detach() + gumbel_noise(alpha, draw.generator)
        if draw.step == "weights":
            return one_path(noisy.argmax(dim=1), alpha, edges)
        if self.mode == "full":
            path = one_path(noisy.argmax(dim=1), alpha, edges)
            operations = binary_gates(alpha, path.operations)
            return path._replace(operations=operations, active=None)
        return self._pair(alpha, noisy, edges, draw.generator)

    def _pair(
        self, alpha: Tensor, noisy: Tensor, edges: Tensor | None, generator: torch.Generator
    ) -> EdgeWeights:
        # The largest of the noisy logits are draws without replacement.
        pair = noisy.topk(min(2, alpha.shape[1]), dim=1).indices.sort(dim=1).values
        of_pair = alpha.gather(1, pair)
        again = of_pair.detach() + gumbel_noise(of_pair, generator)
        gates = binary_gates(of_pair, one_path(again.argmax(dim=1), of_pair, None).operations)
        operations = torch.zeros_like(alpha).scatter(1, pair, gates)
        # A row with a single candidate has a pair with a column that does not exist there.
        present = of_pair.isfinite().tolist()
        active = tuple(
            tuple(column for column, exists in zip(*row, strict=True) if exists)
            for row in zip(active_columns(pair), present, strict=True)
        )
        return EdgeWeights(operations, edges, active)


@dataclass(frozen=True)
class UniformPath(BaseRelaxation):
    """One operation per edge, drawn uniformly from the candidates; alpha has no effect.

    Only the drawn operations are computed. A search with it trains the weights only; the genotype
    is then chosen among sampled children by the accuracy of the inherited weights.

    Source: Single Path One-Shot (arXiv 1904.00420, §3.3) for all edges of a node; random search
    with weight sharing (arXiv 1902.07638, §3.2 and the authors' code) for `inputs=2`, where `none`
    may be drawn as well.

    >>> from darts.methods.relaxation import Progress
    >>> draw = Draw(Progress(), torch.Generator().manual_seed(0))
    >>> weights = UniformPath(inputs=2).weights(torch.zeros(5, 3), None, Topology(2), draw)
    >>> weights.edges.tolist(), weights.active
    ([1.0, 1.0, 1.0, 0.0, 1.0], ((0,), (0,), (2,), (), (1,)))

    Attributes:
        edge_normalisation: Whether edges are weighted by a softmax of beta.
        inputs: Number of different edges that each node keeps in a draw; 0 keeps all. The other
            edges have weight 0 and are not computed.
    """

    inputs: int = 0
    recordable: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def probabilities(self, alpha: Tensor) -> Tensor:
        return _flat(alpha).softmax(dim=1)

    def log_probabilities(self, alpha: Tensor) -> Tensor:
        return _flat(alpha).log_softmax(dim=1)

    def weights(
        self, alpha: Tensor, beta: Tensor | None, topology: Topology, draw: Draw
    ) -> EdgeWeights:
        flat = _flat(alpha)
        edges = edge_weights(beta, topology)
        chosen = (flat + gumbel_noise(flat, draw.generator)).argmax(dim=1)
        path = one_path(chosen, flat, edges)
        if not self.inputs:
            return path
        kept = self._kept(topology, draw.generator)
        mask = torch.tensor(kept, device=alpha.device).to(alpha.dtype)
        assert path.active is not None
        active = tuple(
            columns if keeps else () for columns, keeps in zip(path.active, kept, strict=True)
        )
        operations = path.operations * mask.unsqueeze(1)
        return EdgeWeights(operations, mask if edges is None else edges * mask, active)

    def _kept(self, topology: Topology, generator: torch.Generator) -> list[bool]:
        """Whether each edge is among the `inputs` drawn ones of its node."""
        kept: list[bool] = []
        for node in topology.inner:
            order = torch.randperm(len(topology.incoming(node)), generator=generator)
            kept += (order < self.inputs).tolist()
        return kept


def _flat(alpha: Tensor) -> Tensor:
    """0 for each candidate of an edge, -inf for the others."""
    return torch.zeros_like(alpha).masked_fill(alpha.isneginf(), -torch.inf)


def binary_gates(alpha: Tensor, hard: Tensor) -> Tensor:
    """The one-hot rows `hard` with the gradient of softmax(alpha)."""
    soft = alpha.softmax(dim=1)
    return hard + (soft - soft.detach())


def keep_other_probabilities(before: Tensor, after: Tensor) -> Tensor:
    """Shift the alphas that moved, row by row, so that the others keep their probabilities.

        alpha[S] = after[S] + log sum exp(before[S]) - log sum exp(after[S])

    where S are the columns that moved.

    >>> import torch
    >>> before, after = torch.tensor([[0.0, 0.0, 0.0]]), torch.tensor([[0.5, -0.5, 0.0]])
    >>> round(keep_other_probabilities(before, after).softmax(1)[0, 2].item(), 6)
    0.333333
    """
    moved = before != after
    still = ~moved.any(dim=1, keepdim=True)
    # Rows without a moved alpha take part with all columns: their two sums are equal.
    old = before.masked_fill(~(moved | still), -torch.inf).logsumexp(dim=1, keepdim=True)
    new = after.masked_fill(~(moved | still), -torch.inf).logsumexp(dim=1, keepdim=True)
    return torch.where(moved, after + (old - new), after)
