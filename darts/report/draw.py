"""Pictures of a genotype's cells.

SVG and PNG are written directly, in milliseconds; PDF and other formats by matplotlib, from the
same layout. What matplotlib does not know is drawn by graphviz, if that is installed.

A picture reads from left to right: the two inputs, the inner nodes, and their concatenation. Each
operation is a pill on its edge, coloured by family; ↓2 marks stride 2.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from darts.errors import UserError
from darts.files import atomic_write
from darts.report.cell_dot import cell_source, render_dot
from darts.report.cell_graph import Strengths, cell_graph
from darts.report.cell_picture import cell_picture
from darts.report.cell_png import png_of
from darts.report.cell_svg import svg_of
from darts.report.style import CELL_DPI
from genotypes.genotype import Genotype


def draw_genotype(
    genotype: Genotype,
    directory: Path | str,
    formats: Sequence[str] = ("svg", "png"),
    strengths: Mapping[str, Strengths] | None = None,
    kinds: Sequence[str] | None = None,
) -> list[Path]:
    """Write `normal.gv`, `reduce.gv` and their pictures into `directory`; return all paths.

    A genotype with one kind of cell has no `reduce`.

    Args:
        genotype: The genotype.
        directory: Created if missing.
        formats: Picture formats, such as svg, png and pdf.
        strengths: Strengths for each kind of cell (`normal`, `reduce`); see `cell_source`.
        kinds: Kinds of cells to draw; by default all of the genotype.

    Raises:
        UserError: Nothing here draws one of the formats; then nothing is written.
    """
    paths = []
    for kind in genotype.kinds if kinds is None else kinds:
        strength = (strengths or {}).get(kind)
        source = cell_source(genotype, kind, strength)
        pictures = {"gv": source.encode()}
        for suffix in (one for one in formats if one not in pictures):
            pictures[suffix] = render_cell(genotype, kind, suffix, strength)
        for suffix, content in pictures.items():
            paths.append(Path(directory) / f"{kind}.{suffix}")
            with atomic_write(paths[-1], "wb") as stream:
                stream.write(content)
    return paths


def render_cell(
    genotype: Genotype, kind: str, suffix: str = "svg", strengths: Strengths | None = None
) -> bytes:
    """The content of a picture file of the cell.

    Raises:
        UserError: Nothing here draws this format.
    """
    if suffix == "svg":
        return svg_of(cell_picture(cell_graph(genotype, kind, strengths)))
    if suffix == "png":
        return png_of(cell_picture(cell_graph(genotype, kind, strengths)))
    try:
        return _by_matplotlib(genotype, kind, suffix, strengths)
    except ValueError:  # It does not know the format.
        drawn = render_dot(cell_source(genotype, kind, strengths), suffix)
    if drawn is None:
        raise UserError(
            f"--formats {suffix}: cells cannot be drawn in this format here; svg, png and pdf "
            "always work."
        )
    return drawn


def _by_matplotlib(
    genotype: Genotype, kind: str, suffix: str, strengths: Strengths | None
) -> bytes:
    # Imported here because it takes a second, and most pictures do without.
    import matplotlib

    from darts.report.cell_figure import cell_figure

    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "cell"}):
        cell_figure(genotype, kind, strengths).savefig(buffer, format=suffix, dpi=CELL_DPI)
    return buffer.getvalue()
