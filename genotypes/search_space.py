"""Search spaces as data: which cells exist, and which of their operations a genotype may name.

A space decides which genotypes are valid, which random ones are drawn, which candidates a search
relaxes, and how many edges its derivation keeps. Nothing here imports torch.

Sources: DARTS (arXiv 1806.09055, §3.1) and PC-DARTS (arXiv 1907.05737, §4.1) for `darts`; `nasnet`
adds the two operations that only the published NASNet and AmoebaNet cells use (Zoph et al., arXiv
1707.07012; Real et al., arXiv 1802.01548).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

NONE = "none"
"""The usual name of the operation that means "no edge"."""

SKIP_CONNECT = "skip_connect"
"""The name of the skip connection."""

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
        least: Fewest edges that a node may keep instead, where a selection finds no more that are
            worth it (FairDARTS); None if every node keeps `kept`.
        distinct_sources: Whether the kept edges of a node must come from different states.
        output: What a cell returns: "concat" is the concatenation of all inner nodes, "last" the
            last inner node.
        kinds: The kinds of cell that are searched: "normal", and "reduce" where reduction cells
            have operations of their own.
        stack: How cells form a network. "cells" is the stack of DARTS, in which cells at one third
            and two thirds of the depth reduce. "stages" is that of NAS-Bench-201: three stages of
            equal cells, joined by residual blocks that reduce.
        normalised_pools: Whether batch norm follows pooling in a supernet, as in DARTS.
        about: One line for lists of spaces.

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
    least: int | None = None
    distinct_sources: bool = True
    output: Literal["concat", "last"] = "concat"
    kinds: tuple[str, ...] = ("normal", "reduce")
    stack: Literal["cells", "stages"] = "cells"
    normalised_pools: bool = True
    about: str = field(default="", compare=False)

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
        if self.least is not None and not 1 <= self.least <= (self.kept or 0):
            return f"least must be between 1 and the number of kept edges, not {self.least}"
        return self._problem_of_stack() or self._problem_of_edges()

    def _problem_of_stack(self) -> str | None:
        for name, value, known in (
            ("output", self.output, ("concat", "last")),
            ("stack", self.stack, ("cells", "stages")),
            ("kinds", self.kinds, (("normal",), ("normal", "reduce"))),
        ):
            if value not in known:
                return f"{name} is one of {', '.join(map(str, known))}, not {value!r}"
        if self.stack == "cells" and (self.inputs != 2 or len(self.kinds) < 2):
            return "a stack of cells needs normal and reduction cells with two inputs"
        form = (self.inputs, self.output, self.kinds)
        if self.stack == "stages" and form != (1, "last", ("normal",)):
            return "a stack of stages needs normal cells only, with one input and output 'last'"
        return None

    def _problem_of_edges(self) -> str | None:
        for kind, source, target in self.restricted:
            place = (kind, source, target)
            last = math.inf if self.nodes is None else self.inputs + self.nodes - 1
            if kind not in self.kinds or not 0 <= source < target or target < self.inputs:
                return f"there is no edge {place}"
            if target > last:
                return f"there is no edge {place}; the last node is state {last}"
        lists: list[tuple[Any, tuple[str, ...]]] = [("every edge", self.operations)]
        for place, names in lists + list(self.restricted.items()):
            unknown = set(names) - set(self.operations)
            if unknown:
                return f"{place} has unknown operations: {', '.join(sorted(unknown))}"
            if len(set(names)) != len(names):
                return f"{place} lists an operation twice"
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

    def fewest_edges(self, states: int) -> int:
        """The least number of edges that a node may keep of those from the states before it."""
        return self.kept_edges(states) if self.least is None else self.least

    def inner_states(self, nodes: int) -> range:
        """The states that are inner nodes, in a cell with `nodes` of them."""
        return range(self.inputs, self.inputs + nodes)

    def output_states(self, nodes: int) -> tuple[int, ...]:
        """The states that a cell returns, concatenated."""
        inner = self.inner_states(nodes)
        return tuple(inner) if self.output == "concat" else (inner[-1],)

    def size(self, nodes: int | None = None) -> int:
        """The number of genotypes with `nodes` inner nodes per cell.

        A node that keeps k of its edges, which have c_1, c_2, … choices, has e_k(c_1, c_2, …)
        possible inputs: the elementary symmetric polynomial. Where two inputs of a node may have
        the same source, it has as many as there are multisets of k choices. Where k may vary, the
        numbers are added.

        >>> SearchSpace(name="tiny", operations=("none", "skip_connect", "noise")).size(nodes=2)
        2304

        Args:
            nodes: May be left out if the space has a fixed number of nodes.
        """
        nodes = self.nodes if nodes is None else nodes
        if nodes is None:
            raise ValueError(f"The space {self.name!r} has cells of any number of nodes.")
        total = 1
        for kind in self.kinds:
            for target in self.inner_states(nodes):
                counts = [len(self.choices(kind, source, target)) for source in range(target)]
                numbers = range(self.fewest_edges(target), self.kept_edges(target) + 1)
                if self.distinct_sources:
                    total *= sum(_elementary_symmetric(counts, kept) for kept in numbers)
                else:
                    total *= sum(math.comb(sum(counts) + kept - 1, kept) for kept in numbers)
        return total

    def as_mapping(self) -> dict[str, Any]:
        """The space as plain values, which `from_mapping` reads.

        >>> DARTS.as_mapping()["kept"]
        2
        """
        plain: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
        del plain["restricted"]
        plain |= {"operations": list(self.operations), "kinds": list(self.kinds)}
        plain["kept"] = "all" if self.kept is None else self.kept
        edges: dict[str, dict[str, list[str]]] = {}
        for (kind, source, target), names in self.restricted.items():
            edges.setdefault(kind, {})[f"{source}>{target}"] = list(names)
        return {key: value for key, value in (plain | {"edges": edges}).items() if value != {}}

    @classmethod
    def from_mapping(cls, mapping: Any) -> SearchSpace:
        """The space of plain values, e.g. of a parsed YAML file.

        The keys are the attributes of the class, with these differences: `edges` is written for
        `restricted`, as in `{normal: {0>2: [skip_connect, sep_conv_3x3]}}`, and `kept: all` for
        None. Without `zero`, the operation `none` means "no edge" if it is a candidate.

        >>> SearchSpace.from_mapping({"name": "mine", "operations": ["none", "noise"]}).zero
        'none'

        Raises:
            ValueError: A key is unknown or missing, a value is impossible, or they contradict each
                other.
        """
        if not isinstance(mapping, Mapping):
            raise ValueError("a search space is a mapping of keys")
        keys = [one.name for one in fields(cls) if one.name != "restricted"] + ["edges"]
        if unknown := [key for key in mapping if key not in keys]:
            raise ValueError(f"unknown key {unknown[0]!r} (choices: {', '.join(keys)})")
        if missing := [key for key in ("name", "operations") if key not in mapping]:
            raise ValueError(f"missing key {', '.join(map(repr, missing))}")
        given = {key: _checked(key, value) for key, value in mapping.items()}
        if "zero" not in given:
            given["zero"] = NONE if NONE in given["operations"] else None
        if "kept" in given:
            given["kept"] = None if given["kept"] == "all" else given["kept"]
        if "edges" in given:
            given["restricted"] = _edges(given.pop("edges"))
        return cls(**given)


def _elementary_symmetric(counts: list[int], k: int) -> int:
    """e_k: the sum of the products of all choices of k of the numbers."""
    sums = [1, *[0] * k]
    for count in counts:
        for size in range(k, 0, -1):
            sums[size] += count * sums[size - 1]
    return sums[k]


def _checked(key: str, value: Any) -> Any:
    """The value of a key of a space's plain form, in the type of the attribute."""
    right: bool
    if key in ("operations", "kinds"):
        return _names(key, value)
    if key in ("inputs", "nodes", "kept", "least"):
        right = isinstance(value, int) and not isinstance(value, bool)
        right = right or (key, value) in (("nodes", None), ("kept", "all"), ("least", None))
        wanted = {"inputs": "a number", "kept": "a number or all"}.get(key, "a number or null")
    elif key in ("distinct_sources", "normalised_pools"):
        right, wanted = isinstance(value, bool), "true or false"
    elif key == "edges":
        right, wanted = isinstance(value, Mapping), "a mapping of kinds of cell"
    else:
        right = isinstance(value, str) or (key, value) == ("zero", None)
        wanted = "a text"
    if not right:
        raise ValueError(f"{key}: {wanted}, not {value!r}")
    return value


def _names(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{key}: a list of names, not {value!r}")
    return tuple(value)


def _edges(mapping: Mapping[Any, Any]) -> dict[Place, tuple[str, ...]]:
    restricted = {}
    for kind, edges in mapping.items():
        if not isinstance(edges, Mapping):
            raise ValueError(f"edges: {kind}: a mapping such as {{0>2: [skip_connect]}}")
        for edge, names in edges.items():
            ends = str(edge).split(">")
            if len(ends) != 2 or not all(end.strip().isdecimal() for end in ends):
                raise ValueError(f"edges: {kind}: an edge is written SOURCE>TARGET, not {edge!r}")
            place = (str(kind), int(ends[0]), int(ends[1]))
            restricted[place] = _names(f"edges: {kind}: {edge}", names)
    return restricted


DARTS = SearchSpace(
    name="darts",
    about="The cells of DARTS and PC-DARTS.",
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
    about="The cells of NASNet and AmoebaNet.",
    operations=(*DARTS.operations, "sep_conv_7x7", "conv_7x1_1x7"),
    distinct_sources=False,
)
"""The cells of NASNet and AmoebaNet, which may use one source of a node twice."""
