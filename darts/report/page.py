"""Reports of runs: single HTML files that need no other file and no network."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from darts.errors import UserError
from darts.report import curves
from darts.report.curves import Curve
from darts.report.diagnosis import diagnostic_plots, warnings
from darts.report.draw import render_cell
from darts.report.formatting import cards, class_tables, comparable_cards, flat, summary
from darts.report.frame import inline_svg
from darts.report.fronts import COST_LABELS, FrontPoint, plot_fronts
from darts.report.record import RunRecord, read_run, strengths
from darts.report.render import render_page
from darts.report.style import CURVES, cell_title
from genotypes.search_space import DARTS


def write_report(run_directory: Path | str) -> Path:
    """Write `report.html` into a run directory, from the files that the run has written so far.

    Raises:
        UserError: There is no run in `run_directory`.
    """
    record = read_run(run_directory)
    context = {
        "record": record,
        "summary": summary(record),
        "cards": cards(record),
        "warnings": warnings(record),
        "classes": class_tables(record),
        "plots": list(training_plots([record])),
        "diagnostics": list(diagnostic_plots(record)),
        "architecture": list(_architecture_plots(record)),
        "cells": _last_cells(record),
        **_film(record),
        "config": flat(record.config),
        "environment": flat(record.environment),
    }
    return render_page(__package__, "report.html", record.files.report, context)


def write_comparison(run_directories: Sequence[Path | str], path: Path | str) -> Path:
    """Write a page that compares runs: a table, overlaid curves, and the settings that differ.

    Raises:
        UserError: No directories are given, or one of them holds no run.
    """
    if not run_directories:
        raise UserError("A comparison needs run directories: give at least one.")
    records = [read_run(directory) for directory in run_directories]
    figures = [{card.label: card.value for card in comparable_cards(one)} for one in records]
    labelled = _labelled(records)
    context = {
        "runs": list(zip(labelled, figures, strict=True)),
        "labels": list(dict.fromkeys(label for known in figures for label in known)),
        "front": _front(labelled),
        "plots": list(training_plots(records)),
        "differences": _differences(records),
    }
    return render_page(__package__, "comparison.html", Path(path), context)


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
    """Each run with the name of its directory, or its path if names are not unique."""
    names = [record.name for record in records]
    unique = len(set(names)) == len(names)
    return [(record.name if unique else str(record.files.path), record) for record in records]


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
    """The main curve of each run: on test images, else architecture images, else training."""
    for index, (label, record) in enumerate(_labelled(records)):
        known = (
            (f"{label} ({part})", points)
            for part in ("test", "validation", "train")
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


def _last_cells(record: RunRecord) -> list[tuple[str, str]]:
    genotype = record.genotype
    if genotype is None:
        return []
    last = record.architecture[-1] if record.architecture else {}
    return [
        (
            cell_title(kind),
            _data_uri(render_cell(genotype, kind, "svg", strengths(genotype, kind, last))),
        )
        for kind in genotype.kinds
    ]


def _film(record: RunRecord) -> dict[str, Any]:
    """Each epoch's cells as indices into a list of pictures, and the epochs that changed them."""
    pictures: list[str] = []
    known: dict[Any, int] = {}
    frames: list[dict[str, int]] = []
    changes: list[int] = []
    for epoch, genotype in record.genotypes.items():
        frame: dict[str, int] = {"epoch": epoch}
        for kind in genotype.kinds:
            key = (kind, genotype.cell(kind))
            if key not in known:
                known[key] = len(pictures)
                kept = record.files.epoch_cell(epoch, kind)
                svg = kept.read_bytes() if kept.is_file() else render_cell(genotype, kind)
                pictures.append(_data_uri(svg))
            frame[kind] = known[key]
        if frames and any(frames[-1][kind] != frame[kind] for kind in genotype.kinds):
            changes.append(epoch)
        frames.append(frame)
    return {"frames": frames, "pictures": pictures, "changes": changes}


def _data_uri(svg: bytes) -> str:
    # As an image, not as markup: no script in it can run, and identifiers cannot collide.
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


def _differences(records: Sequence[RunRecord]) -> list[tuple[str, list[str]]]:
    """Settings that differ between the runs, with the value of each run."""
    tables = [dict(flat(record.config)) for record in records]
    keys = list(dict.fromkeys(key for table in tables for key in table))
    rows = [(key, [table.get(key, "–") for table in tables]) for key in keys]
    return [(key, values) for key, values in rows if len(set(values)) > 1]
