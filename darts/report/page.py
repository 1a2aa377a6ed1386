"""Reports of runs: single HTML files that need no other file and no network."""

from __future__ import annotations

import base64
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from darts.errors import UserError
from darts.report import curves
from darts.report.cell_images import CellImage, at_one_scale
from darts.report.curves import Curve
from darts.report.diagnosis import diagnostic_plots, warnings
from darts.report.draw import render_cell
from darts.report.film import film_of
from darts.report.formatting import (
    cards,
    class_tables,
    comparable_cards,
    flat,
    percent,
    summary,
)
from darts.report.frame import inline_svg
from darts.report.fronts import COST_LABELS, FrontPoint, plot_fronts
from darts.report.headline import headline
from darts.report.record import RunRecord, read_run, strengths
from darts.report.render import render_page
from darts.report.repeat import command_from_config
from darts.report.style import CURVES, cell_title
from genotypes import Genotype
from genotypes.search_space import DARTS


def write_report(run_directory: Path | str) -> Path:
    """Write `report.html` into a run directory, from the files that the run has written so far.

    Raises:
        UserError: There is no run in `run_directory`.
    """
    record = read_run(run_directory)
    context = {
        "record": record,
        "headline": headline(record),
        "summary": summary(record),
        "cards": cards(record),
        "warnings": warnings(record),
        "classes": class_tables(record),
        "plots": list(training_plots([record])),
        "diagnostics": list(diagnostic_plots(record)),
        "architecture": list(_architecture_plots(record)),
        "cells": cells_of(record),
        "film": film_of(record),
        "pictures": _photographs(record),
        "commands": [("", repeat_command(record))] if record.config else [],
        "config": flat(record.config),
        "environment": flat(record.environment),
    }
    return render_page(__package__, "report.html", record.files.report, context)


def write_comparison(
    run_directories: Sequence[Path | str],
    path: Path | str,
    latencies: Mapping[Path, float] | None = None,
) -> Path:
    """Write a page that compares runs: a table, overlaid curves, and the settings that differ.

    Args:
        run_directories: The runs.
        path: The file to write.
        latencies: Seconds of a forward pass of trained networks, by directory.

    Raises:
        UserError: No directories are given, or one of them holds no run.
    """
    if not run_directories:
        raise UserError("A comparison needs run directories: give at least one.")
    records = [
        _timed(read_run(each), (latencies or {}).get(Path(each))) for each in run_directories
    ]
    figures = [{card.label: card.value for card in comparable_cards(one)} for one in records]
    labelled = _labelled(records)
    context = {
        "headline": _winner(labelled),
        **_results(labelled, figures),
        "front": _front(labelled),
        "plots": list(training_plots(records)),
        "differences": _difference_table(labelled),
        "cells": _cells_of_all(labelled),
        "commands": [("", _again(run_directories, Path(path)))],
    }
    return render_page(__package__, "comparison.html", Path(path), context)


def _timed(record: RunRecord, seconds: float | None) -> RunRecord:
    """The record with a latency that was measured now, if there is one."""
    if seconds is None:
        return record
    return replace(record, result={**(record.result or {}), "latency": seconds})


def _again(run_directories: Sequence[Path | str], path: Path) -> str:
    places = [str(Path(one).resolve()) for one in run_directories]
    return shlex.join(["python", "-m", "darts", "report", *places, "-o", str(path.resolve())])


def _cells_of_all(
    labelled: Sequence[tuple[str, RunRecord]],
) -> list[tuple[str, list[CellImage]]]:
    """The cells of the runs at one scale; equal ones once, under the names of all their runs."""
    owners: dict[Genotype, list[str]] = {}
    for label, record in labelled:
        if record.genotype is not None:
            owners.setdefault(record.genotype, []).append(label)
    drawn = [
        (f"{cell_title(kind)} of {genotype.name}", render_cell(genotype, kind))
        for genotype in owners
        for kind in genotype.kinds
    ]
    images = iter(at_one_scale(drawn))
    return [
        (", ".join(names), [next(images) for _ in genotype.kinds])
        for genotype, names in owners.items()
    ]


