"""Do short trainings rank networks as long ones do?

Within one training: the rank correlation of the errors after each epoch with those of the last
epoch. Between trainings: of the final errors of the same networks under another schedule, which is
the fair question, because an epoch within a long schedule has a high learning rate.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from darts.design_space.stored_population import open_population
from darts.errors import UserError
from darts.files import atomic_write
from darts.report.frame import Plot, dress, write_plots
from darts.report.study_page import StudyPage
from darts.report.style import CURVES, INK, plain_text
from darts.report.tables import Row
from darts.run_files import RunFiles
from darts.statistics.interval import Interval
from darts.statistics.ranks import RankCorrelation, correlate_ranks

_FEWEST = 3
_GOOD = 0.9
_PLOT = "ranks"


@dataclass(frozen=True, kw_only=True)
class RankedPopulation:
    """A population with the errors of all epochs.

    Attributes:
        name: Name of its directory.
        errors: Test errors (%) of each network by its key, one per tested epoch.
        epochs: The tested epochs, counted from 1, the same for all.
        seconds: Mean time of a training.
    """

    name: str
    errors: Mapping[str, tuple[float, ...]]
    epochs: tuple[int, ...]
    seconds: float

    @property
    def final(self) -> dict[str, float]:
        """The error after the last epoch by key."""
        return {key: values[-1] for key, values in self.errors.items()}


@dataclass(frozen=True, kw_only=True)
class ScheduleStudy:
    """How far epochs and schedules agree on the order of networks.

    Attributes:
        name: The judged population; its last epoch is the truth.
        networks: Number of its networks.
        by_epoch: Correlation of each tested epoch with the last one, by epoch.
        others: For each other population its name, epochs and correlation with the truth.
    """

    name: str
    networks: int
    by_epoch: Mapping[int, RankCorrelation]
    others: Sequence[tuple[str, int, RankCorrelation]]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name,
            "networks": self.networks,
            "by_epoch": [{"epoch": epoch, **_plain(one)} for epoch, one in self.by_epoch.items()],
            "others": [
                {"name": name, "epochs": epochs, **_plain(one)} for name, epochs, one in self.others
            ],
        }

    def rows(self) -> list[Row]:
        """A row for each epoch and each other schedule; the first row is the head."""
        last = max(self.by_epoch)
        rows: list[Row] = [("errors of", "Spearman", "Kendall", "n")]
        for epoch, one in self.by_epoch.items():
            if epoch != last:
                rows.append((f"epoch {epoch} of {last}", *_cells(one)))
        for name, epochs, one in self.others:
            rows.append((f"{name} ({epochs} epochs, own schedule)", *_cells(one)))
        return rows

    def sentence(self) -> str:
        """From which epoch on the networks are ranked well."""
        last = max(self.by_epoch)
        good = [
            epoch
            for epoch, one in self.by_epoch.items()
            if epoch < last and one.spearman is not None and one.spearman.middle >= _GOOD
        ]
        which = f"Epoch {min(good)} of {last} is the first" if good else "No epoch before the last"
        return (
            f"{which} whose errors have a rank correlation of {_GOOD} or more with those of the "
            f"last ({self.networks} networks)."
        )


def ranked_population(directory: Path | str) -> RankedPopulation:
    """Read the errors of all epochs of a population's finished networks.

    Raises:
        UserError: There is no population, or fewer than three of its networks are trained.
    """
    with open_population(directory) as store:
        trials = [trial for trial in store.rows() if trial.result is not None]
    if len(trials) < _FEWEST:
        raise UserError(
            f"{directory}: {len(trials)} networks are trained; a rank correlation needs "
            f"{_FEWEST} or more."
        )
    errors, epochs = {}, []
    for trial in trials:
        lines = [line for line in trial.curve if line.get("test_accuracy") is not None]
        errors[trial.key] = tuple(100 - line["test_accuracy"] for line in lines)
        epochs.append(tuple(line["epoch"] + 1 for line in lines))
    if not epochs[0] or len(set(epochs)) > 1:
        raise UserError(f"{directory}: the networks were not tested after the same epochs.")
    seconds = float(np.mean([trial.seconds or 0.0 for trial in trials]))
    return RankedPopulation(
        name=Path(directory).resolve().name, errors=errors, epochs=epochs[0], seconds=seconds
    )


def study_schedules(
    judged: RankedPopulation, others: Sequence[RankedPopulation] = (), seed: int = 0
) -> ScheduleStudy:
    """Correlate every epoch, and the final errors of other populations, with the last epoch.

    Args:
        judged: The population whose last epoch is the truth.
        others: Populations with the same networks, by their keys.
        seed: Seed of the bootstrap.

    Raises:
        UserError: Another population shares fewer than three networks.
    """
    generator = np.random.default_rng(seed)
    final = list(judged.final.values())
    by_epoch = {
        epoch: correlate_ranks([one[place] for one in judged.errors.values()], final, generator)
        for place, epoch in enumerate(judged.epochs)
    }
    found = []
    for other in others:
        keys = [key for key in judged.errors if key in other.errors]
        if len(keys) < _FEWEST:
            raise UserError(
                f"{other.name} and {judged.name} share {len(keys)} networks; populations of one "
                "space, budget and --seed share theirs."
            )
        one = correlate_ranks(
            [other.final[key] for key in keys], [judged.final[key] for key in keys], generator
        )
        found.append((other.name, other.epochs[-1], one))
    return ScheduleStudy(
        name=judged.name, networks=len(final), by_epoch=by_epoch, others=tuple(found)
    )


def write_schedules(study: ScheduleStudy, directory: Path, command: str = "") -> Path:
    """Write `ranks.json`, the plot and `report.html`; return the page.

    Args:
        study: The study.
        directory: The directory.
        command: The command that repeats it, for the page.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with atomic_write(directory / f"{_PLOT}.json") as stream:
        json.dump(study.as_dict(), stream, indent=2)
    note = "Bands and bars: 95 % bootstrap intervals over networks."
    page = StudyPage(
        name=f"Do short trainings rank {study.name} as its own ones do?",
        sentence=study.sentence(),
        summary="Errors are those of the populations; nothing is trained.",
        tables=[("Rank correlation with the last epoch, 95 % intervals", study.rows())],
        plots=write_plots([Plot(_PLOT, "By epoch", note, plot_schedules(study))], directory),
        command=command,
    )
    return page.write(RunFiles(directory).report)


