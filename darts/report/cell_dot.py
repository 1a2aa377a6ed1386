"""A cell in the DOT language, and its picture by graphviz's `dot` program."""

from __future__ import annotations

import html
import subprocess

import graphviz

from darts.report.cell_graph import CellGraph, Pill, Strengths, cell_graph, output_label
from darts.report.style import CELL_DPI, INK, LINE, MUTED, PAPER, cell_title
from darts.system.plain_text import printable
from genotypes.genotype import Genotype

_FONT = "Helvetica,Arial,sans-serif"
_PIXELS = ("png", "jpg", "jpeg", "gif", "webp")


def cell_source(genotype: Genotype, kind: str, strengths: Strengths | None = None) -> str:
    """The cell in the DOT language.

    Args:
        genotype: The genotype.
        kind: `normal` or `reduce`.
        strengths: Strengths (≥ 0) of the kept edges during a search. They are written beside the
            operations, and stronger edges are drawn thicker.

    >>> from genotypes import load_genotype
    >>> cell_source(load_genotype("darts_v2"), "normal").splitlines()[0]
    'digraph "darts_v2 normal" {'
    """
    graph = cell_graph(genotype, kind, strengths)
    dot = graphviz.Digraph(
        f"{genotype.name} {kind}",
        graph_attr={
            "rankdir": "LR",
            "bgcolor": PAPER,
            "pad": "0.2",
            "nodesep": "0.16",
            "ranksep": "0.6",
            "fontname": _FONT,
            "label": _title(graph),
            "labelloc": "t",
        },
        node_attr={"fontname": _FONT, "fontsize": "13", "fontcolor": INK},
        edge_attr={"color": LINE, "penwidth": "1.3", "arrowsize": "0.7"},
    )
    with dot.subgraph(name="cluster_cell") as cell:
        cell.attr(label=_legend(graph), labelloc="b", peripheries="0", margin="4")
        _add_states(cell, graph)
        for index, pill in enumerate(graph.pills):
            _add_pill(cell, f"operation{index}", pill)
        for state in graph.concat:
            cell.edge(f"state{state}", "output")
    # An edge within a rank keeps its ends in order, c(k−2) above c(k−1); within a cluster it has no
    # effect.
    with dot.subgraph() as inputs:
        inputs.attr(rank="same")
        for state in range(1, graph.inputs):
            inputs.edge(f"state{state - 1}", f"state{state}", style="invis")
    return printable(dot.source)


def _add_states(dot: graphviz.Digraph, graph: CellGraph) -> None:
    solid = {
        "shape": "box",
        "style": "rounded,filled",
        "fillcolor": INK,
        "color": INK,
        "fontcolor": PAPER,
    }
    with dot.subgraph() as inputs:
        inputs.attr(rank="min")
        for state in range(graph.inputs):
            inputs.node(f"state{state}", _symbol(f"k−{graph.inputs - state}"), **solid)
    for state in graph.inner:
        dot.node(
            f"state{state}",
            str(state - graph.inputs),
            shape="circle",
            style="filled",
            fillcolor=PAPER,
            color=INK,
            penwidth="1.6",
            width="0.42",
            fixedsize="true",
        )
    with dot.subgraph() as outputs:
        outputs.attr(rank="max")
        outputs.node("output", _symbol("k"), **solid)


def _add_pill(dot: graphviz.Digraph, name: str, pill: Pill) -> None:
    family, width = pill.family, f"{pill.width:.2f}"
    dot.node(
        name,
        graphviz.escape(pill.text),  # Else <…> would be HTML, and \N the name of the node.
        shape="box",
        style="rounded,filled",
        fillcolor=family.fill,
        color=family.line,
        height="0.3",
        margin="0.12,0.04",
        fontsize="12",
    )
    # The weight keeps an operation close to the node that reads it.
    line = {"color": family.line, "penwidth": width}
    dot.edge(f"state{pill.source}", f"{name}:w", arrowhead="none", **line)
    dot.edge(f"{name}:e", f"state{pill.target}:w", weight="3", **line)


def _symbol(index: str) -> str:
    """The label c with a subscript; as a table, because renderers treat <SUB> differently."""
    table = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">'
    raised = '<TD ROWSPAN="2"><I>c</I></TD><TD HEIGHT="6"></TD>'
    lowered = f'<TD><FONT POINT-SIZE="10">{index}</FONT></TD>'
    return f"<{table}<TR>{raised}</TR><TR>{lowered}</TR></TABLE>>"


def _title(graph: CellGraph) -> str:
    name = f'<FONT POINT-SIZE="17" COLOR="{INK}"><B>{html.escape(graph.name)}</B></FONT>'
    kind = f'<FONT POINT-SIZE="15" COLOR="{MUTED}">  {cell_title(graph.kind)}</FONT>'
    return f"<{name}{kind}>"


def _legend(graph: CellGraph) -> str:
    def entry(colour: str, label: str) -> str:
        chip = f'<TD WIDTH="14" HEIGHT="10" FIXEDSIZE="TRUE" BGCOLOR="{colour}"></TD>'
        return f"{chip}<TD>{label}   </TD>"

    cells = [entry(family.line, family.label) for family in graph.families]
    cells.append(entry(LINE, output_label(graph)))
    if graph.strided:
        cells.append("<TD>↓2  stride 2</TD>")
    table = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="3"><TR>'
    text = f"{table}{''.join(cells)}</TR></TABLE>"
    return f'<<FONT POINT-SIZE="11" COLOR="{MUTED}">{text}</FONT>>'


def render_dot(source: str, suffix: str) -> bytes | None:
    """The picture of a DOT source; None without a `dot` program that knows the format."""
    if suffix in _PIXELS:
        source = f"{source.rstrip().removesuffix('}')}\tgraph [dpi={CELL_DPI}]\n}}\n"
    try:
        return graphviz.Source(source).pipe(format=suffix)
    except (
        ValueError,  # No format of graphviz.
        graphviz.ExecutableNotFound,
        subprocess.CalledProcessError,
        BrokenPipeError,
    ):
        return None