def _winner(labelled: Sequence[tuple[str, RunRecord]]) -> str:
    """Which trained network is the most accurate on its test images."""
    known = [(record.accuracy, label) for label, record in _tested(labelled)]
    if not known:
        return (
            "No run has a test accuracy: a supernet's accuracy does not tell how good its cell is."
        )
    accuracy, best = max(known)
    if len(known) == 1:
        return f"{best} is the only trained network here: {percent(accuracy)} on test images."
    networks = f"{len(known)} trained networks"
    return f"{best} has the highest test accuracy of {networks}, {percent(accuracy)}."


def _tested(labelled: Sequence[tuple[str, RunRecord]]) -> list[tuple[str, RunRecord]]:
    return [
        (label, record)
        for label, record in labelled
        if not (record.is_search or record.is_detector) and record.accuracy is not None
    ]


def _results(
    labelled: Sequence[tuple[str, RunRecord]], figures: Sequence[dict[str, str]]
) -> dict[str, Any]:
    """The table of all runs, and the number of the row that won."""
    labels = list(dict.fromkeys(label for known in figures for label in known))
    rows: list[Sequence[str]] = [("run", "kind", "genotype", *labels)]
    for (name, record), known in zip(labelled, figures, strict=True):
        kind = "search" if record.is_search else "retraining"
        kind = "detector" if record.is_detector else kind
        genotype = record.genotype.name if record.genotype else "–"
        rows.append((name, kind, genotype, *(known.get(label, "–") for label in labels)))
    tested = _tested(labelled)
    if len(tested) < 2:
        return {"rows": rows, "best": None}
    best = max(tested, key=lambda one: one[1].accuracy or 0.0)
    return {"rows": rows, "best": labelled.index(best)}


def _front(labelled: Sequence[tuple[str, RunRecord]]) -> Any:
    """Test accuracy over costs of the trained networks, or None with fewer than two."""
    points = []
    for label, record in labelled:
        accuracy = None if record.is_search or record.is_detector else record.accuracy
        if accuracy is not None and record.costs:
            low, high = record.accuracy_interval or (None, None)
            points.append(
                FrontPoint(label=label, value=accuracy, low=low, high=high, costs=record.costs)
            )
    names = [name for name in COST_LABELS if any(name in one.costs for one in points)]
    if len(points) < 2 or not names:
        return None
    return inline_svg(plot_fronts(points, names, y_label="test accuracy (%)"), "front")


def _labelled(records: Sequence[RunRecord]) -> list[tuple[str, RunRecord]]:
    """Each run with the name of its directory, or its path from the folder that all share.

    The path is needed where names are not unique, and where they are numbers: runs of several
    seeds are in directories RUN/seeds/0, RUN/seeds/1.
    """
    names = [record.name for record in records]
    if all(name.isdecimal() for name in names) and len(set(names)) == len(names):
        return [(f"seed {name}", one) for name, one in zip(names, records, strict=True)]
    clear = len(set(names)) == len(names) and not any(name.isdecimal() for name in names)
    if clear:
        return list(zip(names, records, strict=True))
    paths = [str(record.files.path.resolve()) for record in records]
    folder = os.path.commonpath([os.path.dirname(path) for path in paths])
    return [(os.path.relpath(path, folder), one) for path, one in zip(paths, records, strict=True)]


_PARTS = {
    "train": "training, mean of the epoch",
    "validation": "architecture images, after the epoch",
    "test": "test images",
    "train_architecture": "architecture images, mean of the epoch",
}
_MEASURES = {
    "loss": "Loss",
    "accuracy": "Accuracy (%)",
    "balanced_accuracy": "Balanced accuracy (%)",
    "map": "Mean average precision (%)",
    "f1": "F1 of a batch (%)",
    "macro_f1": "Macro F1 (%)",
    "learning_rate": "Learning rate",
    "images_per_second": "Images per second",
}


def training_plots(records: Sequence[RunRecord]) -> Iterator[tuple[str, Any]]:
    """Title and plot of each metric: all curves of one run, or one curve of each of several."""
    unit = "epoch" if all(record.unit == "epoch" for record in records) else "step"
    for name, title in _MEASURES.items():
        if len(records) == 1:
            lines = list(_parts(records[0], name))
        else:
            lines = list(_overlay(records, name))
        if all(len(one.x) < 2 for one in lines):
            continue  # A single value is no curve; it is among the figures above.
        picture = curves.plot(lines, x_label=unit, y_label=title)
        if picture:
            yield title, picture


