"""The report of a comparison: sentences, tables, plots, and one page with all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from darts.compare.outcome import Comparison, Judgement, Rank, sentence
from darts.design_space.plots import Mark, plot_costs, plot_distributions
from darts.design_space.published import published_models
from darts.files import atomic_write
from darts.report.frame import Plot, write_plots
from darts.report.render import render_page
from darts.report.tables import Row, aligned
from darts.run_files import RunFiles

_COSTS = ("params", "macs", "activations", "latency")
_WORDS = {
    "params": "parameters",
    "macs": "multiply-adds",
    "activations": "activations",
    "latency": "latency (ms)",
}
# Published models within this factor of the cost are shown beside a comparison on ImageNet.
_NEAR = 2.0


def write_comparison_report(comparison: Comparison, directory: Path) -> Path:
    """Write `report.html`, `comparison.txt` and the plots into `directory`; return the page."""
    contender = comparison.contender
    populations = [one.population for one in comparison.judgements]
    spread = 1.96 * contender.deviation / len(contender.errors) ** 0.5
    error = contender.error
    mark = Mark(contender.name, error, error - spread, error + spread)
    plots = [
        Plot(
            "distributions",
            "Share of networks with error below e",
            "Curves further left and up are better. In brackets: smallest | mean error. "
            f"Dashed line: {contender.name}. Bands: 95 % intervals.",
            plot_distributions(populations, [mark]),
        )
    ]
    known = [
        name
        for name in ("params", "activations", "latency")
        if name in contender.properties and any(name in one.properties for one in populations)
    ]
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
            "title": f"{contender.name} compared to networks of its cost",
            "sentences": sentences(comparison),
            "recipe": comparison.recipe,
            "notes": comparison.notes,
            "tables": comparison_tables(comparison),
            "plots": write_plots(plots, directory),
            "published": _published_rows(comparison),
        },
    )


def sentences(comparison: Comparison) -> list[str]:
    """The outcome, as text for each population."""
    return [sentence(comparison.contender, one) for one in comparison.judgements]


def comparison_text(comparison: Comparison) -> str:
    """Outcome, tables and notes as plain text."""
    parts = ["\n".join(sentences(comparison)), comparison.recipe]
    parts += ["\n".join([title, *aligned(rows)]) for title, rows in comparison_tables(comparison)]
    parts += [f"Note. {note}" for note in comparison.notes]
    return "\n\n".join(parts) + "\n"


def comparison_tables(comparison: Comparison) -> list[tuple[str, list[Row]]]:
    """Titles and rows of all tables; the first row is the head."""
    found = [("Test error (%)", _error_rows(comparison))]
    for one in comparison.judgements:
        title = f"{comparison.contender.name} among {one.population.name}"
        found.append((title, _rank_rows(one)))
    return found


def _error_rows(comparison: Comparison) -> list[Row]:
    contender = comparison.contender
    rows: list[Row] = [("network", "n", "min", "median", "mean", "deviation", "best")]
    rows.append(
        (
            contender.name,
            str(len(contender.errors)),
            f"{min(contender.errors):.2f}",
            "–",
            f"{contender.error:.2f}",
            f"{contender.deviation:.2f}" if len(contender.errors) > 1 else "–",
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
