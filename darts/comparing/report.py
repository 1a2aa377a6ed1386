"""The report of a comparison: sentences, tables, plots, and one page with all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from darts.comparing.named import error_bounds, judge_named, named_rows, points_of
from darts.comparing.outcome import Comparison, Judgement, Rank, sentence
from darts.design_space.plots import Mark, plot_costs, plot_distributions
from darts.design_space.published import published_models
from darts.files import atomic_write
from darts.models.registry import Model
from darts.report.cell_images import CellImage, at_one_scale
from darts.report.draw import render_cell
from darts.report.frame import Plot, write_plots
from darts.report.fronts import plot_fronts
from darts.report.render import render_page
from darts.report.repeat import command_from_config
from darts.report.style import cell_title
from darts.report.tables import Row, aligned
from darts.run_files import RunFiles
from darts.trials.background import machines_of, settings_of
from genotypes import Genotype

_COSTS = ("params", "macs", "activations", "latency")
_FRONT_COSTS = ("macs", "params", "latency")
_WORDS = {
    "params": "parameters",
    "macs": "multiply-adds",
    "activations": "activations",
    "latency": "latency (ms)",
}
# Published models within this factor of the cost are shown beside a comparison on ImageNet.
_NEAR = 2.0


def write_comparison_report(
    comparison: Comparison, directory: Path, model: Model | None = None
) -> Path:
    """Write `report.html`, `comparison.txt` and the plots into `directory`; return the page.

    Args:
        comparison: What was compared.
        directory: The directory of the comparison.
        model: The judged network; cells are drawn.
    """
    contender = comparison.contender
    populations = [one.population for one in comparison.judgements]
    spread = 1.96 * contender.deviation / len(contender.errors) ** 0.5
    error = contender.error
    mark = Mark(contender.name, error, error - spread, error + spread)
    marks = [mark, *(Mark(one.name, one.error, *error_bounds(one)) for one in comparison.named)]
    plots = []
    if populations:
        lines = "Vertical lines: single networks" if comparison.named else "Dashed line"
        plots.append(
            Plot(
                "distributions",
                "Share of networks with error below e",
                "Curves further left and up are better. In brackets: smallest | mean error. "
                f"{lines}: {', '.join(one.label for one in marks)}. Bands: 95 % intervals.",
                plot_distributions(populations, marks),
            )
        )
    known = [
        name
        for name in ("params", "activations", "latency")
        if name in contender.properties and any(name in one.properties for one in populations)
    ]
    if comparison.named:
        plots.append(_networks_plot(comparison))
    if known:
        figure = plot_costs(populations, contender.name, error, contender.properties, known)
        note = "Lower is better; all networks have about the same multiply-adds."
        plots.append(Plot("costs", "Error over cost", note, figure))
    with atomic_write(directory / "comparison.txt") as stream:
        stream.write(comparison_text(comparison))
    return render_page(
        __package__,
        "outcome.html",
        RunFiles(directory).report,
        {
            "title": f"{contender.name} compared to "
            + ("networks of its cost" if populations else "other networks"),
            "sentences": sentences(comparison),
            "recipe": comparison.recipe,
            "notes": comparison.notes,
            "tables": comparison_tables(comparison),
            "plots": write_plots(plots, directory),
            "published": _published_rows(comparison),
            "cells": _cells(model),
            "commands": [("", command_from_config("python -m darts compare", directory))],
            "background": [settings_of(directory), machines_of(directory)],
        },
    )


def _cells(model: Model | None) -> list[CellImage]:
    if not isinstance(model, Genotype):
        return []
    return at_one_scale(
        [(f"{cell_title(kind)} of {model.name}", render_cell(model, kind)) for kind in model.kinds]
    )


def _networks_plot(comparison: Comparison) -> Plot:
    """Error over cost: the judged network and the named ones as points with intervals."""
    single = [comparison.contender, *comparison.named]
    costs = [name for name in _FRONT_COSTS if all(name in one.properties for one in single)]
    clouds = [
        (one.population.name, dict(one.population.properties), one.population.errors.tolist())
        for one in comparison.judgements
    ]
    return Plot(
        "networks",
        "Error over cost of single networks",
        "Lower and further left is better. Bars: 95 % intervals of the mean. Dotted: the front of "
        "the single networks. Faint dots: populations.",
        plot_fronts(
            points_of(single),
            costs,
            y_label="test error (%)",
            smaller_is_better=True,
            clouds=clouds,
        ),
    )


def sentences(comparison: Comparison) -> list[str]:
    """The outcome, as text for each population and each named network."""
    judged = comparison.contender
    found = [sentence(judged, one) for one in comparison.judgements]
    return found + [one.sentence(judged) for one in judge_named(judged, comparison.named)]


def comparison_text(comparison: Comparison) -> str:
    """Outcome, tables and notes as plain text."""
    parts = ["\n".join(sentences(comparison)), comparison.recipe]
    parts += ["\n".join([title, *aligned(rows)]) for title, rows in comparison_tables(comparison)]
    parts += [f"Note. {note}" for note in comparison.notes]
    return "\n\n".join(parts) + "\n"


def comparison_tables(comparison: Comparison) -> list[tuple[str, list[Row]]]:
    """Titles and rows of all tables; the first row is the head."""
    found = [("Test error (%)", _error_rows(comparison))]
    if comparison.named:
        judged = comparison.contender
        rows = named_rows(judged, judge_named(judged, comparison.named))
        found.append((f"{judged.name} beside single networks", rows))
    for one in comparison.judgements:
        title = f"{comparison.contender.name} among {one.population.name}"
        found.append((title, _rank_rows(one)))
    return found


def _error_rows(comparison: Comparison) -> list[Row]:
    rows: list[Row] = [("network", "n", "min", "median", "mean", "deviation", "best")]
    for single in (comparison.contender, *comparison.named):
        rows.append(
            (
                single.name,
                str(len(single.errors)),
                f"{min(single.errors):.2f}",
                "–",
                f"{single.error:.2f}",
                f"{single.deviation:.2f}" if len(single.errors) > 1 else "–",
                "–",
            )
        )
    for one in comparison.judgements:
        errors = one.population.errors
        rows.append(
            (
                one.population.name,
                str(len(errors)),
                f"{errors.min():.2f}",
                f"{one.error.median:.2f}",
                f"{errors.mean():.2f}",
                f"{errors.std(ddof=1):.2f}",
                one.population.label(one.best),
            )
        )
    return rows


def _rank_rows(one: Judgement) -> list[Row]:
    head: Row = ("", "value", "median of the population", "% with less", "95 % interval")
    rows = [head, _rank_row("test error (%)", one.error, 1.0)]
    for name in _COSTS:
        if rank := one.properties.get(name):
            rows.append(_rank_row(_WORDS[name], rank, 1e3 if name == "latency" else 1.0))
    return rows


def _rank_row(label: str, rank: Rank, scale: float) -> Row:
    share = rank.percentile
    return (
        label,
        _figure(rank.value * scale),
        _figure(rank.median * scale),
        f"{share.middle:.0f}",
        f"{share.low:.0f} to {share.high:.0f}",
    )


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.2f}"


def _published_rows(comparison: Comparison) -> Sequence[Row]:
    """The published models of about this cost, if the comparison is on ImageNet, too."""
    if comparison.setting.get("dataset") != "imagenet":
        return ()
    macs = comparison.contender.properties["macs"]
    rows: list[Row] = [("model", "multiply-adds", "parameters", "test error (%)")]
    for model in published_models():
        if 1 / _NEAR <= model.flops / macs <= _NEAR:
            error = f"{model.top1_error:.1f} ± {model.deviation:.2f}"
            rows.append((model.model, f"{model.flops:,}", f"{model.params:,}", error))
    return rows if len(rows) > 1 else ()
