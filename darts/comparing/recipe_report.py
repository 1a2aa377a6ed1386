"""The report of a comparison under several recipes: sentences, tables, plots, and one page."""

from __future__ import annotations

import shlex
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from darts.comparing.recipe_outcome import RecipeErrors, RecipeOutcome, outcome_sentences
from darts.files import atomic_write
from darts.models.arrays import FloatArray
from darts.report.frame import Plot, dress, write_plots
from darts.report.render import render_page
from darts.report.repeat import command_from_config
from darts.report.style import CURVES, INK, LINE, plain_text
from darts.report.tables import Row, aligned
from darts.run_files import RunFiles
from darts.statistics.interval import Interval
from darts.trials.background import machines_of, settings_of

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
# Half of the width of a 95 % interval in deviations.
_WIDTH = 1.96


def write_recipe_report(outcome: RecipeOutcome, directory: Path) -> Path:
    """Write `report.html`, `recipes.txt` and the plots into `directory`; return the page."""
    measured = outcome.measured
    plots = [
        Plot(
            "errors",
            "Error of each network under each recipe",
            "Lower is better. Bars: 95 % intervals of the noise. Lines that cross swap their "
            "order; bars that overlap say that noise explains it.",
            plot_by_recipe(measured, measured.means, _WIDTH * measured.deviations, "error (%)"),
        ),
        Plot(
            "ranks",
            "Rank of each network under each recipe",
            "Rank 1 is best. Parallel lines: the order does not depend on the recipe.",
            plot_by_recipe(measured, measured.ranks, None, "rank"),
        ),
    ]
    with atomic_write(directory / "recipes.txt") as stream:
        stream.write(recipe_text(outcome))
    names = ", ".join(measured.networks[: measured.judged])
    return render_page(
        __package__,
        "outcome.html",
        RunFiles(directory).report,
        {
            "title": f"{names} under {len(measured.recipes)} recipes",
            "sentences": outcome_sentences(outcome),
            "recipe": outcome.recipe,
            "notes": outcome.notes,
            "tables": recipe_tables(outcome),
            "plots": write_plots(plots, directory),
            "published": (),  # Papers report no such study.
            "cells": (),
            "commands": [("", _repeat(directory))],
            "background": [settings_of(directory), machines_of(directory)],
        },
    )


def _repeat(directory: Path) -> str:
    """The command; it names the recipes, because they tell the kind of comparison."""
    recipes = shlex.split(str(RunFiles(directory).read_config().get("recipes", "")))
    program = shlex.join(["python", "-m", "darts", "compare", "--recipes", *recipes])
    return command_from_config(program, directory)


def recipe_text(outcome: RecipeOutcome) -> str:
    """Outcome, tables and notes as plain text."""
    parts = ["\n".join(outcome_sentences(outcome)), outcome.recipe]
    parts += ["\n".join([title, *aligned(rows)]) for title, rows in recipe_tables(outcome)]
    parts += [f"Note. {note}" for note in outcome.notes]
    return "\n\n".join(parts) + "\n"


def recipe_tables(outcome: RecipeOutcome) -> list[tuple[str, list[Row]]]:
    """Titles and rows of all tables; the first row is the head."""
    measured = outcome.measured
    kind = "held-out" if outcome.setting.get("measured_on", "").startswith("held") else "test"
    deviation = float(np.sqrt((measured.deviations**2).mean()))
    source = "seeds" if measured.freedom else f"{measured.images:,} images"
    error = f"Error by recipe ({kind}, %; deviation of a value {deviation:.2f}, from {source})"
    return [
        (error, _by_recipe(measured, measured.means, "{:.2f}")),
        ("Over the recipes", _over_recipes(outcome, kind)),
        ("Rank by recipe", _by_recipe(measured, measured.ranks, "{:g}")),
        ("Agreement of the recipes on the order", _agreement(outcome)),
        ("Pairs of networks", _pairs(outcome)),
    ]


def _by_recipe(measured: RecipeErrors, values: FloatArray, form: str) -> list[Row]:
    rows: list[Row] = [("recipe", *measured.networks)]
    for name, line in zip(measured.recipes, values, strict=True):
        rows.append((name, *(form.format(value) for value in line)))
    return rows


