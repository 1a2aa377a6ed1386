"""The outcome of a sweep as `sweep.json`, a page with plots, and text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from darts.files import atomic_write
from darts.report.formatting import Card, duration, flat, percent
from darts.report.frame import Plot, write_plots
from darts.report.render import render_page
from darts.report.tables import aligned
from darts.run_files import RunFiles
from darts.runs.directory import finite
from darts.sweeps.directory import OUTCOME_FILE
from darts.sweeps.plots import plot_accuracies, plot_ranks
from darts.sweeps.repeating import sweep_command
from darts.sweeps.retraining_noise import noise_lines, noise_values
from darts.sweeps.sweep_outcome import SweepOutcome, outcome_values
from darts.sweeps.tables import (
    agreement_lines,
    cell_table,
    configuration_table,
    difference_table,
    edge_table,
    judge_words,
    notes_of_sweep,
    search_table,
)
from darts.trials.background import machines_of


def outcome_json(outcome: SweepOutcome) -> str:
    """The outcome as JSON text."""
    values = {**outcome_values(outcome), **noise_values(outcome)}
    return json.dumps(finite(values), indent=2, ensure_ascii=False)


def outcome_text(outcome: SweepOutcome) -> str:
    """The outcome as tables of text."""
    blocks = [[judge_words(outcome)], aligned(configuration_table(outcome))]
    if rows := difference_table(outcome):
        blocks.append(aligned(rows))
    blocks.append(aligned(search_table(outcome)))
    blocks.append(agreement_lines(outcome))
    blocks.append(noise_lines(outcome))
    blocks.append(list(notes_of_sweep(outcome)))
    return "\n\n".join("\n".join(lines) for lines in blocks if lines)


def write_sweep_report(outcome: SweepOutcome) -> Path:
    """Write `sweep.json`, `plots/` and `report.html` into the directory of the sweep.

    Returns:
        The page.
    """
    folder, options = Path(outcome.record.options.out), outcome.record.options
    with atomic_write(folder / OUTCOME_FILE) as stream:
        stream.write(outcome_json(outcome) + "\n")
    settings = {
        **options.settings,
        **{f"--set {name}": values for name, values in options.grid.items()},
        **{f"--for {name}": values for name, values in options.own.items()},
        **{f"--retrain-with {name}": value for name, value in options.retraining.items()},
    }
    context = {
        "name": folder.resolve().name,
        "headline": sweep_headline(outcome),
        "summary": _summary(outcome),
        "commands": [("", sweep_command(options, f"{folder.resolve().name}-again"))],
        "judge": judge_words(outcome),
        "cards": list(_cards(outcome)),
        "configurations": configuration_table(outcome),
        "differences": difference_table(outcome),
        "plots": write_plots(_plots(outcome), folder / "plots"),
        "notes": list(notes_of_sweep(outcome)),
        "cells": cell_table(outcome),
        "agreement": [*agreement_lines(outcome), *noise_lines(outcome)],
        "edges": edge_table(outcome),
        "searches": search_table(outcome),
        "background": [("Settings", flat(settings)), machines_of(folder)],
    }
    return render_page(__package__, "sweep.html", RunFiles(folder).report, context)


def sweep_headline(outcome: SweepOutcome) -> str:
    """Which configuration has the highest mean, and whether the seeds show it."""
    known = [one for one in outcome.configurations.values() if one.accuracy is not None]
    done = sum(one.accuracy is not None for one in outcome.cells)
    if not known:
        return f"No accuracy is known yet: {done} of {len(outcome.cells)} searches are judged."
    best = max(known, key=lambda one: one.accuracy.mean if one.accuracy else 0.0)
    assert best.accuracy is not None
    verb = "have" if best.label.endswith("cells") else "has"
    text = f"{best.label} {verb} the highest mean accuracy, {best.accuracy.mean:.2f} %"
    if best.accuracy.interval is not None:
        low, high = best.accuracy.interval.low, best.accuracy.interval.high
        text += f" [{low:.2f}, {high:.2f}] over {best.accuracy.n} seeds"
    clear = [
        one.label
        for one in outcome.differences
        if one.interval is not None and one.interval.excludes_zero and (one.adjusted or 0) < 0.05
    ]
    if outcome.differences:
        reference = outcome.differences[0].reference
        shown = f"{', '.join(clear)}" if clear else "no other configuration"
        text += f"; after correction, {shown} differs from {reference} by more than chance"
    unfinished = f" Not finished: {done} of {len(outcome.cells)}."
    return f"{text}.{'' if outcome.finished else unfinished}"


def _summary(outcome: SweepOutcome) -> str:
    options = outcome.record.options
    space = options.settings.get("space", "darts")
    dataset = options.settings.get("dataset", "cifar10")
    seeds = len(options.seeds)
    return (
        f"Sweep of {len(outcome.configurations)} configurations with {seeds} seed"
        f"{'s' * (seeds > 1)} each in the space {space} on {dataset}."
    )


def _cards(outcome: SweepOutcome) -> Iterator[Card]:
    known = [one for one in outcome.configurations.values() if one.accuracy is not None]
    if known:
        best = max(known, key=lambda one: one.accuracy.mean if one.accuracy else 0.0)
        assert best.accuracy is not None
        yield Card("Highest mean", percent(best.accuracy.mean), best.label)
    searched = [one for one in outcome.cells if one.seconds is not None]
    failed = len(outcome.failed)
    yield Card("Searches done", str(len(searched)), f"{failed} failed" if failed else "none failed")
    yield Card("Different cells", str(len(outcome.found)), f"of {len(outcome.cells)}")
    warned = sum(bool(one.warnings) for one in searched)
    yield Card("Collapse warnings", str(warned), "searches with at least one")
    yield Card("Search time", duration(sum(one.seconds or 0.0 for one in searched)), "in total")


def _plots(outcome: SweepOutcome) -> Iterator[Plot]:
    if (figure := plot_accuracies(outcome)) is not None:
        note = (
            "A dot is a seed, a diamond the mean with its 95 % interval, a box the quartiles. "
            "Intervals that are wider than the plot are cut."
        )
        yield Plot("accuracies", "Accuracies", f"{judge_words(outcome)} {note}", figure)
    if (figure := plot_ranks(outcome)) is not None:
        note = "A dot is a seed, a bar the mean rank; 1 is best, equal accuracies share a rank."
        yield Plot("ranks", "Ranks", note, figure)
