"""The architecture parameters alpha and beta, and the genotype that they describe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isnan

import torch
from torch import Tensor, nn

from cells.topology import EdgeWeights, Topology
from darts.methods.relaxation import Draw, Progress, Relaxation, Softmax
from darts.methods.selection import Selection, StrongestEdges
from genotypes import Genotype, SearchSpace
from genotypes.search_space import DARTS


class Architecture(nn.Module):
    """alpha `[E, O]` and beta `[E]` of each kind of cell.

    They are separate from the supernet, whose forward pass takes the tables made here: so the
    optimiser, weight decay and gradient clipping of one cannot touch the other.

    Source: DARTS, §2.2 (alpha); PC-DARTS, §3.3 (beta). The initial values are 1e-3 · N(0, 1), as
    in the authors' code, unless `initial` says otherwise.

    >>> import torch
    >>> architecture = Architecture(Topology(4), generator=torch.Generator().manual_seed(0))
    >>> architecture.alpha["normal"].shape, architecture.beta["normal"].shape
    (torch.Size([14, 8]), torch.Size([14]))
    >>> architecture.derive("example").normal_concat
    (2, 3, 4, 5)

    Args:
        topology: Nodes and edges of the cells.
        space: The search space; it names the kinds of cell and the candidate operations.
        relaxation: How alpha and beta become weights, and whether beta exists.
        selection: How the genotype is chosen.
        generator: The source of the initial values.
        noise: The source of what a stochastic relaxation draws, on the CPU.
        initial: Mean and standard deviation of the initial alpha. Beta's mean is always 0.
        auxiliary: The weight of an auxiliary skip connection on every edge at a given progress
            (DARTS-). The tables then have the further column `AUXILIARY_SKIP`.

    Attributes:
        progress: The position of the search in its stage; `tables` depends on it.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        space: SearchSpace = DARTS,
        relaxation: Relaxation = Softmax(),
        selection: Selection = StrongestEdges(),
        generator: torch.Generator,
        noise: torch.Generator | None = None,
        initial: tuple[float, float] = (0.0, 1e-3),
        auxiliary: Callable[[Progress], float] | None = None,
    ) -> None:
        super().__init__()
        self.topology, self.space = topology, space
        self.relaxation, self.selection = relaxation, selection
        self.auxiliary, self.progress = auxiliary, Progress()
        self._noise = noise or torch.Generator()
        edges, (mean, deviation) = len(topology.edges), initial

        def draw(*shape: int, mean: float = 0.0) -> nn.Parameter:
            return nn.Parameter(mean + deviation * torch.randn(shape, generator=generator))

        self.alpha = nn.ParameterDict(
            {kind: draw(edges, len(space.operations), mean=mean) for kind in self.kinds}
        )
        self.beta = nn.ParameterDict(
            {kind: draw(edges) for kind in self.kinds if relaxation.edge_normalisation}
        )
        if space.restricted:
            for kind in self.kinds:
                self.register_buffer(f"_excluded_{kind}", self._excluded(kind), persistent=False)
        self._fixed: dict[str, Tensor] = {}
        self._fixed_columns: dict[str, list[tuple[int, ...] | None]] = {}
        self._fixed_edges: dict[str, Tensor] = {}

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of cell that have an alpha."""
        return self.space.kinds

    @property
    def operations(self) -> tuple[str, ...]:
        """Names of the candidate operations, in the order of alpha's columns."""
        return self.space.operations

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the operations in the order of the columns of `tables`."""
        return self.operations if self.auxiliary is None else (*self.operations, AUXILIARY_SKIP)

    def candidates(self, kind: str, source: int, target: int) -> tuple[str, ...]:
        """The operations of `columns` that an edge has."""
        names = self.space.candidates(kind, source, target)
        return names if self.auxiliary is None else (*names, AUXILIARY_SKIP)

    def _excluded(self, kind: str) -> Tensor:
        """`[E, O]`: True for candidates that the space does not allow on an edge."""
        rows = []
        for edge in self.topology.edges:
            candidates = self.space.candidates(kind, edge.source, edge.target)
            rows.append([name not in candidates for name in self.operations])
        return torch.tensor(rows)

    def masked_alpha(self, kind: str) -> Tensor:
        """alpha `[E, O]` of a kind; -inf for candidates that an edge does not have."""
        alpha: Tensor = self.alpha[kind]
        if self.space.restricted:
            alpha = alpha.masked_fill(self.get_buffer(f"_excluded_{kind}"), -torch.inf)
        return alpha

    def _parameters_of(self, kind: str) -> tuple[Tensor, Tensor | None]:
        beta = self.beta[kind] if self.relaxation.edge_normalisation else None
        return self.masked_alpha(kind), beta

    def fix(self, kind: str, weights: Tensor, edges: Tensor | None = None) -> None:
        """Replace weights in all tables of a kind by fixed ones.

        Args:
            kind: The kind of cell.
            weights: `[E, O]`, those of operations; NaN leaves a weight to the relaxation. Rows that
                are fixed get no gradient.
            edges: `[E]`, those of edges, in the same way; None leaves all to the relaxation.
        """
        self._fixed[kind] = weights.to(self.alpha[kind])
        # Read by the host once, for relaxations that compute single paths.
        self._fixed_columns[kind] = [
            None if any(isnan(value) for value in row) else _nonzero(row)
            for row in weights.tolist()
        ]
        self._fixed_edges.pop(kind, None)
        if edges is not None and not edges.isnan().all():
            self._fixed_edges[kind] = edges.to(self.alpha[kind])

    def _complete(self, kind: str, weights: EdgeWeights) -> EdgeWeights:
        """The weights with fixed rows and the column of the auxiliary skip."""
        operations = weights.operations
        if kind in self._fixed:
            fixed = self._fixed[kind]
            operations = torch.where(fixed.isnan(), operations, fixed)
            if weights.active is not None:
                rows = zip(self._fixed_columns[kind], weights.active, strict=True)
                active = tuple(drawn if columns is None else columns for columns, drawn in rows)
                weights = weights._replace(active=active)
        if kind in self._fixed_edges:
            fixed, edges = self._fixed_edges[kind], weights.edges
            edges = torch.ones_like(fixed) if edges is None else edges
            weights = weights._replace(edges=torch.where(fixed.isnan(), edges, fixed))
        if self.auxiliary is not None:
            constant = operations.new_full((len(operations), 1), self.auxiliary(self.progress))
            operations = torch.cat([operations, constant], dim=1)
            if weights.active is not None:
                last = len(self.operations)
                active = tuple((*columns, last) for columns in weights.active)
                weights = weights._replace(active=active)
        return weights._replace(operations=operations)

    def weights(self, kind: str) -> EdgeWeights:
        """The expected choice of operations and edges for one kind of cell."""
        return self.relaxation.expected(*self._parameters_of(kind), self.topology)

    def tables(self) -> dict[str, EdgeWeights]:
        """The weights of each kind of cell for one forward pass of the architecture step.

        They are computed once per step, not once per cell. A stochastic relaxation draws them.
        """
        return self._drawn_tables(Draw(self.progress, self._noise))

    def _drawn_tables(self, draw: Draw) -> dict[str, EdgeWeights]:
        return {
            kind: self._complete(
                kind, self.relaxation.weights(*self._parameters_of(kind), self.topology, draw)
            )
            for kind in self.kinds
        }

    def fixed_tables(self) -> dict[str, EdgeWeights]:
        """The weights for one forward pass of the weight step, cut off from alpha and beta."""
        with torch.no_grad():
            return self._drawn_tables(Draw(self.progress, self._noise, "weights"))

    @torch.no_grad()
    def evaluated_tables(self) -> dict[str, EdgeWeights]:
        """The weights of the supernet in validation, without random numbers."""
        return {
            kind: self._complete(
                kind, self.relaxation.evaluated(*self._parameters_of(kind), self.topology)
            )
            for kind in self.kinds
        }

    @torch.no_grad()
    def mean_tables(self) -> dict[str, EdgeWeights]:
        """The expected weights as the supernet reads them: with fixed rows and auxiliary skip."""
        return {kind: self._complete(kind, self.weights(kind)) for kind in self.kinds}

    @torch.no_grad()
    def expected_tables(self) -> dict[str, EdgeWeights]:
        """The expected weights of alpha and beta, for records."""
        return {kind: self.weights(kind) for kind in self.kinds}

    def strengths(self, kind: str) -> Tensor:
        """`[E, O]`: expected weight of the operation times weight of the edge."""
        return self.weights(kind).strengths()

    def log_strengths(self, kind: str) -> Tensor:
        """`[E, O]`: the logarithms of the strengths, finite even where a softmax rounds to 0."""
        return self.relaxation.log_strengths(*self._parameters_of(kind), self.topology)

    @torch.no_grad()
    def derive(self, name: str) -> Genotype:
        """The genotype that alpha and beta describe now (DARTS, §2.4; PC-DARTS, §3.3)."""
        strengths = {kind: self.strengths(kind) for kind in self.kinds}
        cells = self.selection(strengths, self.topology, self.space)
        concat = self.space.output_states(self.topology.nodes)
        reduces = "reduce" in self.kinds
        return Genotype(
            name=name,
            normal=cells["normal"],
            reduce=cells["reduce"] if reduces else (),
            normal_concat=concat,
            reduce_concat=concat if reduces else (),
            space=self.space,
        )


def _nonzero(row: Sequence[float]) -> tuple[int, ...]:
    return tuple(column for column, value in enumerate(row) if value)


AUXILIARY_SKIP = "auxiliary_skip"
"""Name of the operation of an auxiliary skip connection; no genotype contains it."""