def plot_schedules(study: ScheduleStudy) -> Figure:
    """Plot Spearman's correlation with the last epoch against the epoch, with 95 % bands."""
    figure = Figure(figsize=(6.2, 3.6 + 0.22 * (1 + len(study.others))), layout="constrained")
    axes = figure.add_subplot()
    known = [(e, one.spearman) for e, one in study.by_epoch.items() if one.spearman is not None]
    x = [epoch for epoch, _ in known]
    axes.fill_between(
        x,
        [one.low for _, one in known],
        [one.high for _, one in known],
        color=CURVES[0],
        alpha=0.15,
        linewidth=0,
    )
    label = f"{plain_text(study.name)}, by epoch (n = {study.networks})"
    axes.plot(x, [one.middle for _, one in known], color=CURVES[0], linewidth=2, label=label)
    for number, (name, epochs, one) in enumerate(study.others, 1):
        if one.spearman is not None:
            middle = one.spearman.middle
            axes.errorbar(
                [epochs],
                [middle],
                yerr=[[middle - one.spearman.low], [one.spearman.high - middle]],
                color=CURVES[number % len(CURVES)],
                marker="s",
                capsize=3,
                label=f"{plain_text(name)}, own schedule",
            )
    dress(axes)
    axes.set(xlabel="epochs", ylabel="rank correlation with the last epoch")
    figure.legend(loc="outside lower left", frameon=False, labelcolor=INK, fontsize=9)
    return figure


def _plain(one: RankCorrelation) -> dict[str, Any]:
    return {
        "n": one.n,
        "spearman": None if one.spearman is None else one.spearman.as_dict(),
        "kendall": None if one.kendall is None else one.kendall.as_dict(),
    }


def _cells(one: RankCorrelation) -> tuple[str, str, str]:
    return (_cell(one.spearman), _cell(one.kendall), str(one.n))


def _cell(one: Interval | None) -> str:
    return "–" if one is None else f"{one.middle:.3f} [{one.low:.3f}, {one.high:.3f}]"
