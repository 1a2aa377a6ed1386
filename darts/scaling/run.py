"""Carry out a study or a grid search of scaled models, and write JSON, plot and page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from darts.data.sources import open_dataset
from darts.errors import UserError
from darts.files import atomic_write
from darts.models.registry import find_model
from darts.models.stems import choose_stem
from darts.scaling.bases import Base, create_base
from darts.scaling.coefficients import Coefficients
from darts.scaling.fit import Fit
from darts.scaling.grid import Verdict, judge, plan_grid, triples
from darts.scaling.options import ScalingOptions
from darts.scaling.report import GRID, STUDY, ScalingDescription, write_scaling_report
from darts.scaling.study import plan_study, tabulate
from darts.scaling.training import Measured, rung_key, train_rungs
from darts.training.options import training_of
from darts.trials.executors import trial_resources
from darts.trials.schema import TRIALS_FILE
from darts.trials.store import TrialStore
from genotypes import Genotype


@dataclass(frozen=True, kw_only=True)
class StrategyStudy:
    """What a comparison of scaling strategies asks.

    Attributes:
        budgets: Multiply-adds of the scaled networks.
        strategies: compound, width, depth or resolution.
        compound: Coefficients of compound scaling.
        tolerance: Largest deviation from a budget, as a share of it.
    """

    budgets: Sequence[float]
    strategies: Sequence[str] = ("compound", "width", "depth", "resolution")
    compound: Coefficients = field(default_factory=Coefficients)
    tolerance: float = 0.02


@dataclass(frozen=True, kw_only=True)
class FinishedStudy:
    """A comparison of strategies.

    Attributes:
        rows: A row for each strategy and budget; see `darts.scaling.study.tabulate`.
        failures: What failed, a line each.
        page: The page; None for a plan.
    """

    rows: list[dict[str, Any]]
    failures: tuple[str, ...] = ()
    page: Path | None = None


@dataclass(frozen=True, kw_only=True)
class FinishedGrid:
    """A grid search.

    Attributes:
        verdict: The networks, best first, and how certain their order is.
        failures: What failed, a line each.
        page: The page.
    """

    verdict: Verdict
    failures: tuple[str, ...]
    page: Path


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where results go, and how many trainings each network gets.

    Attributes:
        output: Directory of the results.
        seeds: Number of trainings of each network.
        command: The command, for the page; empty for a call from Python.
    """

    output: Path
    seeds: int = 1
    command: str = ""

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise UserError(f"--seeds {self.seeds}: must be at least 1.")


def run_study(
    options: ScalingOptions, study: StrategyStudy, place: Place, *, plan_only: bool = False
) -> FinishedStudy:
    """Train each strategy at each budget, unless only the plan is wanted.

    Raises:
        UserError: An option or the data is wrong, or a budget is infeasible.
        TrialsInterrupted: SIGINT or SIGTERM came; the same call continues.
    """
    planned = plan_study(
        _base_of(options), study.strategies, study.budgets, study.compound, study.tolerance
    )
    if plan_only:
        nothing = Measured(accuracies=())
        rows = tabulate(planned, {rung_key(each.rung): nothing for each in planned.values()})
        return FinishedStudy(rows=rows)
    measured, failures = _train(options, list(planned.values()), place, "study")
    rows = tabulate(planned, measured)
    return FinishedStudy(rows=rows, failures=failures, page=_write(STUDY, rows, options, place))


def run_grid(
    options: ScalingOptions, place: Place, *, step: float = 0.1, tolerance: float = 0.1
) -> FinishedGrid:
    """Train the networks of the grid and order them.

    Raises:
        UserError: An option or the data is wrong, or the grid is empty or far too large.
        TrialsInterrupted: SIGINT or SIGTERM came; the same call continues.
    """
    if not options.hold_out:
        raise UserError(
            "--hold-out 0: the test set must not choose the coefficients. Leave the option out, or "
            "give 2 or more."
        )
    base = _base_of(options)
    candidates = triples(step, tolerance)
    fits = plan_grid(base, candidates)
    measured, failures = _train(options, fits, place, "grid")
    verdict = judge(candidates, fits, measured)
    page = _write(GRID, verdict.as_dict(), options, place)
    return FinishedGrid(verdict=verdict, failures=failures, page=page)


def _base_of(options: ScalingOptions) -> Base:
    """The unscaled network; opens the data, so that wrong data show before any training."""
    model = find_model(_name_of(options))
    cells = isinstance(model, Genotype)
    dataset = open_dataset(options, options.seed)
    return create_base(
        model,
        stem=choose_stem(options.stem, dataset.image_size),
        channels=options.channels if cells else None,
        layers=options.layers if cells else None,
        resolution=dataset.image_size,
        num_classes=dataset.num_classes,
    )


def _name_of(options: ScalingOptions) -> str:
    name = options.genotype or options.model
    if name is None:
        raise UserError("Name the network to scale: a genotype or a model.")
    return name


def _train(
    options: ScalingOptions, fits: Sequence[Fit], place: Place, title: str
) -> tuple[dict[str, Measured], tuple[str, ...]]:
    device, resources = trial_resources(options, options.device)
    with TrialStore(place.output / TRIALS_FILE) as store:
        if options.retry_failed:
            store.retry_failed()
        measured = train_rungs(
            store,
            [found.rung for found in fits],
            training_of(options, device=device),
            [options.seed + number for number in range(place.seeds)],
            title=title,
            executor=options.executor,
            resources=resources,
        )
        failures = tuple(
            f"{trial.key}: {trial.error.splitlines()[-1]}"
            for trial in store.rows()
            if trial.error is not None
        )
    return measured, failures


def _write(name: str, values: Any, options: ScalingOptions, place: Place) -> Path:
    with atomic_write(place.output / name) as stream:
        json.dump(values, stream, indent=1)
    ScalingDescription(title=_title(options), command=place.command).write(place.output)
    return write_scaling_report(place.output)


def _title(options: ScalingOptions) -> str:
    data = Path(str(options.dataset).split(":")[-1]).name
    epochs = f"{options.epochs} epoch{'s' if options.epochs > 1 else ''}"
    return f"{Path(_name_of(options)).stem} on {data}, {epochs}"
