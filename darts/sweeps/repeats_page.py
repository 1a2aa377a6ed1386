"""The report of a training with several seeds: means, each training, and all curves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from darts.report.formatting import Card, duration, flat, percent
from darts.report.page import cells_of, repeat_command, training_plots
from darts.report.record import REPEATS_ENTRY, read_run
from darts.report.render import render_page
from darts.report.tables import Row
from darts.run_files import RunFiles
from darts.targets.kinds import target_of_scores


def has_repeats(directory: Path | str) -> bool:
    """Whether a directory has the finished run of several trainings."""
    return RunFiles(Path(directory)).result_has(REPEATS_ENTRY)


def write_repeats_report(directory: Path | str) -> Path:
    """Write `report.html` from the files of a finished run of several trainings.

    Raises:
        UserError: There is no run in `directory`.
    """
    record = read_run(directory)
    result = record.result or {}
    found = result[REPEATS_ENTRY]
    runs = [one["run"] for one in found["runs"]]
    records = [read_run(record.files.path / run) for run in runs]
    return render_page(
        __package__,
        "repeats.html",
        record.files.report,
        {
            "name": record.name,
            "commands": [("", repeat_command(record))],
            "sentence": found["sentence"],
            "summary": f"Training from scratch on {record.config.get('dataset')} · seeds "
            + ", ".join(str(one["seed"]) for one in found["runs"]),
            "notes": [f"Seed {one['seed']} failed: {one['error']}" for one in found["failed"]],
            "cards": _cards(result),
            "runs": len(runs),
            "rows": found["rows"],
            "each": _each(found),
            "plots": list(training_plots(records)),
            "cells": cells_of(record),
            "config": flat(record.config),
            "environment": flat(record.environment),
        },
    )


def _cards(result: Mapping[str, Any]) -> list[Card]:
    target = target_of_scores(result, "test")
    one = result[REPEATS_ENTRY]["measures"][f"test_{target.key}"]
    many = f"mean of {one['n']} training{'s' * (one['n'] != 1)}, last epoch"
    cards = [Card(f"Test {target.measure}", percent(one["mean"]), many)]
    if one["deviation"] is not None:
        cards.append(Card("Deviation", f"{one['deviation']:.2f}", "percentage points, n - 1"))
    cards.append(Card("Parameters", f"{result['parameters']:,}"))
    cards.append(Card("Multiply-adds", f"{result['macs']:,}", "for one image"))
    return [*cards, Card("Time of all trainings", duration(result["seconds"]))]


def _each(found: Mapping[str, Any]) -> list[Row]:
    target = target_of_scores(found["measures"], "test")
    further, title = "macro_f1", "macro F1"
    if target.key == "accuracy":
        further, title = "balanced_accuracy", "balanced accuracy"
        if "test_top5_accuracy" in found["measures"]:
            further, title = "top5_accuracy", "top 5"
    head: Row = ("seed", f"test {target.measure}", title, "time")
    return [
        head,
        *(
            (
                str(one["seed"]),
                percent(one[f"test_{target.key}"]),
                percent(one[f"test_{further}"]),
                duration(one["seconds"]),
            )
            for one in found["runs"]
        ),
    ]
