"""What a picture of a cell shows, however it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cells.topology import Topology
from darts.report.style import (
    OPERATION_FAMILIES,
    OperationFamily,
    operation_family,
    operation_label,
)
from genotypes.genotype import Genotype

Strengths = Sequence[Sequence[float]]
"""For each inner node, the strengths (≥ 0) of its inputs, in the genotype's order."""


@dataclass(frozen=True)
class Pill:
    """An operation, drawn as a pill on its edge.

    Attributes:
        source: Number of the state that it reads.
        target: State number of the inner node that it feeds.
        text: The operation in words, with its stride and strength.
        family: Decides the colours.
        width: Line width of the edge, in points.
    """

    source: int
    target: int
    text: str
    family: OperationFamily
    width: float


@dataclass(frozen=True)
class CellGraph:
    """One cell, ready to be drawn. States are numbered as in a genotype.

    Attributes:
        name: Name of the genotype.
        kind: `normal` or `reduce`.
        inputs: Number of input states, 1 or 2.
        inner: State numbers of the inner nodes.
        pills: The operations, node by node.
        concat: The states that the output concatenates.
        families: Families of the operations, for the legend.
        strided: Whether an operation has stride 2.
    """

    name: str
    kind: str
    inputs: int
    inner: range
    pills: tuple[Pill, ...]
    concat: tuple[int, ...]
    families: tuple[OperationFamily, ...]
    strided: bool


def cell_graph(genotype: Genotype, kind: str, strengths: Strengths | None = None) -> CellGraph:
    """Prepare a cell for drawing.

    Args:
        genotype: The genotype.
        kind: `normal` or `reduce`.
        strengths: See `darts.report.cell_dot.cell_source`.

    Raises:
        ValueError: `strengths` does not have the shape of the cell.
    """
    nodes, concat = genotype.cell(kind)
    topology = Topology(genotype.nodes, genotype.rules.inputs)
    if strengths is not None and [len(row) for row in strengths] != [len(node) for node in nodes]:
        raise ValueError("Strengths must be one number for each input of each inner node.")
    strongest = max((value for row in strengths or () for value in row), default=0) or 1
    pills, strided = [], False
    for number, (target, node) in enumerate(zip(topology.inner, nodes, strict=True)):
        for index, (operation, source) in enumerate(node):
            text, width = operation_label(operation), 1.6
            if topology.stride(source, kind == "reduce") == 2:
                text, strided = f"{text}  ↓2", True
            if strengths is not None:
                strength = strengths[number][index]
                text, width = f"{text}  {strength:.2f}", 0.8 + 3.2 * strength / strongest
            pills.append(Pill(source, target, text, operation_family(operation), width))
    used = {pill.family for pill in pills}
    families = tuple(family for family in OPERATION_FAMILIES if family in used)
    return CellGraph(
        genotype.name,
        kind,
        topology.inputs,
        topology.inner,
        tuple(pills),
        concat,
        families,
        strided,
    )


def output_label(graph: CellGraph) -> str:
    """How the states that the cell returns become its output, in words."""
    return "concatenation" if len(graph.concat) > 1 else "output"
