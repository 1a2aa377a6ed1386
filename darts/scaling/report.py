"""The page of a scaling study or of a grid search, from the files that the command writes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from darts.files import atomic_write
from darts.report.formatting import flat, percent
from darts.report.frame import write_figure
from darts.report.render import render_page
from darts.report.tables import Row
from darts.run_files import RunFiles
from darts.scaling.plots import plot_grid, plot_strategies
from darts.scaling.study import COMPOUND
from darts.trials.background import machines_of
from darts.trials.schema import TRIALS_FILE
from darts.trials.store import TrialStore

DESCRIPTION = "scaling.yaml"
"""File that says what was scaled, and by which command."""

STUDY, GRID = "study.json", "grid.json"
_BASE = "base"


@dataclass(frozen=True, kw_only=True)
class ScalingDescription:
    """What a directory of trained scaled models is.

    Attributes:
        title: The model, the data and the epochs.
        command: The command that made it.
    """

    title: str
    command: str

    def write(self, directory: Path) -> None:
        """Write it into a directory."""
        with atomic_write(directory / DESCRIPTION) as stream:
            yaml.safe_dump(asdict(self), stream, sort_keys=False)

    @classmethod
    def read(cls, directory: Path) -> ScalingDescription:
        """Read it; a directory of an earlier version has none."""
        file = directory / DESCRIPTION
        if not file.is_file():
            return cls(title=directory.resolve().name, command="")
        return cls(**yaml.safe_load(file.read_text(encoding="utf-8")))


def is_scaling(directory: Path) -> bool:
    """Whether a directory holds a finished study or grid search of scaled models."""
    return any((directory / name).is_file() for name in (STUDY, GRID))


def write_scaling_report(directory: Path) -> Path:
    """Write `report.html` and the plot from the results in a directory; return the page's path."""
    described = ScalingDescription.read(directory)
    study = directory / STUDY
    if study.is_file():
        rows = json.loads(study.read_text(encoding="utf-8"))
        content = _study(described.title, rows, directory)
    else:
        verdict = json.loads((directory / GRID).read_text(encoding="utf-8"))
        content = _grid(described.title, verdict, directory)
    recipe, failed = _stored(directory)
    return render_page(
        __package__,
        "scaling.html",
        RunFiles(directory).report,
        {
            "name": directory.resolve().name,
            "commands": [("", described.command)] if described.command else [],
            "notes": failed,
            "background": [("Recipe of the trainings", flat(recipe)), machines_of(directory)],
            **content,
        },
    )


def _study(title: str, rows: Sequence[Mapping[str, Any]], directory: Path) -> dict[str, Any]:
    known = [one for one in rows if one["accuracy"] is not None]
    curves = {
        strategy: [one for one in known if one["strategy"] == strategy]
        for strategy in dict.fromkeys(one["strategy"] for one in rows)
    }
    head: Row = ("strategy", "budget", "depth", "channels", "pixels", "parameters",
                 "multiply-adds", "off budget", "accuracy (%)", "deviation", "trainings",
                 "compound is better by")  # fmt: skip
    return {
        "headline": study_headline(rows),
        "summary": f"Scaling strategies at equal multiply-adds · {title}",
        "plot_title": "Accuracy over multiply-adds",
        "plot_note": "One line per strategy; bars are standard deviations over trainings. Compare "
        "strategies at the same multiply-adds.",
        "plot": write_figure(plot_strategies(title, curves), directory / "study"),
        "table_title": "All networks",
        "table_note": "Test images, last epoch. Depth is the number of cells or blocks; off budget "
        "is how far rounding misses the multiply-adds that were asked for.",
        "rows": [head, *map(_study_row, rows)],
        "best": None,
    }


def _study_row(one: Mapping[str, Any]) -> Row:
    advantage, error = one.get("advantage"), one.get("error")
    better = "" if advantage is None else f"{advantage:+.2f}"
    return (
        *(str(one[name]) for name in ("strategy", "name", "depth", "channels", "resolution")),
        f"{one['params']:,}",
        f"{one['macs']:,}",
        f"{100 * one['off']:+.1f} %" if "off" in one else "",
        *_accuracy(one),
        str(one["seeds"]),
        better if error is None else f"{better} ± {error:.2f}",
    )


