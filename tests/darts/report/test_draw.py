"""Pictures of cells: the DOT source, the formats, and what draws each of them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from darts.errors import UserError
from darts.report.cell_dot import cell_source, render_dot
from darts.report.cell_figure import cell_figure
from darts.report.draw import draw_genotype, render_cell
from darts.report.style import SEPARABLE
from genotypes import list_genotypes, load_genotype, parse_genotype

PNG = b"\x89PNG"
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="needs graphviz's dot program")


@pytest.fixture
def without_dot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def edges(source: str) -> list[tuple[str, str]]:
    """The edges that are seen; an invisible one keeps the inputs in order."""
    seen = "\n".join(line for line in source.splitlines() if "invis" not in line)
    return re.findall(r"^\s*(\w+)(?::\w)? -> (\w+)(?::\w)? ?(?:\[|$)", seen, flags=re.MULTILINE)


def labels(source: str) -> list[str]:
    found = re.findall(r'operation\d \[label=(?:"([^"]+)"|(\w+))', source)
    return [quoted or bare for quoted, bare in found]


def test_source_joins_every_operation_to_its_source_and_node() -> None:
    source = cell_source(load_genotype("pcdarts_cifar10"), "normal")
    ways = [(0, 1, 2), (1, 0, 2), (2, 0, 3), (3, 1, 3), (4, 0, 4), (5, 1, 4), (6, 0, 5), (7, 1, 5)]
    expected = []
    for operation, start, end in ways:
        expected += [(f"state{start}", f"operation{operation}")]
        expected += [(f"operation{operation}", f"state{end}")]
    expected += [(f"state{state}", "output") for state in (2, 3, 4, 5)]
    assert edges(source) == expected
    assert labels(source) == [
        "sep conv 3×3",
        "skip",
        "sep conv 3×3",
        "dil conv 3×3",
        "sep conv 5×5",
        "sep conv 3×3",
        "avg pool 3×3",
        "dil conv 3×3",
    ]
    assert re.findall(r"state[2-9] \[label=(\d)", source) == ["0", "1", "2", "3"]


def test_source_concatenates_only_the_listed_nodes() -> None:
    source = cell_source(load_genotype("amoebanet"), "reduce")
    assert [edge for edge in edges(source) if edge[1] == "output"] == [
        ("state3", "output"),
        ("state4", "output"),
        ("state6", "output"),
    ]


def test_stride_is_marked_on_edges_from_the_inputs_of_a_reduction_cell_only() -> None:
    genotype = load_genotype("pcdarts_imagenet")
    assert "↓2" not in cell_source(genotype, "normal")
    sources = [source for node in genotype.reduce for _, source in node]
    marked = [label.endswith("  ↓2") for label in labels(cell_source(genotype, "reduce"))]
    assert marked == [source < 2 for source in sources]


def test_title_legend_and_colours() -> None:
    source = cell_source(load_genotype("pcdarts_imagenet"), "normal")
    assert "<B>pcdarts_imagenet</B>" in source
    assert "normal cell" in source
    for family in ("skip", "separable convolution", "dilated convolution", "concatenation"):
        assert family in source
    assert "pooling" not in source
    assert SEPARABLE.line in source
    assert "reduction cell" in cell_source(load_genotype("darts_v1"), "reduce")


def test_names_are_escaped() -> None:
    genotype = load_genotype("darts_v1").with_name('<B>&"x"</B> \\n')
    source = cell_source(genotype, "normal")
    assert "<B>&lt;B&gt;&amp;&quot;x&quot;&lt;/B&gt; \\n</B>" in source


def test_strengths_are_written_and_set_the_widths() -> None:
    strengths = [[0.4, 0.1], [0.2, 0.05], [0.2, 0.2], [0.1, 0.0]]
    source = cell_source(load_genotype("darts_v2"), "normal", strengths)
    assert 'label="sep conv 3×3  0.40"' in source
    widths = re.findall(r"state\d -> operation\d:w \[.*penwidth=([\d.]+)", source)
    assert widths == ["4.00", "1.60", "2.40", "1.20", "2.40", "2.40", "1.60", "0.80"]
    with pytest.raises(ValueError, match="one number for each input"):
        cell_source(load_genotype("darts_v2"), "normal", strengths[:3])


@pytest.mark.parametrize("name", list_genotypes())
def test_the_whole_zoo_is_drawn(name: str, tmp_path: Path) -> None:
    paths = draw_genotype(load_genotype(name), tmp_path / "new", formats=("svg",))
    assert [path.name for path in paths] == ["normal.gv", "normal.svg", "reduce.gv", "reduce.svg"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [p.name for p in paths]
    for path in paths[1::2]:
        texts = "".join(ElementTree.parse(path).getroot().itertext())
        assert name in texts
        assert "×" in texts


@pytest.mark.usefixtures("without_dot")
def test_png_is_sharp_and_neither_it_nor_svg_needs_dot(tmp_path: Path) -> None:
    paths = draw_genotype(load_genotype("darts_v2"), tmp_path / "cells")
    assert [path.name for path in paths] == [
        f"{kind}.{suffix}" for kind in ("normal", "reduce") for suffix in ("gv", "svg", "png")
    ]
    content = paths[2].read_bytes()
    assert content.startswith(PNG)
    assert int.from_bytes(content[16:20], "big") > 1200  # width in pixels


@pytest.mark.usefixtures("without_dot")
def test_the_source_is_written_without_dot(tmp_path: Path) -> None:
    genotype = load_genotype("pcdarts_cifar10")
    assert [path.name for path in draw_genotype(genotype, tmp_path, formats=["gv"])] == [
        "normal.gv",
        "reduce.gv",
    ]


def test_only_wanted_kinds_are_drawn(tmp_path: Path) -> None:
    paths = draw_genotype(load_genotype("darts_v2"), tmp_path, ["svg"], kinds=["reduce"])
    assert [path.name for path in paths] == ["reduce.gv", "reduce.svg"]


@needs_dot
def test_graphviz_draws_what_matplotlib_does_not_know() -> None:
    assert b"digraph" in render_cell(load_genotype("darts_v2"), "normal", "canon")


@needs_dot
@pytest.mark.parametrize("name", list_genotypes())
def test_the_inputs_are_in_order_in_dot(name: str) -> None:
    genotype = load_genotype(name)
    for kind in genotype.kinds:
        drawn = render_dot(cell_source(genotype, kind), "plain")
        assert drawn is not None
        heights = {
            words[1]: float(words[3])
            for words in map(str.split, drawn.decode().splitlines())
            if words[0] == "node"
        }
        assert heights["state0"] > heights["state1"]


@pytest.mark.usefixtures("without_dot")
def test_pdf_has_the_same_layout_and_needs_no_dot() -> None:
    assert render_cell(load_genotype("amoebanet"), "reduce", "pdf").startswith(b"%PDF")


def test_a_dot_that_fails_counts_as_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="--formats canon"):
        render_cell(load_genotype("darts_v1"), "normal", "canon")


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_pictures_are_reproducible(suffix: str) -> None:
    first, second = (render_cell(load_genotype("darts_v1"), "reduce", suffix) for _ in range(2))
    assert first == second


def test_figure_shows_what_the_source_says() -> None:
    genotype = load_genotype("nasnet").with_name("a $\\frac{x$ b")
    figure = cell_figure(genotype, "reduce", [[0.5, 0.25]] * 5)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts.count("sep conv 7×7  ↓2  0.25") == 2
    assert texts.count("skip  0.50") == 1
    assert {"$c_{k{-}2}$", "$c_{k{-}1}$", "$c_k$", "reduction cell", "0", "4"} <= set(texts)
    assert {"pooling", "skip", "separable convolution", "concatenation"} <= set(texts)
    figure.canvas.draw()


def test_an_unknown_format_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for formats in (("nope",), ("svg", "fig")):  # The second one is known to `dot`, which is gone.
        with pytest.raises(UserError, match=f"--formats {formats[-1]}: .* svg, png and pdf"):
            draw_genotype(load_genotype("darts_v2"), tmp_path / "new", formats=formats)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["<B>x</B>", r"\N", '"];b[label="', "a\x1b[31mb"])
def test_operations_are_text_in_dot(name: str) -> None:
    """Not HTML, not an escape of graphviz, and no control character of a terminal."""
    plain = load_genotype("darts_v2").as_dict()
    plain["space"] = {
        "name": "odd", "operations": ["none", name], "nodes": 4, "inputs": 2, "kept": 2
    }  # fmt: skip
    for kind in ("normal", "reduce"):
        plain[kind] = [[[name, source] for _, source in node] for node in plain[kind]]
    source = cell_source(parse_genotype(plain, "odd"), "normal")
    assert "\x1b" not in source
    assert f"label={name}" not in source
    assert 'label="' in source
