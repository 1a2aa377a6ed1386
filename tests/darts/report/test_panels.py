"""Small line plots: where lines lie, what is said, and that nothing gets in."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from darts.report.curves import plot_edges, plot_operations
from darts.report.panels import Panel, PanelGrid, Trace
from darts.report.svg_shapes import ticks
from genotypes import load_genotype

SVG = "{http://www.w3.org/2000/svg}"


def grid(**settings) -> ElementTree.Element:
    values = {"name": "n", "x": (0, 2, 4), "legend": (), "low": 0, "high": 1, "x_label": "epoch"}
    values |= {"y_label": "share", **settings}
    return ElementTree.fromstring(PanelGrid(**values).svg())


def points(element: ElementTree.Element) -> list[tuple[float, float]]:
    return [tuple(map(float, pair.split(","))) for pair in element.get("points", "").split()]


def lines(picture: ElementTree.Element, colour: str) -> list[ElementTree.Element]:
    return [one for one in picture.iter(f"{SVG}polyline") if one.get("stroke") == colour]


def test_a_line_goes_where_its_values_are() -> None:
    panel = Panel(0, 0, [Trace((0, 0.5, 1), "red"), Trace((1, 1, 1), "blue", dotted=True)])
    picture = grid(panels=[panel], size=(100.0, 50.0))
    (rising,), (flat,) = lines(picture, "red"), lines(picture, "blue")
    (left, bottom), middle, (right, top) = points(rising)
    assert (right - left, bottom - top) == (100, 50)
    assert middle == ((left + right) / 2, (top + bottom) / 2)
    assert {y for _, y in points(flat)} == {top}
    assert flat.get("stroke-dasharray")
    assert not rising.get("stroke-dasharray")


def test_axes_are_named_once() -> None:
    picture = grid(panels=[Panel(0, 0, []), Panel(1, 0, []), Panel(1, 1, [])])
    texts = [one.text for one in picture.iter(f"{SVG}text")]
    assert (texts.count("epoch"), texts.count("share")) == (1, 1)


def test_one_epoch_is_a_dot_and_gaps_are_left_out() -> None:
    single = grid(x=(3,), panels=[Panel(0, 0, [Trace((0.5,), "red")])])
    assert len(list(single.iter(f"{SVG}circle"))) == 1
    gap = grid(panels=[Panel(0, 0, [Trace((0, float("nan"), 1), "red")])])
    assert len(points(lines(gap, "red")[0])) == 2


def test_texts_cannot_become_elements() -> None:
    text = '<script>"&'
    picture = grid(
        name=text, panels=[Panel(0, 0, [], title=text, label=text)], legend=[(text, "red", False)]
    )
    assert picture.get("aria-label") == text
    assert [one.text for one in picture.iter(f"{SVG}text")].count(text) == 3
    assert not list(picture.iter(f"{SVG}script"))


@pytest.mark.parametrize(
    ("low", "high", "whole", "expected"),
    [
        (0, 50, True, [0, 15, 30, 45]),
        (0, 1, True, [0, 1]),
        (0, 1, False, [0, 0.25, 0.5, 0.75, 1]),
        (-0.001, 0.0012, False, [-0.001, 0, 0.001]),
        (3, 3, False, [3]),
    ],
)
def test_ticks_are_round(low: float, high: float, whole: bool, expected: list[float]) -> None:
    assert ticks(low, high, whole=whole) == expected


def test_every_edge_has_a_panel_and_kept_ones_stand_out() -> None:
    genotype = load_genotype("pcdarts_cifar10")
    names = genotype.rules.operations
    table = [[1 / len(names)] * len(names)] * 14
    text = plot_operations([1, 2], [table, table], names, genotype, "normal", frozen=1)
    picture = ElementTree.fromstring(text)
    assert len(re.findall(r'stroke="#1f2937" stroke-width="1.2"', text)) == 8
    said = [one.text for one in picture.iter(f"{SVG}text")]
    assert [f"node {number}" for number in range(4)] == [one for one in said if one[:4] == "node"]
    curves = [one for one in picture.iter(f"{SVG}polyline") if len(points(one)) == 2]
    bold = [one for one in curves if one.get("stroke-width") == "2.4"]
    assert len(bold) == 8


def test_edges_of_each_node() -> None:
    genotype = load_genotype("pcdarts_cifar10")
    weights = [1 / 2] * 2 + [1 / 3] * 3 + [1 / 4] * 4 + [1 / 5] * 5
    colours = ("red", "blue", "green", "black", "grey")
    picture = ElementTree.fromstring(
        plot_edges([1, 2], [weights, weights], genotype, "normal", colours)
    )
    # Four nodes read the first input; one of the five in the legend is red, too.
    assert len(lines(picture, "red")) == 5
    assert len(lines(picture, "grey")) == 2
