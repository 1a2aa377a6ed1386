"""The report of an analysis is complete, and its sentences follow from the statistics."""

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from darts.design_space.analysis import analyse
from darts.design_space.network_plots import chosen_networks, plot_best_widths, plot_networks
from darts.design_space.plots import Mark, plot_distributions, plot_properties, shown_range
from darts.design_space.population import Population
from darts.design_space.report import _comparing_plots, analysis_text, conclusions, write_analysis

from .populations_support import make_population


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("analysis") / "new"
    hostile = Population(name="<b>A & B</b>", errors=np.linspace(40, 60, 24), missing=1)
    populations = [hostile, make_population("regnetx", 24)]
    assert write_analysis(analyse(populations), folder) == folder / "analysis.html"
    return folder


def test_files(directory: Path) -> None:
    names = {path.name for path in directory.iterdir()}
    for stem in ("properties", "stages", "networks", "fits", "widths"):
        assert {f"regnetx-{stem}.svg", f"regnetx-{stem}.png"} <= names
    assert {"distributions.svg", "distributions.png", "analysis.txt"} <= names
    for path in directory.glob("*.svg"):
        assert path.read_text().startswith("<?xml")
    for path in directory.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")


def test_json_and_text_agree(directory: Path) -> None:
    values = json.loads((directory / "analysis.json").read_text())
    words = (directory / "analysis.txt").read_text()
    best = values["populations"][1]
    assert f"{best['min']:.2f}" in words
    assert best["best"] in words
    assert f"p = {values['differences'][0]['adjusted_p_value']:.2g}" in words
    assert "Note. <b>A & B</b>: 1 of 25 trials" in words


def test_page(directory: Path) -> None:
    page = (directory / "analysis.html").read_text()
    assert page.count("<svg") == 2 + 5 + page.count('aria-label="Errors by trend')
    assert "&lt;b&gt;A &amp; B&lt;/b&gt;" in page
    assert "<b>A" not in page
    # Nothing is fetched from elsewhere.
    assert "src=" not in page.replace('src="data:', "")


def test_legend_has_minimum_mean_and_number() -> None:
    population = Population(name="x_$1", errors=np.array([10.04, 20, 30]))
    figure = plot_distributions([population], [Mark("a cell", 15.0)])
    (legend,) = figure.legends
    words = [entry.get_text() for entry in legend.get_texts()]
    assert words == [r"x_\$1  [10.0 | 20.0]  n = 3", "a cell  15.00 %"]


def test_curve_is_the_distribution() -> None:
    figure = plot_distributions([Population(name="x", errors=np.array([30.0, 10, 20, 20]))])
    x, share = figure.axes[0].lines[0].get_data()
    assert x[1:-1].tolist() == [10, 20, 20, 30]
    # Just above each error.
    assert share[1:-1].tolist() == [0.25, 0.5, 0.75, 1]


def test_stragglers_do_not_squeeze_the_plot() -> None:
    low, high = shown_range([np.array([40.0, 42, 43, 44, 90])])
    assert 39 < low < 40
    assert 54 < high < 60
    figure = plot_distributions([Population(name="x", errors=np.array([40.0, 42, 43, 44, 90]))])
    assert "1 beyond" in figure.axes[0].get_xlabel()
    low, high = shown_range([np.array([5.0, 5.0])])
    assert low < 5 < high


def test_band_and_line_stand_at_the_interval() -> None:
    population = make_population("regnetx", 24)
    (summary,) = analyse([population]).summaries
    figure = plot_properties(summary.population, ["depth"], summary.best_values)
    (line,) = figure.axes[0].lines
    assert line.get_xdata()[0] == summary.best_values["depth"].middle
    # Too few for a band.
    few = analyse([population.select(np.arange(8))]).summaries[0]
    assert len(plot_properties(few.population, ["depth"], few.best_values).axes[0].lines) == 0


def test_chosen_networks() -> None:
    population = Population(name="x", errors=np.array([5.0, 1, 4, 2, 3, 9, 8]))
    assert chosen_networks(population, 1) == (("1 of 7", 1), ("4 of 7", 2), ("7 of 7", 5))
    assert len(chosen_networks(population)) == 6
    assert chosen_networks(population.select([0, 1])) == (("1 of 2", 1), ("2 of 2", 0))


def test_bars_are_blocks() -> None:
    population = make_population("regnetx", 6)
    index = chosen_networks(population)[0][1]
    figure = plot_networks(population, [("one", index)])
    config = population.configs[index]
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    assert heights.count(config.stages[-1].width) >= config.stages[-1].depth
    assert isinstance(plot_best_widths(population, 3)[0], Figure)


def test_slope_of_the_best_by_hand() -> None:
    # Widths 8 and 16 in two blocks lie on 8·(j + 1).
    from darts.models.anynet.config import AnyNetConfig, Stage

    config = AnyNetConfig(stages=(Stage(depth=1, width=8), Stage(depth=1, width=16)))
    population = Population(name="x", errors=np.array([1.0]), configs=(config,))
    assert plot_best_widths(population)[1] == 8


def test_growth_is_shown_between_different_costs_only() -> None:
    def names(*macs: float) -> list[str]:
        made = [make_population("regnetx", 14, macs=one, seed=i) for i, one in enumerate(macs)]
        return [plot.name for plot in _comparing_plots(analyse(made))]

    assert names(20e6, 40e6) == ["distributions", "best-of", "growth"]
    assert names(20e6, 40e6, 41e6) == ["distributions", "best-of"]


def test_sentences() -> None:
    low = np.linspace(10, 20, 40)

    def sentence(a: np.ndarray, b: np.ndarray) -> str:
        pair = [Population(name="a", errors=a), Population(name="b", errors=b)]
        return conclusions(analyse(pair))[0]

    assert sentence(low + 8, low).startswith("b is better than a: mean error 8.00 points lower")
    assert sentence(low, low + 8).startswith("a is better than b: mean error 8.00 points lower")
    assert sentence(low, low + 0.1).startswith("a and b cannot be told apart")
    spread = np.concatenate([low - 30 + 25, low + 5])
    assert sentence(np.full(80, 15.0), spread).startswith("The distributions of")
    alone = analysis_text(analyse([Population(name="a", errors=low)]))
    assert "better than" not in alone
    assert "Pairs" not in alone
