"""Search spaces as data: which cells exist, and which of their operations a genotype may name.

A space decides which genotypes are valid, which random ones are drawn, which candidates a search
relaxes, and how many edges its derivation keeps. Nothing here imports torch.

Sources: DARTS (arXiv 1806.09055, §3.1) and PC-DARTS (arXiv 1907.05737, §4.1) for `darts`; `nasnet`
adds the two operations that only the published NASNet and AmoebaNet cells use (Zoph et al., arXiv
1707.07012; Real et al., arXiv 1802.01548).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

NONE = "none"
"""The usual name of the operation that means "no edge"."""

Place = tuple[str, int, int]
"""An edge of one kind of cell: (kind, source state, target state)."""


@dataclass(frozen=True, kw_only=True)
class SearchSpace:
    """A set of cells. With n inner nodes, states 0 to `inputs` - 1 are the inputs of a cell, and
    states `inputs` to `inputs` + n - 1 are its inner nodes. Each inner node keeps `kept` of the
    edges from the states before it, each with one operation.

    >>> space = SearchSpace(name="tiny", operations=("none", "skip_connect", "sep_conv_3x3"))
    >>> space.choices("normal", 0, 2)
    ('skip_connect', 'sep_conv_3x3')
    >>> space.output_states(nodes=4)
    (2, 3, 4, 5)

    Attributes:
        name: Name of the space; genotypes refer to it.
        operations: All candidate operations, in the order of alpha's columns.
        zero: The operation that means "no edge". It is a candidate of the search, but never part
            of a genotype. None if no operation means this.
        restricted: Edges that have fewer candidates than `operations`, with these. An edge that is
            not listed has all of them.
        inputs: Number of input states of a cell.
        nodes: Number of inner nodes of a cell; None if any number is allowed.
        kept: Number of edges that each inner node keeps; None if it keeps all.
        distinct_sources: Whether the kept edges of a node must come from different states.
        output: What a cell returns: "concat" is the concatenation of all inner nodes, "last" the
            last inner node.
        kinds: The kinds of cell that are searched: "normal", and "reduce" where reduction cells
            have operations of their own.
        stack: How cells form a network. "cells" is the stack of DARTS, in which cells at one third
            and two thirds of the depth reduce. "stages" is that of NAS-Bench-201: three stages of
            equal cells, joined by residual blocks that reduce.
        normalised_pools: Whether batch norm follows pooling in a supernet, as in DARTS.

    Raises:
        ValueError: The attributes contradict each other.
    """

    name: str
    operations: tuple[str, ...]
    zero: str | None = NONE
    restricted: Mapping[Place, tuple[str, ...]] = field(default_factory=dict, hash=False)
    inputs: int = 2
    nodes: int | None = None
    kept: int | None = 2
    distinct_sources: bool = True
    output: Literal["concat", "last"] = "concat"
    kinds: tuple[str, ...] = ("normal", "reduce")
    stack: Literal["cells", "stages"] = "cells"
    normalised_pools: bool = True

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise ValueError(f"Search space {self.name!r}: {problem}.")

    def _problem(self) -> str | None:
        if len(set(self.operations)) != len(self.operations):
            return "an operation is listed twice"
        if self.zero is not None and self.zero not in self.operations:
            return f"the zero operation {self.zero!r} is not one of the operations"
        if self.inputs < 1 or (self.nodes is not None and self.nodes < 1):
            return "a cell needs at least one input and one inner node"
        if self.kept is not None and not 1 <= self.kept <= self.inputs:
            return f"the first node has only {self.inputs} edges, so it cannot keep {self.kept}"
        for place, names in (("every edge", self.operations), *self.restricted.items()):
            unknown = set(names) - set(self.operations)
            if unknown:
                return f"{place} has unknown operations: {', '.join(sorted(unknown))}"
            if not set(names) - {self.zero}:
                return f"{place} has no operation that a genotype can name"
        return None

    @property
    def zero_column(self) -> int | None:
        """Column of alpha that belongs to the zero operation."""
        return None if self.zero is None else self.operations.index(self.zero)

    def candidates(self, kind: str, source: int, target: int) -> tuple[str, ...]:
        """The operations that a search relaxes on an edge of a normal or reduction cell."""
        return self.restricted.get((kind, source, target), self.operations)

    def choices(self, kind: str, source: int, target: int) -> tuple[str, ...]:
        """The operations that a genotype may have on an edge: all candidates but the zero one."""
        return tuple(name for name in self.candidates(kind, source, target) if name != self.zero)

    def kept_edges(self, states: int) -> int:
        """Number of edges that a node keeps of those from the `states` states before it."""
        return states if self.kept is None else self.kept

    def inner_states(self, nodes: int) -> range:
        """The states that are inner nodes, in a cell with `nodes` of them."""
        return range(self.inputs, self.inputs + nodes)

    def output_states(self, nodes: int) -> tuple[int, ...]:
        """The states that a cell returns, concatenated."""
        inner = self.inner_states(nodes)
        return tuple(inner) if self.output == "concat" else (inner[-1],)


DARTS = SearchSpace(
    name="darts",
    operations=(
        NONE,
        "max_pool_3x3",
        "avg_pool_3x3",
        "skip_connect",
        "sep_conv_3x3",
        "sep_conv_5x5",
        "dil_conv_3x3",
        "dil_conv_5x5",
    ),
)
"""The cells of DARTS and PC-DARTS: 8 candidates on every edge, two kept edges per node."""

NASNET = SearchSpace(
    name="nasnet",
    operations=(*DARTS.operations, "sep_conv_7x7", "conv_7x1_1x7"),
    distinct_sources=False,
)
"""The cells of NASNet and AmoebaNet, which may use one source of a node twice."""

_registered: dict[str, SearchSpace] = {space.name: space for space in (DARTS, NASNET)}

SPACES: Mapping[str, SearchSpace] = MappingProxyType(_registered)
"""All known spaces by name: the built-in ones and those added by `register_space`."""


def register_space(space: SearchSpace) -> SearchSpace:
    """Make a space known by its name, so that genotypes of it can be parsed, and return it.

    Call it when a module is imported: worker processes have to know the space as well.

    >>> register_space(DARTS) is SPACES["darts"]
    True

    Raises:
        ValueError: The name belongs to another space already.
    """
    if _registered.setdefault(space.name, space) != space:
        raise ValueError(f"There is another search space with the name {space.name!r}.")
    return space
