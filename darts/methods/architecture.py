"""The architecture parameters alpha and beta, and the genotype that they describe."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cells.topology import EdgeWeights, Topology
from darts.methods.relaxation import Relaxation, Softmax
from darts.methods.selection import Selection, StrongestEdges
from genotypes import KINDS, Genotype, SearchSpace
from genotypes.search_space import DARTS


class Architecture(nn.Module):
    """alpha `[E, O]` and beta `[E]` of the normal and the reduction cell.

    They are separate from the supernet, whose forward pass takes the tables made here: so the
    optimiser, weight decay and gradient clipping of one cannot touch the other.

    Source: DARTS, §2.2 (alpha); PC-DARTS, §3.3 (beta). The initial values are 1e-3 · N(0, 1), as
    in the authors' code.

    >>> import torch
    >>> architecture = Architecture(Topology(4), generator=torch.Generator().manual_seed(0))
    >>> architecture.alpha["normal"].shape, architecture.beta["normal"].shape
    (torch.Size([14, 8]), torch.Size([14]))
    >>> architecture.derive("example").normal_concat
    (2, 3, 4, 5)

    Args:
        topology: Nodes and edges of the cells.
        space: The search space; it names the candidate operations.
        relaxation: How alpha and beta become weights, and whether beta exists.
        selection: How the genotype is chosen.
        generator: The source of the initial values.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        space: SearchSpace = DARTS,
        relaxation: Relaxation = Softmax(),
        selection: Selection = StrongestEdges(),
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.topology, self.space = topology, space
        self.relaxation, self.selection = relaxation, selection
        edges = len(topology.edges)

        def draw(*shape: int) -> nn.Parameter:
            return nn.Parameter(1e-3 * torch.randn(shape, generator=generator))

        self.alpha = nn.ParameterDict({kind: draw(edges, len(self.operations)) for kind in KINDS})
        self.beta = nn.ParameterDict(
            {kind: draw(edges) for kind in KINDS if relaxation.edge_normalisation}
        )
        if space.restricted:
            for kind in KINDS:
                self.register_buffer(f"_excluded_{kind}", self._excluded(kind), persistent=False)

    @property
    def operations(self) -> tuple[str, ...]:
        """Names of the candidate operations, in the order of alpha's columns."""
        return self.space.operations

    def _excluded(self, kind: str) -> Tensor:
        """`[E, O]`: True for candidates that the space does not allow on an edge."""
        rows = []
        for edge in self.topology.edges:
            candidates = self.space.candidates(kind, edge.source, edge.target)
            rows.append([name not in candidates for name in self.operations])
        return torch.tensor(rows)

    def _parameters_of(self, kind: str) -> tuple[Tensor, Tensor | None]:
        alpha: Tensor = self.alpha[kind]
        if self.space.restricted:
            alpha = alpha.masked_fill(self.get_buffer(f"_excluded_{kind}"), -torch.inf)
        return alpha, self.beta[kind] if self.relaxation.edge_normalisation else None

    def weights(self, kind: str) -> EdgeWeights:
        """The relaxed choice of operations and edges for one kind of cell."""
        return self.relaxation.weights(*self._parameters_of(kind), self.topology)

    def tables(self) -> dict[str, EdgeWeights]:
        """The weights of both kinds of cell: computed once per step, not once per cell."""
        return {kind: self.weights(kind) for kind in KINDS}

    def fixed_tables(self) -> dict[str, EdgeWeights]:
        """The same weights, cut off from alpha and beta."""
        with torch.no_grad():
            return self.tables()

    def strengths(self, kind: str) -> Tensor:
        """`[E, O]`: weight of the operation times weight of the edge."""
        return self.weights(kind).strengths()

    def log_strengths(self, kind: str) -> Tensor:
        """`[E, O]`: the logarithms of the strengths, finite even where a softmax rounds to 0."""
        return self.relaxation.log_strengths(*self._parameters_of(kind), self.topology)

    @torch.no_grad()
    def derive(self, name: str) -> Genotype:
        """The genotype that alpha and beta describe now (DARTS, §2.4; PC-DARTS, §3.3)."""
        strengths = {kind: self.strengths(kind) for kind in KINDS}
        cells = self.selection(strengths, self.topology, self.space)
        concat = self.space.output_states(self.topology.nodes)
        return Genotype(
            name=name,
            normal=cells["normal"],
            reduce=cells["reduce"],
            normal_concat=concat,
            reduce_concat=concat,
            space=self.space.name,
        )
