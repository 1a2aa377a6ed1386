"""A genotype: the discrete cells that a search results in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any

from genotypes.search_space import SearchSpace
from genotypes.spaces import SPACES, plain_space, space_of
from genotypes.validation import check_genotype

Node = tuple[tuple[str, int], ...]
"""The (operation, source) pairs of one inner node, the strongest first."""

KINDS = ("normal", "reduce")
"""The kinds of cell: normal cells keep the spatial size, reduction cells halve it."""


@dataclass(frozen=True)
class Genotype:
    """The normal and the reduction cell of a network. An instance is always valid.

    States are numbered: first the inputs of the cell (0 and 1 in DARTS), then the inner nodes
    (2, 3, …).
    Sources and concat lists contain these numbers. Two genotypes are equal if everything but their
    provenance is equal.

    Source: DARTS, §2.4; the format is that of the authors' code.

    >>> node = (("skip_connect", 0), ("sep_conv_3x3", 1))
    >>> genotype = Genotype("example", (node,), (node,), (2,), (2,))
    >>> genotype.nodes, genotype.cell("reduce")
    (1, (((('skip_connect', 0), ('sep_conv_3x3', 1)),), (2,)))

    Attributes:
        name: Name for pictures and tables.
        normal: The inner nodes of the normal cell.
        reduce: The inner nodes of the reduction cell; empty if the space has no such kind.
        normal_concat: States whose concatenation is the output of the normal cell.
        reduce_concat: The same for the reduction cell.
        space: The search space, or its name if it is a key of `genotypes.SPACES`.
        provenance: Origin of the genotype, as plain values (`searched_on` names the data set).

    Raises:
        GenotypeError: A rule of `genotypes.validation` is broken.
    """

    name: str
    normal: tuple[Node, ...]
    reduce: tuple[Node, ...]
    normal_concat: tuple[int, ...]
    reduce_concat: tuple[int, ...]
    space: str | SearchSpace = "darts"
    provenance: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        where = f"genotype {self.name!r}"
        if isinstance(self.space, str):
            space_of(self.space, f"{where}: space")
        elif SPACES.get(self.space.name) == self.space:
            object.__setattr__(self, "space", self.space.name)
        check_genotype(self.as_dict(), where)

    def _repr_html_(self) -> str:
        """A table for notebooks: a row for each node, its operations with their sources."""
        rows = [
            f"<tr><th>{kind}, node {number}</th>"
            + "".join(f"<td>{operation} of state {source}</td>" for operation, source in node)
            + "</tr>"
            for kind in self.kinds
            for number, node in enumerate(self.cell(kind)[0])
        ]
        return f"<p><b>{escape(self.name)}</b></p><table>{''.join(rows)}</table>"

    @property
    def rules(self) -> SearchSpace:
        """The search space."""
        return self.space if isinstance(self.space, SearchSpace) else SPACES[self.space]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of cell that it has."""
        return self.rules.kinds

    @property
    def nodes(self) -> int:
        """Number of inner nodes of a cell."""
        return len(self.normal)

    def cell(self, kind: str) -> tuple[tuple[Node, ...], tuple[int, ...]]:
        """Nodes and concat list of the cell of a kind, "normal" or "reduce"."""
        if kind not in KINDS:
            raise ValueError(f"A cell is 'normal' or 'reduce', not {kind!r}.")
        return getattr(self, kind), getattr(self, f"{kind}_concat")

    def as_dict(self) -> dict[str, Any]:
        """The genotype as plain values (lists, numbers, text), which `parse_genotype` reads."""
        cells: dict[str, Any] = {}
        for kind in self.kinds if self.reduce == () else KINDS:
            nodes, concat = self.cell(kind)
            cells[kind] = [[list(pair) for pair in node] for node in nodes]
            cells[f"{kind}_concat"] = list(concat)
        space = plain_space(self.rules)
        return {"name": self.name, "space": space, **cells, "provenance": dict(self.provenance)}

    def with_name(self, name: str) -> Genotype:
        """The same genotype under another name."""
        return replace(self, name=name)


def parse_genotype(mapping: Any, where: str) -> Genotype:
    """Build a genotype from plain values, such as a parsed YAML file or an entry of a checkpoint.

    >>> from genotypes import load_genotype
    >>> genotype = load_genotype("darts_v2")
    >>> parse_genotype(genotype.as_dict(), "example") == genotype
    True

    Args:
        mapping: The result of `Genotype.as_dict`; `space` and `provenance` may be missing.
        where: Name of the source for error messages, usually a file name.

    Raises:
        GenotypeError: `mapping` breaks a rule; the message names `where` and the key.
    """
    check_genotype(mapping, where)
    space = space_of(mapping.get("space", "darts"), where)

    def nodes(kind: str) -> tuple[Node, ...]:
        return tuple(tuple((op, source) for op, source in node) for node in mapping.get(kind, ()))

    return Genotype(
        name=mapping["name"],
        normal=nodes("normal"),
        reduce=nodes("reduce"),
        normal_concat=tuple(mapping["normal_concat"]),
        reduce_concat=tuple(mapping.get("reduce_concat", ())),
        space=space,
        provenance=dict(mapping.get("provenance") or {}),
    )
