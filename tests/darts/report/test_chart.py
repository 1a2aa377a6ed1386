"""Plots of a page: where marks lie, how axes are labelled, and that no text becomes an element."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from darts.report.chart import Chart, LegendEntry
from darts.report.curves import Curve, plot
from darts.report.diagnosis import plot_counts
from tests.darts.report.test_panels import SVG, lines, points


def test_scales_end_at_the_axes() -> None:
    corners: list[tuple[float, float]] = []

    def marks(across, up):
        corners.extend([(across(2), up(-1)), (across(6), up(3))])
        return []

    picture = ElementTree.fromstring(Chart((2, 6), (-1, 3), "epoch", "Loss").svg(marks))
    (axes,) = lines(picture, "#98a2b3")
    (left, top), (_, bottom), (right, _) = points(axes)
    assert corners == [pytest.approx((left, bottom), abs=0.01), (right, top)]


def test_a_curve_is_labelled_and_hostile_text_stays_text() -> None:
    text = '<script>"&'
    drawn = plot(
        [Curve([1, 2], [0.5, 2e7], text, "red"), Curve([1], [1], "dot", "blue")],
        x_label=text,
        y_label=text,
    )
    assert drawn is not None
    picture = ElementTree.fromstring(drawn)
    said = [one.text for one in picture.iter(f"{SVG}text")]
    assert said.count(text) == 3
    assert {"1", "2", "20M"} <= set(said)
    assert not list(picture.iter(f"{SVG}script"))
    # One in the legend, one in the plot; a single point is a dot.
    assert len(lines(picture, "red")) == 2
    assert len(list(picture.iter(f"{SVG}circle"))) == 1


def test_a_long_legend_takes_more_rows_and_leaves_the_axes_their_height() -> None:
    def height(entries: int) -> float:
        legend = [LegendEntry("words of a legend" * 2, "red")] * entries
        picture = ElementTree.fromstring(Chart((0, 1), (0, 1), "x", "y", legend).svg(lambda *_: []))
        (_, top), (_, bottom), _ = points(lines(picture, "#98a2b3")[0])
        assert bottom < float(picture.get("height", "0pt")[:-2])
        return bottom - top

    assert height(6) == height(1)


def test_bars_are_stacked_without_gaps() -> None:
    counts = [{"skip_connect": 2, "sep_conv_3x3": 6}, {"sep_conv_3x3": 8}]
    picture = ElementTree.fromstring(plot_counts([1, 2], counts, "Edges"))
    bars = [one for one in picture.iter(f"{SVG}rect") if one.get("stroke-width") == "0.4"]
    skip, above, alone = ({k: float(bar.get(k, "")) for k in ("y", "height")} for bar in bars)
    assert abs(above["height"] - 3 * skip["height"]) < 0.1
    assert abs(above["y"] + above["height"] - skip["y"]) < 0.1
    assert abs(alone["height"] - 4 * skip["height"]) < 0.1
