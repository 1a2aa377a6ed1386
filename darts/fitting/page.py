"""The report of a fit: the outcome first, then the field, the test, and how to repeat it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from darts.advising.looking import DataSummary
from darts.fitting.files import FitFiles
from darts.fitting.judged import FinalFigures
from darts.fitting.measuring import search_options
from darts.fitting.options import FitOptions
from darts.fitting.outcome import Outcome
from darts.fitting.recipe import fit_recipe
from darts.fitting.repeating import steps_of
from darts.report.curves import Curve, plot
from darts.report.formatting import Card, duration, flat, percent
from darts.report.frame import dress, inline_svg
from darts.report.record import read_run
from darts.report.render import render_page
from darts.report.style import CURVES, INK, MUTED, plain_text
from darts.report.tables import Row
from darts.run_files import RunFiles
from darts.settings.quantities import format_count, format_seconds
from darts.trials.background import machines_of

_MOST_CLASSES = 20
"""Classes of which the whole confusion matrix is shown."""


@dataclass(frozen=True)
class ConfusionField:
    """A field of the confusion matrix.

    Attributes:
        count: Number of images.
        strength: Share of the images of this class, for the colour.
        right: Whether it is on the diagonal.
    """

    count: int
    strength: float
    right: bool


def write_fit_report(
    outcome: Outcome, options: FitOptions, summary: DataSummary, files: FitFiles
) -> Path:
    """Write `report.html` of a finished fit."""
    confusion = outcome.test.confusion
    return render_page(
        __package__,
        "fit.html",
        files.report,
        {
            "title": f"Fit of {summary.dataset}",
            "headline": outcome.headline(),
            "sentences": outcome.sentences(),
            "cards": _cards(outcome),
            "notes": [
                *outcome.plan.limits,
                *(one for one in summary.sentences()[1:]),
                *(
                    f"{name} was not written: {one['error']}"
                    for name, one in outcome.exports.items()
                    if "error" in one
                ),
            ],
            "rows": _field_rows(outcome),
            "field_plot": _field_plot(outcome),
            "curves": _curves(files),
            "classes": summary.classes,
            "matrix": _matrix(confusion) if len(confusion) <= _MOST_CLASSES else [],
            "mistakes": _mistakes(outcome, summary),
            "recalls": _recalls(outcome, summary),
            "worst": outcome.test.worst,
            "exports": _exports(outcome),
            "data": summary.sentences(),
            "plan": outcome.plan.reasons,
            "steps": _steps(outcome, options, summary, files),
            "background": [("Configuration", flat(asdict(options))), machines_of(files.path)],
        },
    )


def _time(seconds: float) -> str:
    """
    >>> _time(0.0125)
    '12.5 ms'
    """
    return re.sub(r"(?<=\d)(?=[a-z])", " ", format_seconds(seconds))


def _cards(outcome: Outcome) -> list[Card]:
    winner, test = outcome.winner, outcome.test
    return [
        Card(f"Test {test.measure}", percent(test.accuracy), _bounds(test)),
        *(Card(name, value, "on the test images") for name, value in test.lines[1:]),
        Card("Winner", winner.name, winner.kind),
        Card(
            "Multiply-adds",
            format_count(winner.macs),
            f"ceiling {format_count(outcome.plan.ceiling)}",
        ),
        Card("Parameters", format_count(winner.params)),
        Card("Latency", _time(winner.latency), "one image on this machine"),
        Card("Time", duration(outcome.spent), f"of {duration(outcome.plan.budget)}"),
    ]


def _bounds(test: FinalFigures) -> str:
    if test.low is None or test.high is None:
        return f"{test.images:,} test images"
    return f"95 %: {test.low:.1f} to {test.high:.1f}"


def _field_rows(outcome: Outcome) -> list[Row]:
    """All networks, the winner first."""
    head = (
        *("", "network", "kind", "rung", "epochs", "trainings"),
        *(
            f"set-aside {outcome.test.measure}",
            "95 % interval",
            "multiply-adds",
            "parameters",
            "latency",
        ),
    )
    rows: list[Row] = [head]
    for place, one in enumerate(outcome.standings, 1):
        entrant, interval = outcome.entrant(one.name), outcome.interval(one)
        rows.append(
            (
                str(place),
                one.name,
                entrant.kind,
                str(one.rung),
                str(one.epochs),
                str(len(one.accuracies)),
                percent(one.mean) if one.accuracies else f"failed: {one.error}",
                "–" if interval is None else f"{interval.low:.1f} to {interval.high:.1f}",
                format_count(entrant.macs),
                format_count(entrant.params),
                _time(entrant.latency),
            )
        )
    return rows


def _field_plot(outcome: Outcome) -> Any:
    """A line for each network: its accuracy with the interval, later rungs in darker colours."""
    known = [one for one in outcome.standings if one.accuracies]
    last = max(one.rung for one in known)
    figure = Figure(figsize=(7.2, 0.9 + 0.27 * len(known)), layout="constrained")
    axes = figure.add_subplot()
    for place, one in enumerate(known):
        interval = outcome.interval(one)
        colour = CURVES[(last - one.rung) % len(CURVES)]
        if interval is not None:
            axes.plot([interval.low, interval.high], [place, place], color=colour, linewidth=1.6)
        axes.plot(one.accuracies, [place] * len(one.accuracies), "o", color=colour, markersize=3.5)
    axes.set_yticks(range(len(known)))
    labels = [plain_text(f"{one.name} (rung {one.rung})") for one in known]
    axes.set_yticklabels(labels, fontsize=8)
    axes.invert_yaxis()
    dress(axes)
    axes.tick_params(axis="y", colors=INK)
    axes.set_xlabel(f"{outcome.test.measure} on set-aside images, %", color=MUTED)
    return inline_svg(figure, "field")


def _curves(files: FitFiles) -> list[tuple[str, Any]]:
    """Loss and accuracy of the final training."""
    record = read_run(files.final)
    found = []
    for name, title in (
        ("train_loss", "Loss"),
        ("train_accuracy", "Accuracy (%)"),
        ("train_f1", "F1 (%)"),
    ):
        x, y = record.series(name)
        if not x:
            continue
        drawn = plot(
            [Curve(x, y, "training images", CURVES[0], marked=len(x) < 12)],
            x_label="epoch",
            y_label=title,
        )
        if drawn is not None:
            found.append((title, drawn))
    return found


def _matrix(confusion: tuple[tuple[int, ...], ...]) -> list[list[ConfusionField]]:
    return [
        [
            ConfusionField(count, count / max(1, sum(row)), truth == guess)
            for guess, count in enumerate(row)
        ]
        for truth, row in enumerate(confusion)
    ]


def _mistakes(outcome: Outcome, summary: DataSummary) -> list[Row]:
    """The most frequent confusions."""
    confusion = outcome.test.confusion
    found = sorted(
        (
            (-count, truth, guess)
            for truth, row in enumerate(confusion)
            for guess, count in enumerate(row)
            if truth != guess and count
        )
    )[:8]
    rows: list[Row] = [("class", "taken for", "images")]
    for count, truth, guess in found:
        size = sum(confusion[truth])
        rows.append((summary.classes[truth], summary.classes[guess], f"{-count} of {size}"))
    return rows if len(rows) > 1 else []


def _recalls(outcome: Outcome, summary: DataSummary) -> list[Row]:
    rows: list[Row] = [("class", "recognised", "test images", "training images")]
    sizes = outcome.test.counts
    for name, recall, tested, trained in zip(
        summary.classes, outcome.test.recalls, sizes, summary.train_counts, strict=True
    ):
        rows.append((name, percent(recall), str(tested), str(trained)))
    return rows


def _exports(outcome: Outcome) -> list[Row]:
    rows: list[Row] = [("file", "largest difference of logits", "largest logit", "run by")]
    for one in outcome.exports.values():
        if "error" not in one:
            difference, largest = f"{one['difference']:.2g}", f"{one['largest']:.3g}"
            rows.append((one["file"], difference, largest, one["checked_by"]))
    return rows


def _steps(
    outcome: Outcome, options: FitOptions, summary: DataSummary, files: FitFiles
) -> list[tuple[str, str]]:
    plan = outcome.plan
    recipe = fit_recipe(options, summary, plan.image_size, plan.batch_size)
    searches = []
    if plan.searches is not None:
        one = search_options(options, summary, plan.image_size, dict(plan.searches.settings))
        searches = [
            replace(one, seed=options.seed + number) for number in range(plan.searches.seeds)
        ]
    epochs = RunFiles(files.final).read_result()["epoch"]
    return steps_of(
        options,
        plan,
        recipe,
        searches,
        outcome.winner,
        outcome.standings[0].rung,
        epochs,
        files,
    )
