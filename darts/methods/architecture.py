"""Architecture parameters: alpha, beta, their relaxation, and the genotype they stand for."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cells.topology import EdgeWeights, Topology
from genotypes import SPACES, Genotype

KINDS = ("normal", "reduce")


class Architecture(nn.Module):
    """alpha `[E, O]` and beta `[E]` of the normal and the reduction cell.

    They are kept apart from the supernet, whose forward pass takes the tables made here; so neither
    optimiser, weight decay nor gradient clipping of one can touch the other.

    Args:
        topology: Nodes and edges of the cells.
        space: Name of the search space; it names the candidate operations.
        edge_normalisation: Whether beta exists (PC-DARTS, §3.3).
        generator: Draws the initial values, 1e-3·N(0, 1) as in the authors' code.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        space: str = "darts",
        edge_normalisation: bool = True,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.topology, self.space = topology, space
        self.operations = SPACES[space]
        edges = len(topology.edges)

        def draw(*shape: int) -> nn.Parameter:
            return nn.Parameter(1e-3 * torch.randn(shape, generator=generator))

        self.alpha = nn.ParameterDict({kind: draw(edges, len(self.operations)) for kind in KINDS})
        self.beta = nn.ParameterDict({kind: draw(edges) for kind in KINDS if edge_normalisation})

    def weights(self, kind: str) -> EdgeWeights:
        """The relaxed choice for one kind of cell: softmax of alpha, softmax of beta by node."""
        operations = self.alpha[kind].softmax(dim=1)
        if kind not in self.beta:
            return EdgeWeights(operations, None)
        return EdgeWeights(operations, normalise_edges(self.beta[kind], self.topology))

    def tables(self) -> dict[str, EdgeWeights]:
        """The weights of both kinds of cell: computed once a step, not once a cell."""
        return {kind: self.weights(kind) for kind in KINDS}

    def fixed_tables(self) -> dict[str, EdgeWeights]:
        """The same, cut off from alpha and beta."""
        with torch.no_grad():
            return self.tables()

    def strengths(self, kind: str) -> Tensor:
        """`[E, O]`: softmax of alpha times softmax of beta, or the former alone without beta."""
        operations, edges = self.weights(kind)
        return operations if edges is None else operations * edges.unsqueeze(1)

    def log_strengths(self, kind: str) -> Tensor:
        """`[E, O]`: their logarithms, finite where a softmax rounds to 0."""
        operations = self.alpha[kind].log_softmax(dim=1)
        if kind not in self.beta:
            return operations
        sizes = [len(self.topology.incoming(node)) for node in self.topology.inner]
        edges = torch.cat([part.log_softmax(dim=0) for part in self.beta[kind].split(sizes)])
        return operations + edges.unsqueeze(1)

    @torch.no_grad()
    def derive(self, name: str) -> Genotype:
        """The genotype that alpha and beta stand for now (PC-DARTS, §3.3; DARTS, §2.4)."""
        normal, reduce = (
            derive_cell(self.strengths(kind), self.topology, self.operations) for kind in KINDS
        )
        concat = tuple(self.topology.inner)
        return Genotype(
            name=name,
            normal=normal,
            reduce=reduce,
            normal_concat=concat,
            reduce_concat=concat,
            space=self.space,
        )


def normalise_edges(beta: Tensor, topology: Topology) -> Tensor:
    """Softmax of beta `[E]` over the incoming edges of each node (PC-DARTS, Eq. 3)."""
    sizes = [len(topology.incoming(node)) for node in topology.inner]
    return torch.cat([part.softmax(dim=0) for part in beta.split(sizes)])


def derive_cell(
    strengths: Tensor, topology: Topology, operations: tuple[str, ...]
) -> tuple[tuple[tuple[str, int], ...], ...]:
    """Keep each node's two strongest edges, each with its strongest operation.

    An edge is as strong as its best operation besides `none`. The stronger edge comes first; equal
    edges and equal operations go to the lower index, as in the authors' code.

    Args:
        strengths: `[E, O]`.
    """
    choices = [column for column, name in enumerate(operations) if name != "none"]
    table = strengths.detach().double().cpu()[:, choices]
    # argmax and topk leave ties open; a stable sort does not.
    best = table.argsort(dim=1, descending=True, stable=True)[:, 0]
    strongest = table.gather(1, best.unsqueeze(1)).squeeze(1).tolist()
    nodes = []
    for node in topology.inner:
        kept = sorted(topology.incoming(node), key=lambda edge: -strongest[edge.index])[:2]
        nodes.append(
            tuple((operations[choices[int(best[edge.index])]], edge.source) for edge in kept)
        )
    return tuple(nodes)
