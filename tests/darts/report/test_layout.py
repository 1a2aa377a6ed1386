"""The layered layout: positions by hand, no needless crossings, no overlaps."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from darts.report.cell_graph import cell_graph
from darts.report.cell_picture import place_cell
from darts.report.layout import layered_layout, separate
from genotypes import Genotype, list_genotypes, load_genotype, random_genotype


def test_separate_by_hand() -> None:
    assert separate([0.0, 5.0], [2.0]) == [0.0, 5.0]
    assert separate([0.0, 0.0], [2.0]) == [-1.0, 1.0]
    # Three that want 0 share the shift; a fourth far away stays.
    assert separate([0.0, 0.0, 0.0, 10.0], [1.0, 1.0, 1.0]) == [-1.0, 0.0, 1.0, 10.0]
    assert separate([], []) == []


def crossings(layout_routes: list[list[tuple[float, float]]]) -> int:
    """Pairs of routes that cross within the x range that they share."""
    count = 0
    for first, second in itertools.combinations(layout_routes, 2):
        (a, b), (c, d) = (first[0], first[-1]), (second[0], second[-1])
        count += a[0] == c[0] and b[0] == d[0] and (a[1] - c[1]) * (b[1] - d[1]) < 0
    return count


def test_a_graph_that_can_be_drawn_without_crossings_is() -> None:
    sizes = dict.fromkeys("abcdef", (10.0, 4.0))
    columns = {"a": 0, "b": 0, "c": 0, "d": 1, "e": 1, "f": 1}
    layout = layered_layout(
        sizes, columns, [("a", "f"), ("b", "d"), ("c", "e"), ("a", "e")], gap_x=5, gap_y=2
    )
    assert crossings([list(route) for route in layout.routes]) == 0
    assert layout.width == 25


def test_a_long_edge_passes_its_columns_beside_their_boxes() -> None:
    sizes = dict.fromkeys("abc", (10.0, 4.0))
    layout = layered_layout(
        sizes, {"a": 0, "b": 1, "c": 2}, [("a", "b"), ("b", "c"), ("a", "c")], gap_x=5, gap_y=2
    )
    (enter, leave) = layout.routes[2][1:-1]
    assert (enter[0], leave[0]) == (15, 25)
    assert enter[1] == leave[1]
    assert abs(enter[1] - layout.centres["b"][1]) >= 4 / 2 + 2 - 1e-9


def genotypes_to_draw() -> list[Genotype]:
    generator = torch.Generator().manual_seed(0)
    randoms = [random_genotype(nodes, generator, "random") for nodes in (1, 2, 3, 4, 5, 6)]
    return [load_genotype(name) for name in list_genotypes()] + randoms


@pytest.mark.parametrize("kind", ["normal", "reduce"])
@pytest.mark.parametrize("genotype", genotypes_to_draw(), ids=lambda g: f"{g.name}-{g.nodes}")
def test_nothing_overlaps_and_edges_run_to_the_right(genotype: Genotype, kind: str) -> None:
    graph = cell_graph(genotype, kind)
    layout = place_cell(graph)
    assert layout.centres[0][1] > layout.centres[1][1]  # c(k−2) on top
    half = {key: (9.0, 11.0) if isinstance(key, str) else (15.0, 14.0) for key in layout.centres}
    for one, other in itertools.combinations(layout.centres, 2):
        (x0, y0), (x1, y1) = layout.centres[one], layout.centres[other]
        apart_x = abs(x0 - x1) >= half[one][0] + half[other][0]
        assert apart_x or abs(y0 - y1) >= half[one][1] + half[other][1]
    for route in layout.routes:
        xs = [x for x, _ in route]
        assert xs == sorted(xs)
        for (x0, y0), (x1, y1) in itertools.pairwise(route):
            if y0 == y1:  # A level pass: no box may stand in its way.
                for key, (x, y) in layout.centres.items():
                    inside = x0 + 1 < x < x1 - 1
                    assert not inside or abs(y - y0) >= half[key][1]
    assert min(y for _, y in layout.centres.values()) >= 0
    assert max(y for _, y in layout.centres.values()) <= layout.height
    assert len(layout.routes) == 2 * len(graph.pills) + len(graph.concat)


def test_an_input_that_no_operation_reads_is_drawn(tmp_path) -> None:
    """A space may keep one operation for each node."""
    genotype = load_genotype("darts_v2")
    chain = tuple((("sep_conv_3x3", source),) for source in (0, 2, 3, 4))
    rules = replace(genotype.rules, name="chains", kept=1)
    one = replace(genotype, normal=chain, reduce=chain, space=rules)
    layout = place_cell(cell_graph(one, "normal"))
    assert set(layout.centres) >= {0, 1, 2, 3, 4, 5}
