"""How far the cells of several searches agree, edge by edge.

An edge of a cell, (kind, source, target), has a choice in each cell: its operation, or that the
node does not keep it. Two cells share an edge if both keep it with the same operation.

Random cells share some edges, too. With n source states and m kept edges per node, two random cells
both keep an edge with probability (m / n)², and then with the same of its o operations with
probability 1 / o; so they share

    Σ over edges  (m / n)² / o     edges on average
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from genotypes import Genotype, SearchSpace
from genotypes.nasbench201 import function_of, operations_of
from genotypes.published_spaces import NASBENCH201
from genotypes.search_space import Place

NOT_KEPT = ""
"""The choice of an edge that a node does not keep."""

_NOT_KEPT_NAME = "not kept"


@dataclass(frozen=True)
class EdgeAgreement:
    """What several cells have on one edge.

    Attributes:
        edge: The edge.
        choices: How many cells have made each choice, the most frequent first; several operations
            of one edge are joined by "+".
    """

    edge: Place
    choices: Mapping[str, int]

    @property
    def cells(self) -> int:
        """Number of cells."""
        return sum(self.choices.values())

    @property
    def kept(self) -> int:
        """Number of cells that keep the edge."""
        return self.cells - self.choices.get(NOT_KEPT, 0)

    @property
    def operation(self) -> str:
        """The most frequent operation among the cells that keep the edge; empty if none does."""
        return next((name for name in self.choices if name != NOT_KEPT), "")

    @property
    def share(self) -> float:
        """Share of all cells that have `operation` on this edge."""
        return self.choices.get(self.operation, 0) / self.cells if self.operation else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain values; an edge that is not kept is called "not kept"."""
        kind, source, target = self.edge
        choices = {name or _NOT_KEPT_NAME: count for name, count in self.choices.items()}
        return {"kind": kind, "source": source, "target": target, "choices": choices}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> EdgeAgreement:
        """The inverse of `as_dict`.

        >>> one = EdgeAgreement(("normal", 0, 2), {NOT_KEPT: 2, "skip_connect": 1})
        >>> EdgeAgreement.from_dict(one.as_dict()) == one
        True
        """
        choices = {
            NOT_KEPT if name == _NOT_KEPT_NAME else name: count
            for name, count in values["choices"].items()
        }
        return cls((values["kind"], values["source"], values["target"]), choices)


@dataclass(frozen=True)
class Agreement:
    """How far several cells agree.

    Attributes:
        seeds: The seed of each cell.
        edges: All edges of the space, in order.
        kept: Edges that a cell keeps, on average.
        shared: Edges that two of the cells share, on average over all pairs; None for one cell.
        by_chance: Edges that two random cells of the space share on average; None where no formula
            is known.
        equal: The seeds of each different cell; in NAS-Bench-201 cells are equal if they compute
            the same function.
    """

    seeds: tuple[int, ...]
    edges: tuple[EdgeAgreement, ...]
    kept: float
    shared: float | None
    by_chance: float | None
    equal: tuple[tuple[int, ...], ...]

    def sentence(self) -> str:
        """The agreement in one sentence."""
        if self.shared is None:
            return "There is one cell, so there is no agreement to measure."
        chance = "" if self.by_chance is None else f" (random cells: {self.by_chance:.1f})"
        text = f"Two seeds share {self.shared:.1f} of {self.kept:.0f} edges on average{chance}"
        same = [group for group in self.equal if len(group) > 1]
        if not same:
            return f"{text}; all cells differ."
        groups = "; ".join(f"seeds {', '.join(map(str, group))}" for group in same)
        return f"{text}; the same cell was found by {groups}."

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "seeds": list(self.seeds),
            "kept": self.kept,
            "shared": self.shared,
            "by_chance": self.by_chance,
            "equal": [list(group) for group in self.equal],
            "edges": [edge.as_dict() for edge in self.edges],
        }


def agreement(cells: Mapping[int, Genotype]) -> Agreement:
    """Compare cells edge by edge.

    >>> from genotypes.nasbench201 import genotype_of
    >>> skips, none = genotype_of(["skip_connect"] * 6), genotype_of(["none"] * 6)
    >>> found = agreement({0: skips, 1: skips, 2: none})
    >>> found.shared, found.by_chance, found.equal  # 6 edges of one pair in three
    (2.0, 1.2, ((0, 1), (2,)))

    Args:
        cells: By seed; at least one, all of one space and with equally many nodes.
    """
    first = next(iter(cells.values()))
    space, nodes = first.rules, first.nodes
    choices = {seed: choices_of(cell) for seed, cell in cells.items()}
    edges = edges_of(space, nodes)
    found = []
    for edge in edges:
        counts = Counter(choices[seed].get(edge, NOT_KEPT) for seed in cells)
        # Ties in the order of names, so that the result does not depend on the order of seeds.
        order = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
        found.append(EdgeAgreement(edge, dict(order)))
    pairs = [
        sum(choices[one].get(edge) == operation for edge, operation in choices[other].items())
        for one, other in combinations(cells, 2)
    ]
    return Agreement(
        seeds=tuple(cells),
        edges=tuple(found),
        kept=sum(map(len, choices.values())) / len(cells),
        shared=sum(pairs) / len(pairs) if pairs else None,
        by_chance=shared_by_chance(space, nodes),
        equal=equal_cells(cells),
    )


def edges_of(space: SearchSpace, nodes: int) -> list[Place]:
    """All edges of the cells of a space: (kind, source, target)."""
    return [
        (kind, source, target)
        for kind in space.kinds
        for target in space.inner_states(nodes)
        for source in range(target)
    ]


def choices_of(genotype: Genotype) -> dict[Place, str]:
    """The operation of each edge that a cell keeps; several ones are sorted and joined by "+"."""
    found: dict[Place, list[str]] = {}
    for kind in genotype.kinds:
        for target, node in enumerate(genotype.cell(kind)[0], start=genotype.rules.inputs):
            for operation, source in node:
                found.setdefault((kind, source, target), []).append(operation)
    return {edge: "+".join(sorted(names)) for edge, names in found.items()}


def shared_by_chance(space: SearchSpace, nodes: int) -> float | None:
    """Edges that two random cells share on average: the formula above.

    None for spaces in which a node may keep fewer edges than others, or one source twice.

    >>> from genotypes import find_space
    >>> round(shared_by_chance(find_space("darts"), 4), 4)  # 2 · (2 + 4/3 + 1 + 4/5) / 7
    1.4667
    """
    if space.kept is not None and (space.least is not None or not space.distinct_sources):
        return None
    total = 0.0
    for kind, source, target in edges_of(space, nodes):
        share = space.kept_edges(target) / target
        total += share**2 / len(space.choices(kind, source, target))
    return total


def equal_cells(cells: Mapping[int, Genotype]) -> tuple[tuple[int, ...], ...]:
    """The seeds of each different cell, in the order in which the cells come first."""
    groups: dict[Any, list[int]] = {}
    for seed, cell in cells.items():
        groups.setdefault(_identity(cell), []).append(seed)
    return tuple(map(tuple, groups.values()))


def _identity(genotype: Genotype) -> Any:
    """What two genotypes have in common exactly if they are the same cells."""
    if genotype.rules == NASBENCH201:
        return function_of(operations_of(genotype))
    return tuple(sorted(choices_of(genotype).items())), tuple(
        genotype.cell(kind)[1] for kind in genotype.kinds
    )