def _parts(record: RunRecord, name: str) -> Iterator[Curve]:
    x, y = record.series(name)
    if x:  # One value per epoch.
        yield Curve(x, y, "", CURVES[0])
        return
    x, y = record.series(name, "step")
    means = [(words, *record.series(f"{part}_{name}")) for part, words in _PARTS.items()]
    has_means = any(points for _, points, _ in means)
    yield Curve(x, y, "training, single steps", CURVES[0], faint=has_means)
    for (words, points, values), colour in zip(means, CURVES, strict=False):
        yield Curve(points, values, words, colour, marked=len(points) < 12)


def _overlay(records: Sequence[RunRecord], name: str) -> Iterator[Curve]:
    """The main curve of each run: on test images, else architecture images, else training.

    Where all runs were tested only once, at the end, those of training.
    """
    parts = ["test", "validation", "train"]
    tested = [record.series(f"{part}_{name}")[0] for record in records for part in parts[:2]]
    if max(map(len, tested), default=0) == 1:
        parts = parts[2:]
    for index, (label, record) in enumerate(_labelled(records)):
        known = (
            (f"{label} ({part})", points)
            for part in parts
            if (points := record.series(f"{part}_{name}"))[0]
        )
        series = record.series(name)
        plain = (label, series if series[0] else record.series(name, "step"))
        words, (x, y) = next(known, plain)
        yield Curve(x, y, words, CURVES[index % len(CURVES)], marked=len(x) < 12)


def _architecture_plots(record: RunRecord) -> Iterator[tuple[str, Any]]:
    """Heading and plot of alpha and beta of both kinds of cell, if the run has logged them."""
    lines = record.architecture
    epochs = [line["epoch"] + 1 for line in lines]
    space = record.genotype.rules if record.genotype else DARTS
    frozen = record.config.get("arch_warmup_epochs")
    frozen = frozen if isinstance(frozen, int) else 0
    for kind in space.kinds:
        try:
            tables = [line["architecture"][kind]["operations"] for line in lines]
            edges = [line["architecture"][kind].get("edges") for line in lines]
            if tables:
                names = space.operations
                plot = curves.plot_operations(epochs, tables, names, record.genotype, kind, frozen)
                yield f"Operations of the {cell_title(kind)}: softmax of alpha", plot
            if tables and all(edges):
                plot = curves.plot_edges(epochs, edges, record.genotype, kind, CURVES, frozen)
                yield f"Edges of the {cell_title(kind)}: softmax of beta", plot
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            continue  # Tables of an unknown shape are left out of the page.


def cells_of(record: RunRecord) -> list[CellImage]:
    """The cells of a run's genotype, with the strengths after the last epoch where known."""
    genotype = record.genotype
    if genotype is None:
        return []
    last = record.architecture[-1] if record.architecture else {}
    return at_one_scale(
        [
            (
                f"{cell_title(kind)} of {genotype.name}",
                render_cell(genotype, kind, "svg", strengths(genotype, kind, last)),
            )
            for kind in genotype.kinds
        ]
    )


def repeat_command(record: RunRecord) -> str:
    """The command that makes the same run again, into a new directory."""
    program = "python -m darts detect" if record.is_detector else "python evaluate.py"
    program = "python search.py" if record.is_search else program
    return command_from_config(program, record.files.path)


def _photographs(record: RunRecord) -> dict[str, Any] | None:
    """Detections on some images, if the run has drawn them."""
    try:
        picture = record.files.drawn_detections.read_bytes()
    except OSError:
        return None
    address = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    return {
        "heading": "Detections",
        "note": "Validation images after the last epoch: true boxes in white, detections in the "
        "colour of their class.",
        "pictures": [("Detections on validation images", address)],
    }


def _difference_table(labelled: Sequence[tuple[str, RunRecord]]) -> list[Sequence[str]]:
    """The settings that differ between the runs: one row per run, so that many runs fit."""
    tables = [dict(flat(record.config)) for _, record in labelled]
    keys = list(dict.fromkeys(key for table in tables for key in table))
    differing = [key for key in keys if len({table.get(key, "–") for table in tables}) > 1]
    if not differing:
        return []
    rows: list[Sequence[str]] = [("run", *differing)]
    for (name, _), table in zip(labelled, tables, strict=True):
        rows.append((name, *(table.get(key, "–") for key in differing)))
    return rows
