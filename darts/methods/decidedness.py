"""How decided a search is: the entropies of the weights of operations and of edges."""

from __future__ import annotations

import torch
from torch import Tensor

from cells.topology import Topology
from darts.methods.architecture import Architecture


def operation_entropy(weights: Tensor, candidates: Tensor) -> float | None:
    """The mean over the edges of the entropy of their operations, from 0 (decided) to 1 (equal).

        H[e] = - sum over o of p[o] log p[o] / log n,   p = weights[e] / sum of weights[e]

    with the n candidates of edge e. Edges with a single candidate have nothing to decide and are
    left out. Sigmoid weights, which need not sum to 1, are compared by their shares as well.

    >>> weights = torch.tensor([[0.25, 0.25, 0.25, 0.25], [0.5, 0.5, 0.0, 0.0]])
    >>> operation_entropy(weights, torch.ones(2, 4, dtype=torch.bool))
    0.75

    Args:
        weights: `[E, O]`, not negative.
        candidates: `[E, O]`, True where an edge has the operation.

    Returns:
        None if no edge has two candidates.
    """
    weights, candidates = weights.to("cpu", torch.float64), candidates.cpu()
    return _mean_entropy(torch.where(candidates, weights, 0.0), candidates.sum(dim=1))


def edge_entropy(weights: Tensor, topology: Topology) -> float | None:
    """The mean over the nodes of the entropy of their incoming edges, from 0 to 1.

    The formula is that of `operation_entropy`, for the n edges into a node. Nodes with a single
    edge are left out.

    >>> round(edge_entropy(torch.tensor([0.5, 0.5, 1.0, 0.0, 0.0]), Topology(2)), 3)
    0.5

    Args:
        weights: `[E]`, not negative.
        topology: Nodes and edges of the cell.

    Returns:
        None if no node has two incoming edges.
    """
    rows = torch.zeros(topology.nodes, max(topology.inner), dtype=torch.float64)
    counts = torch.tensor(list(topology.inner))
    values = weights.tolist()
    for edge in topology.edges:
        rows[edge.target - topology.inputs, edge.source] = values[edge.index]
    return _mean_entropy(rows, counts)


def _mean_entropy(rows: Tensor, counts: Tensor) -> float | None:
    """Mean of the normalised entropies of the rows with at least two entries that count."""
    rows, counts = rows[counts > 1], counts[counts > 1]
    if not len(rows):
        return None
    # A row without any weight is decided: nothing of it is used.
    shares = rows / rows.sum(dim=1, keepdim=True).clamp_min(torch.finfo(rows.dtype).tiny)
    entropies = torch.special.entr(shares).sum(dim=1) / counts.to(rows).log()
    return entropies.mean().item()


@torch.no_grad()
def entropies(architecture: Architecture) -> dict[str, float]:
    """The entropies of an architecture by name.

    >>> architecture = Architecture(Topology(2), generator=torch.Generator(), initial=(0.0, 0.0))
    >>> sorted(entropies(architecture))
    ['normal_edge_entropy', 'normal_entropy', 'reduce_edge_entropy', 'reduce_entropy']

    Returns:
        `normal_entropy` and `reduce_entropy` of the operations; with edge normalisation also
        `normal_edge_entropy` and `reduce_edge_entropy`. What has nothing to decide is left out.
    """
    found: dict[str, float | None] = {}
    operations = len(architecture.operations)
    for kind, table in architecture.mean_tables().items():
        candidates = ~architecture.masked_alpha(kind).isneginf()
        found[f"{kind}_entropy"] = operation_entropy(table.operations[:, :operations], candidates)
        if architecture.relaxation.edge_normalisation and table.edges is not None:
            found[f"{kind}_edge_entropy"] = edge_entropy(table.edges, architecture.topology)
    return {name: value for name, value in found.items() if value is not None}
