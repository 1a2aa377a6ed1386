"""A genotype: the discrete cell that a search ends with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from genotypes.validation import check_genotype

Node = tuple[tuple[str, int], ...]
"""The (operation, source) pairs of one inner node, strongest first."""

KINDS = ("normal", "reduce")


@dataclass(frozen=True)
class Genotype:
    """Normal and reduction cell of a network; always valid once it exists.

    States are numbered 0 and 1 (the cell's inputs), then 2, 3, … (the inner nodes): sources and
    concat lists hold state numbers. Two genotypes are equal when all but their provenance is.

    Args:
        name: What to call it in pictures and tables.
        normal: The inner nodes of the normal cell, two inputs each.
        reduce: The inner nodes of the reduction cell.
        normal_concat: States whose concatenation is the normal cell's output.
        reduce_concat: The same for the reduction cell.
        space: Search space that the operations belong to, a key of `genotypes.SPACES`.
        provenance: Where it comes from, as plain values (`searched_on` names the data set).

    Raises:
        GenotypeError: A rule of `genotypes.validation` is broken.
    """

    name: str
    normal: tuple[Node, ...]
    reduce: tuple[Node, ...]
    normal_concat: tuple[int, ...]
    reduce_concat: tuple[int, ...]
    space: str = "darts"
    provenance: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        check_genotype(self.as_dict(), where=f"genotype {self.name!r}")

    @property
    def nodes(self) -> int:
        """Number of inner nodes of a cell."""
        return len(self.normal)

    def cell(self, kind: str) -> tuple[tuple[Node, ...], tuple[int, ...]]:
        """Nodes and concat list of the cell of this kind, `normal` or `reduce`."""
        if kind not in KINDS:
            raise ValueError(f"A cell is 'normal' or 'reduce', not {kind!r}.")
        return getattr(self, kind), getattr(self, f"{kind}_concat")

    def as_dict(self) -> dict[str, Any]:
        """Plain values (lists, numbers, text), as `parse_genotype` takes them."""
        return {
            "name": self.name,
            "space": self.space,
            "normal": [[list(pair) for pair in node] for node in self.normal],
            "normal_concat": list(self.normal_concat),
            "reduce": [[list(pair) for pair in node] for node in self.reduce],
            "reduce_concat": list(self.reduce_concat),
            "provenance": dict(self.provenance),
        }

    def with_name(self, name: str) -> Genotype:
        """The same genotype under another name."""
        return replace(self, name=name)


def parse_genotype(mapping: Any, where: str) -> Genotype:
    """Build a genotype from plain values, such as a parsed YAML file or a checkpoint's entry.

    Args:
        mapping: What `Genotype.as_dict` returns; `space` and `provenance` may be missing.
        where: What messages call the source, usually a file name.

    Raises:
        GenotypeError: `mapping` breaks a rule; the message names `where` and the key.
    """
    check_genotype(mapping, where)

    def nodes(kind: str) -> tuple[Node, ...]:
        return tuple(tuple((op, source) for op, source in node) for node in mapping[kind])

    return Genotype(
        name=mapping["name"],
        normal=nodes("normal"),
        reduce=nodes("reduce"),
        normal_concat=tuple(mapping["normal_concat"]),
        reduce_concat=tuple(mapping["reduce_concat"]),
        space=mapping.get("space", "darts"),
        provenance=dict(mapping.get("provenance") or {}),
    )
