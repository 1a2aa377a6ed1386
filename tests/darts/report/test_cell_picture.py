"""Cells as shapes: every text fits its box, no two texts overlap, and SVG and PNG show them."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image, ImageColor

from darts.report.cell_graph import CellGraph, Pill, cell_graph
from darts.report.cell_picture import CellPicture, DrawnBox, DrawnCurve, Line, bends, cell_picture
from darts.report.cell_png import _font, png_of
from darts.report.cell_svg import svg_of
from darts.report.style import INK, OTHER, SEPARABLE
from darts.report.text_width import text_width
from genotypes import load_genotype, random_genotype

SVG = "{http://www.w3.org/2000/svg}"


def long_names() -> CellGraph:
    """A chain of three nodes whose operations have long names, with one edge absent."""
    pills = tuple(
        Pill(source, target, "conv 7×1 1×7  ↓2  0.25", OTHER, 1.6)
        for source, target in [(0, 2), (1, 2), (0, 3), (2, 4), (3, 4)]
    )
    return CellGraph("long & <wide>", "reduce", 2, range(2, 5), pills, (4,), (OTHER,), True)


def graphs() -> list[CellGraph]:
    generator = torch.Generator().manual_seed(0)
    cells = [random_genotype(nodes, generator, f"n{nodes}") for nodes in range(2, 8)]
    named = [load_genotype(name) for name in ("amoebanet", "nasnet", "nb201-6111", "nb201-0")]
    return [
        long_names(),
        *(cell_graph(genotype, kind) for genotype in (*cells, *named) for kind in genotype.kinds),
    ]


def extent(line: Line) -> tuple[float, float]:
    """Left and right end of a line of text in the widest of the fonts."""
    x, width = line.at[0], text_width(line.text, line.size, bold=line.style == "bold")
    left = {"start": x, "middle": x - width / 2, "end": x - width}[line.anchor]
    return left, left + width


@pytest.mark.parametrize("graph", graphs(), ids=lambda graph: f"{graph.name}-{graph.kind}")
def test_texts_fit_their_boxes_and_no_two_overlap(graph: CellGraph) -> None:
    picture = cell_picture(graph)
    lines = [shape for shape in picture.shapes if isinstance(shape, Line)]
    boxes = {shape.centre: shape for shape in picture.shapes if isinstance(shape, DrawnBox)}
    assert [line.text for line in lines if line.at in boxes and not line.lowered] == [
        *(str(state - graph.inputs) for state in graph.inner),
        *(pill.text for pill in graph.pills),
    ]
    for line in lines:
        left, right = extent(line)
        assert 0 <= left < right <= picture.width
        assert 0 < line.at[1] < picture.height
        if line.at in boxes:
            half = boxes[line.at].size[0] / 2
            assert line.at[0] - half < left < right < line.at[0] + half
    for one, other in itertools.combinations(lines, 2):
        (a, b), (c, d) = extent(one), extent(other)
        apart = abs(one.at[1] - other.at[1]) >= (one.size + other.size) / 2
        assert apart or b <= c + 1e-6 or d <= a + 1e-6, (one.text, other.text)


def test_inputs_are_left_of_everything_and_the_output_is_right() -> None:
    picture = cell_picture(cell_graph(load_genotype("darts_v2"), "normal"))
    place = {line.lowered: line.at for line in picture.shapes if isinstance(line, Line)}
    boxes = [shape.centre for shape in picture.shapes if isinstance(shape, DrawnBox)]
    inner = [centre for centre in boxes if centre[1] < picture.height - 34][3:]
    assert place["k−2"][0] == place["k−1"][0] < min(x for x, _ in inner)
    assert place["k−2"][1] < place["k−1"][1]  # y grows downwards.
    assert place["k"][0] > max(x for x, _ in inner)


def test_a_curve_ends_where_its_arrow_begins() -> None:
    curve = DrawnCurve(((0.0, 0.0), (20.0, 10.0)), INK, 1.0, True)
    (piece,) = bends(curve)
    assert np.allclose(piece, [(7.2, 0.0), (7.2, 10.0), (14.4, 10.0)])


def test_widths_bound_those_of_the_real_font() -> None:
    font, bold = _font("plain", 100), _font("bold", 100)
    characters = [chr(code) for code in range(32, 127)] + list("×↓−–·")
    for text in [*characters, "sep conv 3×3  ↓2  0.25", "conv 7×1 1×7", "concatenation"]:
        width = text_width(text, 100)
        assert font.getlength(text) <= width + 1 <= 1.3 * font.getlength(text) + 8, text
    assert bold.getlength("pcdarts_imagenet") <= text_width("pcdarts_imagenet", 100, bold=True) + 1


def test_svg_has_every_shape_and_escapes_names() -> None:
    picture = cell_picture(long_names())
    root = ElementTree.fromstring(svg_of(picture))
    texts = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    assert texts.count("conv 7×1 1×7  ↓2  0.25") == 5
    assert {"long & <wide>", "reduction cell", "ck−2", "ck−1", "ck", "0", "2"} <= set(texts)
    assert root.findtext(f"{SVG}title") == "long & <wide>: reduction cell"
    # Two curves for each of five operations, one of them with an arrow, and one to the output.
    assert len(list(root.iter(f"{SVG}path"))) == 11
    assert len(list(root.iter(f"{SVG}polygon"))) == 6
    # The paper, 2 inputs, 1 output, 3 nodes, 5 pills, and 2 entries of the legend.
    assert len(list(root.iter(f"{SVG}rect"))) == 14


def test_characters_that_xml_forbids_do_not_break_the_file() -> None:
    genotype = load_genotype("darts_v1").with_name('a\x00b "quoted" \x0b')
    root = ElementTree.fromstring(svg_of(cell_picture(cell_graph(genotype, "normal"))))
    assert root.findtext(f"{SVG}title") == 'a�b "quoted": normal cell'


def pixels(*shapes: DrawnBox | DrawnCurve | Line) -> np.ndarray:
    content = png_of(CellPicture(36, 18, "", shapes))
    return np.asarray(Image.open(io.BytesIO(content)))


def test_png_has_boxes_and_curves_where_they_belong() -> None:
    box = DrawnBox((9, 9), (10, 10), SEPARABLE.fill, SEPARABLE.line, 2)
    curve = DrawnCurve(((14.0, 9.0), (34.0, 9.0)), INK, 2.0, False)
    array = pixels(box, curve)
    assert array.shape == (40, 80, 3)  # 160 pixels per inch
    assert tuple(array[20, 20]) == ImageColor.getrgb(SEPARABLE.fill)
    assert tuple(array[20, 60]) == ImageColor.getrgb(INK)
    assert tuple(array[2, 2]) == (255, 255, 255)


def test_drawing_needs_no_matplotlib(tmp_path: Path) -> None:
    code = (
        "import sys; from darts.report.draw import draw_genotype; from genotypes import "
        "load_genotype; draw_genotype(load_genotype('darts_v2'), sys.argv[1]); "
        "assert 'matplotlib' not in sys.modules"
    )
    folder = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=folder, check=True)
