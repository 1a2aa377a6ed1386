"""The report of an analysis of populations: plots, tables, JSON, text, and one page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import cycle, pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.figure import Figure

from darts.design_space.analysis import Analysis, Summary, mean_costs
from darts.design_space.network_plots import (
    chosen_networks,
    plot_best_widths,
    plot_fits,
    plot_networks,
)
from darts.design_space.plots import (
    PROPERTY_SCALES,
    plot_distributions,
    plot_properties,
    plot_trends,
    property_label,
)
from darts.design_space.population import Population
from darts.design_space.repeating import repeat_populations
from darts.design_space.search_efficiency import (
    BestOf,
    best_of_curve,
    best_of_rows,
    plot_best_of,
)
from darts.design_space.statistics import Difference
from darts.design_space.stored_population import POPULATION_FILE
from darts.design_space.trends import by_trend
from darts.files import atomic_write
from darts.models.arrays import FloatArray
from darts.report.formatting import flat
from darts.report.frame import Plot, write_plots
from darts.report.render import render_page
from darts.report.style import CURVES
from darts.report.tables import Row, aligned
from darts.statistics.interval import Interval
from darts.trials.background import machines_of

# Parts of a population with fewer networks are not plotted.
_SMALLEST_PART = 5
# If the costs of populations differ by this factor, their best values are plotted over cost.
_OTHER_COST = 1.2
_SIGNIFICANT = 0.05
_STAGE = re.compile(r"[wd][1-9]$")


def write_analysis(analysis: Analysis, directory: Path, places: Sequence[Path] = ()) -> Path:
    """Write `analysis.html`, `.json`, `.txt` and every plot into `directory`; return the page.

    Args:
        analysis: The analysis.
        directory: Its directory.
        places: The directory of each population, which knows where it was trained.
    """
    directory.mkdir(parents=True, exist_ok=True)
    sections = [("Error distributions", write_plots(_comparing_plots(analysis), directory))]
    for summary, colour in zip(analysis.summaries, cycle(CURVES), strict=False):
        plots = _population_plots(summary, colour)
        sections.append((summary.population.name, write_plots(plots, directory)))
    with atomic_write(directory / "analysis.json") as stream:
        json.dump(analysis.as_dict(), stream, indent=2)
    with atomic_write(directory / "analysis.txt") as stream:
        stream.write(analysis_text(analysis))
    context = {
        "names": [population.name for population in analysis.populations],
        "headline": population_headline(analysis),
        "conclusions": conclusions(analysis),
        "notes": analysis.notes,
        "tables": analysis_tables(analysis),
        "networks": _network_rows(analysis.populations),
        "sections": sections,
        "commands": repeat_populations(analysis.populations, directory),
        "background": list(_background(analysis.populations, places)),
    }
    return render_page(__package__, "analysis.html", directory / "analysis.html", context)


def analysis_text(analysis: Analysis) -> str:
    """Tables, conclusions and notes as plain text."""
    parts = []
    for title, rows in analysis_tables(analysis):
        parts.append("\n".join([title, *aligned(rows)]))
    parts += ["\n".join(conclusions(analysis))] if analysis.differences else []
    parts += [f"Note. {note}" for note in analysis.notes]
    return "\n\n".join(parts) + "\n"


def analysis_tables(analysis: Analysis) -> list[tuple[str, list[Row]]]:
    """Titles and rows of all tables; the first row is the head."""
    found = [("Test error (%)", _error_rows(analysis))]
    rows = best_of_rows(_best_of_curves(analysis))
    found.append(("Error (%) of the best of m networks: mean, and 95 % of the samples", rows))
    if analysis.differences:
        found.append(("Pairs", _pair_rows(analysis.differences)))
    if any(summary.best_values for summary in analysis.summaries):
        title = "Most likely best values, with 95 % intervals"
        found.append((title, _best_rows(analysis.summaries)))
    if any(summary.trends for summary in analysis.summaries):
        found.append(("Mean error (%) by trend of the stages", _trend_rows(analysis.summaries)))
    return found


def population_headline(analysis: Analysis) -> str:
    """The first conclusion, or what the only population reached."""
    if found := conclusions(analysis):
        return found[0]
    errors = analysis.summaries[0].population.errors
    return (
        f"The best of {len(errors)} networks has an error of {errors.min():.2f} %, the median "
        f"{np.median(errors):.2f} %."
    )


def conclusions(analysis: Analysis) -> list[str]:
    """One sentence about each pair."""
    return [_sentence(one) for one in analysis.differences]


def _sentence(one: Difference) -> str:
    better, worse, gap, wins = one.first, one.second, one.mean, one.superiority
    if gap.middle > 0:
        better, worse = worse, better
        wins = Interval(1 - wins.high, 1 - wins.middle, 1 - wins.low)
    else:
        gap = Interval(-gap.high, -gap.middle, -gap.low)
    figures = (
        f"mean error {gap.middle:.2f} points lower [{gap.low:.2f}, {gap.high:.2f}], a random "
        f"network beats one of the other with probability {wins.middle:.2f} "
        f"[{wins.low:.2f}, {wins.high:.2f}], Kolmogorov-Smirnov p = {one.adjusted:.2g}"
    )
    if one.adjusted >= _SIGNIFICANT:
        return f"{better} and {worse} cannot be told apart ({better}: {figures})."
    if gap.low <= 0:
        return (
            f"The distributions of {better} and {worse} differ, but their means may be equal "
            f"({better}: {figures})."
        )
    return f"{better} is better than {worse}: {figures}."


def _error_rows(analysis: Analysis) -> list[Row]:
    rows: list[Row] = [("space", "n", "min", "mean", "median", "deviation", "mean e_fit", "best")]
    for summary in analysis.summaries:
        values = summary.as_dict()
        fit = values["mean_fit_error"]
        rows.append(
            (
                values["name"],
                str(values["networks"]),
                *(f"{values[key]:.2f}" for key in ("min", "mean", "median", "standard_deviation")),
                "–" if fit is None else f"{fit:.3f}",
                values["best"],
            )
        )
    return rows


def _network_rows(populations: Sequence[Population]) -> list[Row]:
    """All networks, the best first, with their costs and structure."""
    names = dict.fromkeys(
        name for one in populations for name in one.properties if not _STAGE.match(name)
    )
    rows = [
        (
            float(one.errors[index]),
            one.label(index),
            one.name,
            [_property(name, one.properties.get(name), index) for name in names],
        )
        for one in populations
        for index in range(len(one))
    ]
    head: Row = ("network", "space", "error (%)", *(property_label(name) for name in names))
    ranked = sorted(rows, key=lambda row: row[:2])
    return [head, *((key, space, f"{error:.2f}", *own) for error, key, space, own in ranked)]


def _property(name: str, values: FloatArray | None, index: int) -> str:
    if values is None or not np.isfinite(values[index]):
        return "–"
    value = float(values[index]) * PROPERTY_SCALES.get(name, 1)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _background(
    populations: Sequence[Population], places: Sequence[Path]
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    for number, population in enumerate(populations):
        yield f"Recipe of {population.name}", flat(population.recipe)
        if number < len(places):
            title, rows = machines_of(places[number], POPULATION_FILE)
            yield f"{title} of {population.name}", rows


def _pair_rows(differences: Sequence[Difference]) -> list[Row]:
    rows: list[Row] = [
        ("first", "second", "KS D", "p", "p (Holm)", "difference of means", "P(first better)")
    ]
    for one in differences:
        mean, wins = one.mean, one.superiority
        rows.append(
            (
                one.first,
                one.second,
                f"{one.statistic:.3f}",
                f"{one.p_value:.2g}",
                f"{one.adjusted:.2g}",
                f"{mean.middle:+.2f} [{mean.low:+.2f}, {mean.high:+.2f}]",
                f"{wins.middle:.2f} [{wins.low:.2f}, {wins.high:.2f}]",
            )
        )
    return rows


def _best_rows(summaries: Sequence[Summary]) -> list[Row]:
    names = dict.fromkeys(name for summary in summaries for name in summary.best_values)
    rows: list[Row] = [("property", *(summary.population.name for summary in summaries))]
    for name in names:
        cells = []
        for summary in summaries:
            if interval := summary.best_values.get(name):
                bounds = f"[{_number(interval.low)}, {_number(interval.high)}]"
                cells.append(f"{_number(interval.middle)} {bounds}")
            else:
                cells.append("–")
        rows.append((name, *cells))
    return rows


def _trend_rows(summaries: Sequence[Summary]) -> list[Row]:
    rows: list[Row] = [("space", "axis", "growing", "constant", "falling", "mixed")]
    for summary in summaries:
        for axis, parts in summary.trends.items():
            cells = [
                f"{parts[trend][0]:.2f} (n = {parts[trend][1]})" if trend in parts else "–"
                for trend in rows[0][2:]
            ]
            rows.append((summary.population.name, f"{axis}s", *cells))
    return rows


def _number(value: float) -> str:
    if abs(value) >= 1e6:
        return f"{value / 1e6:,.2f} M"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _best_of_curves(analysis: Analysis) -> list[tuple[str, tuple[BestOf, ...]]]:
    return [(one.name, best_of_curve(one.errors)) for one in analysis.populations]


def _comparing_plots(analysis: Analysis) -> Iterator[Plot]:
    populations = analysis.populations
    yield Plot(
        "distributions",
        "Share of networks with error below e",
        "Curves further left and up are better. In brackets: smallest | mean error. Bands: "
        "pointwise 95 % bootstrap intervals.",
        plot_distributions(populations),
    )
    yield Plot(
        "best-of",
        "Efficiency of random search: the best of m networks",
        "Mean over all choices of m networks of the population; bands hold 95 % of them. The best "
        "is chosen on the test images, so its error is optimistic.",
        plot_best_of(_best_of_curves(analysis)),
    )
    costs = mean_costs(populations)
    known = [summary.best_values for summary in analysis.summaries]
    ordered = sorted(costs)
    apart = all(large > _OTHER_COST * small for small, large in pairwise(ordered))
    if len(costs) == len(populations) > 1 and apart:
        wanted = ("params", "activations", "depth", "w0", "wa", "wm", "group_width", "bottleneck")
        shared = [name for name in wanted if sum(name in values for values in known) > 1]
        if shared:
            yield Plot(
                "growth",
                "How the best networks grow with cost",
                "Most likely best values and their 95 % intervals.",
                plot_trends(costs, known, shared),
            )


def _population_plots(summary: Summary, colour: str) -> Iterator[Plot]:
    population = summary.population
    slug = re.sub(r"[^a-z0-9]+", "-", population.name.lower()).strip("-") or "population"
    names = [name for name in population.properties if not _STAGE.match(name)]
    stages = [name for name in population.properties if _STAGE.match(name)]
    for group, title, chosen in (
        ("properties", "Properties", names),
        ("stages", "Widths and depths of the stages", stages),
    ):
        if chosen:
            figure = plot_properties(population, chosen, summary.best_values, colour)
            note = (
                "Each dot is a network. Line and band: the most likely best value and its 95 % "
                "interval, by bootstrap with resamples of 25 % of the networks."
            )
            yield Plot(f"{slug}-{group}", title, note, figure)
    if not population.configs:
        return
    axes: tuple[Literal["width", "depth"], ...] = ("width", "depth")
    for axis in axes:
        parts = [p for p in by_trend(population, axis).values() if len(p) >= _SMALLEST_PART]
        if len(parts) > 1:
            yield Plot(
                f"{slug}-{axis}s-run",
                f"Errors by trend of the stages' {axis}s",
                "Growing: no stage has a smaller value than the previous one.",
                plot_distributions(parts),
            )
    picked = chosen_networks(population)
    yield Plot(
        f"{slug}-networks",
        "The best, middle and worst networks",
        "Each bar is a block. Below: depth × width, group width g and bottleneck ratio b of each "
        "stage.",
        plot_networks(population, picked),
    )
    yield Plot(
        f"{slug}-fits",
        "The widths of these networks and the nearest quantised lines",
        "e_fit: mean |log(predicted width / width)| over the blocks.",
        plot_fits(population, picked),
    )
    yield Plot(
        f"{slug}-widths",
        "Widths of the best networks",
        "Widths of the blocks.",
        _widths(population),
    )


def _widths(population: Population) -> Figure:
    # The paper shows 20 of 500; of a small population, at most a quarter.
    return plot_best_widths(population, min(20, max(1, len(population) // 4)))[0]
