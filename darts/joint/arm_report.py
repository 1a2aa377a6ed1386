"""The report of a study of arms: JSON, one plot and one page."""

from __future__ import annotations

import json
from pathlib import Path

from matplotlib.figure import Figure

from darts.files import atomic_write
from darts.joint.arms import ArmStudy
from darts.report.frame import Plot, dress, write_plots
from darts.report.study_page import StudyPage
from darts.report.style import CURVES, MUTED, plain_text
from darts.run_files import RunFiles
from darts.runs.directory import finite
from darts.trials.background import machines_of


def write_arm_report(study: ArmStudy, title: str, command: str, directory: Path) -> Path:
    """Write `NAME.json`, the plot and `report.html` into a directory; return the page.

    Args:
        study: The study.
        title: Heading of the page.
        command: The command that repeats it; empty for a call from Python.
        directory: The directory.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with atomic_write(directory / f"{study.name}.json") as stream:
        json.dump(finite(study.as_dict()), stream, indent=2, allow_nan=False)
    note = "Small dots: single trainings; large dots and bars: means with Student's 95 % intervals."
    plots = write_plots([Plot(study.name, "Errors", note, plot_arms(study))], directory)
    page = StudyPage(
        name=title,
        sentence=study.sentence(),
        summary=f"{study.training} on {study.judged_on}.",
        tables=[
            ("Errors of all networks", study.rows()),
            ("Differences, paired by seed", study.difference_rows()),
        ],
        notes=study.notes,
        plots=plots,
        command=command,
        background=[machines_of(directory)],
    )
    return page.write(RunFiles(directory).report)


def plot_arms(study: ArmStudy) -> Figure:
    """The error of each network, one line for each recipe: seeds, mean and interval."""
    networks = list(dict.fromkeys(one.arm.network for one in study.arms))
    recipes = list(dict.fromkeys(one.arm.recipe for one in study.arms))
    colours = {name: CURVES[place % len(CURVES)] for place, name in enumerate(recipes)}
    labels = [(one.arm.network, one.arm.recipe) for one in study.arms]
    height = 1.1 + 0.34 * len(labels) + 0.12 * len(networks)
    figure = Figure(figsize=(6.4, height), layout="constrained")
    axes = figure.add_subplot()
    places = [number + 0.35 * networks.index(name) for number, (name, _) in enumerate(labels)]
    for place, one in zip(places, study.arms, strict=True):
        colour, found = colours[one.arm.recipe], one.estimate
        if found is None:
            continue
        values = list(one.errors.values())
        axes.plot(values, [place] * len(values), ".", color=colour, alpha=0.55, markersize=5)
        if found.interval is not None:
            ends = [max(found.interval.low, 0.0), min(found.interval.high, 100.0)]
            axes.plot(ends, [place] * 2, color=colour, linewidth=1.4)
        axes.plot([found.mean], [place], "o", color=colour, markersize=7)
    dress(axes)
    single = len(networks) == 1
    names = [recipe if single else f"{network}, {recipe}" for network, recipe in labels]
    axes.set_yticks(places, [plain_text(name) for name in names])
    axes.invert_yaxis()
    axes.set_xlabel(f"error on {study.judged_on} (%)", color=MUTED)
    return figure
