"""The expected cost of the derived network, as a smooth function of alpha and beta.

On each node, derivation keeps the edges whose best operation besides `none` is strongest, where a
strength is s = softmax(alpha) · softmax(beta). Suppose that Gumbel noise of temperature t is added
to each log s before that. Then (Gumbel-max; Kool et al., arXiv 1903.06059, for the k best):

- the operation of an edge has the probabilities softmax(log s / t) over all operations but `none`;
- independently of it, the best value of the edge is Gumbel distributed around
  l = logsumexp(log s / t);
- so the kept edges are drawn without replacement with weights w = softmax(l) over the node. With
  two kept edges, edge i is kept with probability w_i + sum over j ≠ i of w_j · w_i / (1 - w_j).

Costs are sums over kept operations. Their expectation under this noise is therefore exact, and for
t -> 0 it becomes the cost of the network that is derived without noise.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from cells.topology import Topology
from darts.methods.relaxation import split_by_node
from genotypes import SearchSpace


def keeping_probabilities(
    log_strengths: Tensor,
    topology: Topology,
    space: SearchSpace,
    temperature: float | Tensor = 1.0,
) -> Tensor:
    """`[E, O]`: probability that the derived cell has operation o on edge e.

    The probabilities of a node add up to the number of edges that it keeps.

    >>> from genotypes.search_space import DARTS
    >>> keeping_probabilities(torch.zeros(5, 8), Topology(2), DARTS).sum().item()
    4.0

    Args:
        log_strengths: `[E, O]`, log of softmax(alpha) · softmax(beta).
        topology: Nodes and edges of the cell.
        space: Says which operation is `none` and how many edges a node keeps.
        temperature: Size of the noise, above 0.
    """
    scores = _without_zero(log_strengths / temperature, space)
    edges = [
        _inclusion(part, space.kept) if space.kept else torch.ones_like(part)
        for part in split_by_node(scores.logsumexp(dim=1), topology)
    ]
    return torch.cat(edges).unsqueeze(1) * scores.softmax(dim=1)


@torch.no_grad()
def derived_operations(log_strengths: Tensor, topology: Topology, space: SearchSpace) -> Tensor:
    """`[E, O]`: 1 where the derived cell has operation o on edge e, else 0: the limit of t -> 0.

    It equals `darts.methods.selection.derive_cell`, but computes on the device of the strengths,
    where the order of ties is undefined.
    """
    best, columns = _without_zero(log_strengths, space).max(dim=1)
    edges = [
        torch.zeros_like(part).scatter(0, part.topk(space.kept_edges(len(part))).indices, 1.0)
        for part in split_by_node(best, topology)
    ]
    kept = torch.zeros_like(log_strengths)
    return kept.scatter(1, columns.unsqueeze(1), torch.cat(edges).unsqueeze(1))


def _without_zero(scores: Tensor, space: SearchSpace) -> Tensor:
    """Scores `[E, O]` with the column of `none` masked."""
    if space.zero_column is None:
        return scores
    column = torch.arange(scores.shape[1], device=scores.device) == space.zero_column
    return scores.masked_fill(column, -torch.inf)


def _inclusion(scores: Tensor, count: int) -> Tensor:
    """Probability of being among `count` draws without replacement, with weights softmax(scores).

    Args:
        scores: `[..., n]`.
        count: Number of draws, at most n.
    """
    first = scores.softmax(dim=-1)
    if count == 1:
        return first
    n = scores.shape[-1]
    itself = torch.eye(n, dtype=torch.bool, device=scores.device)
    # Row j: the other draws if the first one was j. Free of 1 - w_j, which could round to 0.
    rest = scores.unsqueeze(-2).expand(*scores.shape[:-1], n, n).masked_fill(itself, -torch.inf)
    others = _inclusion(rest, count - 1)
    return first + (first.unsqueeze(-2) @ others).squeeze(-2)


def expected_cost(
    probabilities: Mapping[str, Tensor], operations: Mapping[str, Tensor], base: Tensor | float
) -> Tensor:
    """`base` plus the sum of the costs of both kinds of cell, weighted by their probabilities.

    Args:
        probabilities: By kind of cell `[E, O]`, see `keeping_probabilities`.
        operations: By kind of cell `[E, O]`, the cost of each operation on each edge.
        base: The cost that every network has.
    """
    shares = [(probabilities[kind] * operations[kind]).sum() for kind in probabilities]
    return torch.stack(shares).sum() + base
