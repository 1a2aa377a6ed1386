"""The expected cost of the derived network, as a smooth function of alpha and beta.

Derivation takes on each node the two edges whose best operation besides `none` is strongest, where
a strength is s = softmax(alpha)·softmax(beta). Let each log s be perturbed by Gumbel noise of
temperature t before that. Then (Gumbel-max; Kool et al., arXiv 1903.06059, for the best two):

- an edge's operation has the probabilities softmax(log s / t) over all operations but `none`;
- independently of it, the edge's best is distributed about l = logsumexp(log s / t);
- so the two kept edges are drawn without replacement with weights w = softmax(l) over the node, and
  edge i is kept with probability w_i + sum over j ≠ i of w_j · w_i / (1 - w_j).

Costs are sums over kept operations. Their expectation under this noise is therefore exact, and as t
goes to 0 it becomes the cost of the network that is derived without noise.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from cells.topology import Topology


def keeping_probabilities(
    log_strengths: Tensor, topology: Topology, none: int | None, temperature: float | Tensor = 1.0
) -> Tensor:
    """`[E, O]`: how probably the derived cell has operation o on edge e; each node sums to 2.

    Args:
        log_strengths: `[E, O]`, log of softmax(alpha)·softmax(beta).
        none: Column of `none`, whose probability is 0; None where there is no such operation.
        temperature: Size of the noise, above 0.
    """
    scores = _without(log_strengths / temperature, none)
    sizes = [len(topology.incoming(node)) for node in topology.inner]
    edges = torch.cat([_best_two(part) for part in scores.logsumexp(dim=1).split(sizes)])
    return edges.unsqueeze(1) * scores.softmax(dim=1)


@torch.no_grad()
def kept_operations(log_strengths: Tensor, topology: Topology, none: int | None) -> Tensor:
    """`[E, O]`: 1 where the derived cell has operation o on edge e, else 0; the limit of small t.

    As `darts.methods.architecture.derive_cell`, but where the strengths live (and ties fall
    anywhere).
    """
    best, columns = _without(log_strengths, none).max(dim=1)
    sizes = [len(topology.incoming(node)) for node in topology.inner]
    edges = torch.cat(
        [torch.zeros_like(part).scatter(0, part.topk(2).indices, 1.0) for part in best.split(sizes)]
    )
    kept = torch.zeros_like(log_strengths)
    return kept.scatter(1, columns.unsqueeze(1), edges.unsqueeze(1))


def _without(scores: Tensor, none: int | None) -> Tensor:
    """Scores `[E, O]` with `none` out of the running."""
    if none is None:
        return scores
    column = torch.arange(scores.shape[1], device=scores.device) == none
    return scores.masked_fill(column, -torch.inf)


def _best_two(scores: Tensor) -> Tensor:
    """Probability of being one of two draws without replacement, by softmax of `scores` [n]."""
    itself = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    # Row j: the second draw when the first one was j. Free of 1 - w_j, which could round to 0.
    second = scores.expand(len(scores), -1).masked_fill(itself, -torch.inf).softmax(dim=1)
    first = scores.softmax(dim=0)
    return first + first @ second


def expected_cost(
    probabilities: Mapping[str, Tensor], operations: Mapping[str, Tensor], base: Tensor | float
) -> Tensor:
    """`base` plus the sum of both kinds' costs `[E, O]` weighed by their probabilities `[E, O]`."""
    shares = [(probabilities[kind] * operations[kind]).sum() for kind in probabilities]
    return torch.stack(shares).sum() + base
