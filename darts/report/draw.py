"""Pictures of a genotype's cells: by graphviz, or by matplotlib if there is no `dot` program.

A picture reads from left to right: the two inputs, the inner nodes, and their concatenation. Each
operation is a pill on its edge, coloured by family; ↓2 marks stride 2.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from darts.files import atomic_write
from darts.report.cell_dot import cell_source, render_dot
from darts.report.cell_figure import cell_figure
from darts.report.cell_graph import Strengths
from darts.report.style import CELL_DPI
from genotypes.genotype import Genotype


def draw_genotype(
    genotype: Genotype,
    directory: Path | str,
    formats: Sequence[str] = ("svg", "png"),
    strengths: Mapping[str, Strengths] | None = None,
) -> list[Path]:
    """Write `normal.gv`, `reduce.gv` and their pictures into `directory`; return all paths.

    A genotype with one kind of cell has no `reduce`.

    Without a working `dot` program, matplotlib draws the pictures; see `dot_hint`.

    Args:
        genotype: The genotype.
        directory: Created if missing.
        formats: Picture formats, such as svg, png and pdf.
        strengths: Strengths for each kind of cell (`normal`, `reduce`); see `cell_source`.
    """
    paths = []
    for kind in genotype.kinds:
        strength = (strengths or {}).get(kind)
        source = cell_source(genotype, kind, strength)
        pictures = {"gv": source.encode()}
        for suffix in formats:
            pictures[suffix] = render_cell(genotype, kind, suffix, strength)
        for suffix, content in pictures.items():
            paths.append(Path(directory) / f"{kind}.{suffix}")
            with atomic_write(paths[-1], "wb") as stream:
                stream.write(content)
    return paths


def render_cell(
    genotype: Genotype, kind: str, suffix: str = "svg", strengths: Strengths | None = None
) -> bytes:
    """The content of a picture file of the cell, by `dot` if it works, else by matplotlib."""
    picture = render_dot(cell_source(genotype, kind, strengths), suffix)
    return picture or _by_matplotlib(cell_figure(genotype, kind, strengths), suffix)


def dot_hint() -> str | None:
    """One line on how to install graphviz if its `dot` program is missing, else None."""
    if shutil.which("dot"):
        return None
    return (
        "Drawn by matplotlib, because graphviz's `dot` program is not on the PATH "
        "(to get it: apt install graphviz, brew install graphviz, or graphviz.org/download)."
    )


def _by_matplotlib(figure: Figure, suffix: str) -> bytes:
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "cell"}):
        figure.savefig(buffer, format=suffix, dpi=CELL_DPI)
    return buffer.getvalue()