def study_headline(rows: Sequence[Mapping[str, Any]]) -> str:
    """Which strategy is the best at how many budgets, and whether that is more than noise.

    >>> row = {"name": "20M", "accuracy": 90.0, "seeds": 1}
    >>> study_headline([{**row, "strategy": "compound"}, {**row, "strategy": "width"}])
    'Two strategies are equal at 20M. With one training of each network the noise is not known.'
    """
    budgets = list(dict.fromkeys(one["name"] for one in rows if one["name"] != _BASE))
    wins: list[str] = []
    for budget in budgets:
        known = [one for one in rows if one["name"] == budget and one["accuracy"] is not None]
        if not known:
            continue
        most = max(one["accuracy"] for one in known)
        best = [one["strategy"] for one in known if one["accuracy"] == most]
        names = f"{best[0]} is the best" if len(best) == 1 else f"{_count(len(best))} are equal"
        wins.append(f"{names} at {budget}")
    if not wins:
        return "No training has ended well."
    sentence = "; ".join(wins)
    return f"{sentence[0].upper()}{sentence[1:]}. {_doubt(rows)}"


def _doubt(rows: Sequence[Mapping[str, Any]]) -> str:
    """Whether compound scaling differs from the others by more than two standard errors."""
    rivals = [one for one in rows if one.get("advantage") is not None]
    if not any(one["strategy"] == COMPOUND for one in rows) or not rivals:
        if all(one["seeds"] < 2 for one in rows):
            return "With one training of each network the noise is not known."
        return "Bars of the plot show the noise between trainings."
    if any(one.get("error") is None for one in rivals):
        return "With one training of each network the noise is not known."
    clear = [one for one in rivals if abs(one["advantage"]) > 2 * one["error"]]
    of = f"{len(clear)} of {len(rivals)} differences from compound scaling"
    return f"{of} exceed two standard errors."


def _count(number: int) -> str:
    words = {2: "two", 3: "three", 4: "four"}
    return f"{words.get(number, str(number))} strategies"


def _grid(title: str, verdict: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    rows = verdict["rows"]
    head: Row = ("alpha, beta, gamma", "depth", "width", "pixels", "multiply-adds",
                 "accuracy (%)", "deviation", "trainings")  # fmt: skip
    return {
        "headline": grid_headline(verdict),
        "summary": f"Grid search of alpha, beta and gamma · {title}",
        "plot_title": "Accuracy of each network",
        "plot_note": "Best on the left; bars are standard deviations over trainings.",
        "plot": write_figure(plot_grid(title, rows), directory / "grid"),
        "table_title": "All networks",
        "table_note": "Held-out training images, last epoch. Points of the grid that round to the "
        "same network share a row.",
        "rows": [
            head,
            *(
                (
                    "; ".join(_triple(each) for each in one["coefficients"]),
                    str(one["depth"]),
                    f"{one['width']:.3f}",
                    str(one["resolution"]),
                    f"{one['macs']:,}",
                    *_accuracy(one),
                    str(one["seeds"]),
                )
                for one in rows
            ),
        ],
        "best": 0,
    }


def grid_headline(verdict: Mapping[str, Any]) -> str:
    """The best coefficients, and how many networks are as good within the noise."""
    rows = verdict["rows"]
    best = rows[0]
    start = (
        f"alpha, beta, gamma = {_triple(best['coefficients'][0])} are the best of {len(rows)} "
        f"network{'s' * (len(rows) != 1)}: {percent(best['accuracy'])} on held-out images."
    )
    if verdict["error"] is None:
        return f"{start} With one training of each the noise is not known."
    equals = verdict["equals"]
    if equals == 1:
        return f"{start} It is ahead by more than two standard errors."
    return f"{start} {equals} networks, this one included, are within two standard errors of it."


def _triple(coefficients: Sequence[float]) -> str:
    return ", ".join(f"{one:g}" for one in coefficients)


def _accuracy(one: Mapping[str, Any]) -> tuple[str, str]:
    if one["accuracy"] is None:
        return "–", ""
    deviation = one["deviation"]
    return f"{one['accuracy']:.2f}", "" if deviation is None else f"{deviation:.2f}"


def _stored(directory: Path) -> tuple[Mapping[str, Any], list[str]]:
    """The recipe of the trainings, and a sentence for each that failed."""
    file = directory / TRIALS_FILE
    if not file.is_file():
        return {}, []
    with TrialStore(file, read_only=True) as store:
        failed = [
            f"{row.key} failed: {row.error.strip().splitlines()[-1]}"
            for row in store.rows()
            if row.error
        ]
        return store.configuration.get("recipe", {}), failed