def _over_recipes(outcome: RecipeOutcome, kind: str) -> list[Row]:
    measured = outcome.measured
    rows: list[Row] = [
        (
            "network",
            "mean error (%)",
            "deviation between recipes",
            f"smallest error, chosen on {kind} images (%)",
            "its recipe",
            "mean rank",
            "recipes won",
            "of these within noise",
        )
    ]
    for number, name in enumerate(measured.networks):
        values = measured.means[:, number]
        best = int(values.argmin())
        rows.append(
            (
                name,
                f"{values.mean():.2f}",
                f"{values.std(ddof=1):.2f}",
                f"{values[best]:.2f}",
                measured.recipes[best],
                f"{measured.ranks[:, number].mean():.2f}",
                str(outcome.wins[number]),
                str(outcome.close[number]),
            )
        )
    return rows


def _agreement(outcome: RecipeOutcome) -> list[Row]:
    rows: list[Row] = [("measure", "value", "95 % interval", "meaning")]
    agreed = outcome.agreement
    if agreed is None:
        return [*rows, ("–", "–", "–", "the networks have no order")]

    def row(name: str, one: Interval, meaning: str) -> Row:
        return name, f"{one.middle:.2f}", f"{one.low:.2f} to {one.high:.2f}", meaning

    return [
        *rows,
        row("Kendall's W", agreed.w, "1: one order under all recipes; near 0: none in common"),
        row("mean Kendall tau", agreed.tau, "of all pairs of recipes; -1 to 1"),
        row("the same from noise alone", agreed.tau_of_noise, "if recipes changed no order"),
        ("p", f"{agreed.p:.3f}", "–", "chance of so small a tau from noise alone"),
    ]


def _pairs(outcome: RecipeOutcome) -> list[Row]:
    """Pairs with a judged cell."""
    judged = set(outcome.measured.networks[: outcome.measured.judged])
    rows: list[Row] = [
        (
            "pair",
            "first better",
            "beyond noise",
            "second better",
            "beyond noise",
            "recipes that disagree (% of pairs)",
            "difference (points)",
            "95 % interval",
        )
    ]
    for pair in outcome.pairs:
        if pair.first not in judged:
            continue
        interval = pair.difference.interval
        rows.append(
            (
                f"{pair.first} – {pair.second}",
                str(pair.better),
                str(pair.surely_better),
                str(pair.worse),
                str(pair.surely_worse),
                f"{100 * pair.swapped:.0f}",
                f"{pair.difference.mean:+.2f}",
                "–" if interval is None else f"{interval.low:+.2f} to {interval.high:+.2f}",
            )
        )
    return rows


def plot_by_recipe(
    measured: RecipeErrors, values: FloatArray, bars: FloatArray | None, label: str
) -> Figure:
    """One line per network over the recipes; judged cells in colour, the others in grey.

    Args:
        measured: Gives the names.
        values: `[R, N]`.
        bars: Half widths of the intervals, `[R, N]`.
        label: Of the vertical axis.
    """
    recipes, networks = len(measured.recipes), measured.networks
    figure = Figure(figsize=(2.2 + 0.75 * recipes, 4.2), layout="constrained")
    axes = figure.subplots()
    places = np.arange(recipes)
    looks = zip(cycle(CURVES), cycle(_MARKERS), strict=False)
    spread = 0.24 / max(measured.judged, 1)
    for number in reversed(range(measured.judged, len(networks))):
        name = "other networks" if number == measured.judged else None
        axes.plot(places, values[:, number], color=LINE, linewidth=1, marker=".", label=name)
    for number, (colour, marker) in zip(range(measured.judged), looks, strict=False):
        axes.errorbar(
            places + spread * (number - (measured.judged - 1) / 2) * (bars is not None),
            values[:, number],
            yerr=None if bars is None else bars[:, number],
            color=colour,
            marker=marker,
            markersize=5,
            linewidth=1.4,
            elinewidth=1,
            label=plain_text(networks[number]),
        )
    dress(axes)
    names = [plain_text(name) for name in measured.recipes]
    axes.set_xticks(places, names, rotation=30, ha="right", fontsize=8)
    axes.tick_params(axis="y", labelsize=8)
    if bars is None:
        axes.invert_yaxis()
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel(label, fontsize=9)
    figure.legend(loc="outside lower left", frameon=False, labelcolor=INK, fontsize=9, ncols=3)
    return figure
