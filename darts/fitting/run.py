"""Carry out a fit: each step writes its result, and is read instead of repeated by a later call."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import yaml

from darts.advising.looking import DataSummary, look
from darts.errors import UserError
from darts.files import atomic_write, locked, read_yaml_file
from darts.fitting.decisions import Decisions
from darts.fitting.exports import export_final
from darts.fitting.field import (
    Ceilings,
    Entrant,
    Latency,
    latency_here,
    make_field,
    read_field,
)
from darts.fitting.files import FitFiles, kept, read_values, write_values
from darts.fitting.final import EPOCHS, TimeLeft, train_final
from darts.fitting.halving import FieldTraining, Race, Standing
from darts.fitting.judged import FinalFigures, judge_final
from darts.fitting.measuring import measure_machine, search_options
from darts.fitting.options import FitOptions
from darts.fitting.outcome import Outcome
from darts.fitting.plan import Machine, Plan
from darts.fitting.plan_words import plan_text
from darts.fitting.planning import make_plan
from darts.fitting.recipe import data_options, fit_recipe, for_epochs
from darts.fitting.spending import Spending
from darts.fitting.trained import trained_entrant
from darts.models.image_spec import ImageSpec
from darts.models.registry import model_from_description, save_model
from darts.run_files import RunFiles
from darts.runs.interrupt import Interrupted
from darts.searching.trial import place_of_trials, search_trial, settings_of_trial
from darts.system.load import busy_delay
from darts.training.options import TrainingOptions
from darts.trials.attempt import ReportEpoch
from darts.trials.executors import TrialsInterrupted, run_trials
from darts.trials.schema import TRIALS_FILE
from darts.trials.store import TrialStore
from genotypes import Genotype, load_genotype, save_genotype

# Of the final training: most epochs, and the share of the time left that is planned for.
_MOST_EPOCHS, _MARGIN = 300, 0.97


@dataclass(frozen=True, kw_only=True)
class Instruments:
    """What a fit measures with; tests replace it.

    Attributes:
        clock: Returns seconds.
        measure: Measures the machine.
        latency: Measures networks; None: on the device of the fit.
        export: Exports the final network.
        delay: Says how busy the machine is; see `darts.system.load.busy_delay`.
        begun: When this process began, by the clock; None: now.
    """

    clock: Callable[[], float] = time.monotonic
    measure: Callable[[FitOptions, DataSummary], Machine] = measure_machine
    latency: Latency | None = None
    export: Callable[[FitFiles], dict[str, Any]] = export_final
    delay: Callable[[], float] = busy_delay
    begun: float | None = None


class FitInterrupted(Interrupted):
    """SIGINT or SIGTERM came; the same command continues."""

    def __init__(self, directory: str) -> None:
        Exception.__init__(
            self,
            f"Interrupted; what is finished is kept in {directory}. The same command continues.",
        )
        self.run_dir = directory


def plan_only(options: FitOptions, instruments: Instruments | None = None) -> tuple[Plan, str]:
    """The plan of a fit, and its text; nothing is written.

    Raises:
        UserError: The data cannot judge networks, or the budget is too small.
    """
    tools = instruments or Instruments()
    begun = tools.clock() if tools.begun is None else tools.begun
    summary = look(data_options(options))
    machine = tools.measure(options, summary)
    plan = make_plan(options, summary, machine, tools.clock() - begun, len(options.pretrained))
    return plan, plan_text(plan, summary)


def carry_out(options: FitOptions, instruments: Instruments | None = None) -> Outcome:
    """Carry out a fit, or continue the one in its directory.

    Raises:
        UserError: An option or the data are wrong, or the budget is too small.
        FitInterrupted: SIGINT or SIGTERM came; the same call continues.
    """
    tools = instruments or Instruments()
    files = FitFiles(options.directory)
    summary = _looked_at(options, files)
    _check_directory(options, files)
    message = f"Another process is working on {files.path}. Wait for it, or give another --out."
    with locked(files.path / ".lock", message):
        if files.outcome.is_file():
            return _Fit(options, files, summary, tools, None).finished()
        try:
            with Spending(files.spent, options.budget, tools.clock, tools.begun) as spending:
                return _Fit(options, files, summary, tools, spending).run()
        except (TrialsInterrupted, Interrupted, KeyboardInterrupt):
            raise FitInterrupted(str(files.path)) from None
        except UserError:
            if not files.plan.is_file():
                _remove_refused(files)
            raise


def _looked_at(options: FitOptions, files: FitFiles) -> DataSummary:
    """The summary of the data, before anything is written."""
    if files.data.is_file():
        return DataSummary.from_dict(read_values(files.data))
    return look(data_options(options))


def _check_directory(options: FitOptions, files: FitFiles) -> None:
    """Begin a directory, or check that it has a fit with the same options."""
    if files.asked.is_file():
        try:
            saved = read_yaml_file(files.asked)
        except ValueError as error:
            raise UserError(f"{files.asked} cannot be read: {error}") from None
        options.check_same(saved if isinstance(saved, Mapping) else {})
        return
    if files.path.is_dir() and any(one.name != ".lock" for one in files.path.iterdir()):
        raise UserError(f"{files.path} holds something else; give another directory by --out.")
    try:
        with atomic_write(files.asked) as stream:
            yaml.safe_dump(options.asked, stream, sort_keys=False, allow_unicode=True)
    except OSError as error:
        raise UserError(f"{files.path} cannot be created: {error.strerror}.") from None


def _remove_refused(files: FitFiles) -> None:
    """Remove what was written for a fit that was refused before it had a plan."""
    for file in (files.asked, files.data, files.machine, files.spent, files.path / ".lock"):
        file.unlink(missing_ok=True)
    with suppress(OSError):
        files.path.rmdir()


@dataclass(frozen=True)
class FitTrial:
    """A trial function for searches and short trainings; the settings say which one it is.

    Attributes:
        folder: The directory of the fit.
        place: Where searches run.
        training: Runs the trials that have a `model`.
    """

    folder: str
    place: Mapping[str, Any]
    training: FieldTraining

    def __call__(self, settings: dict[str, Any], report: ReportEpoch) -> Mapping[str, Any]:
        """Search, or train."""
        if "model" in settings:
            return self.training(settings, report)
        return search_trial(self.folder, self.place, settings, report)


@dataclass(frozen=True)
class _Fit:
    """The steps of one fit."""

    options: FitOptions
    files: FitFiles
    summary: DataSummary
    tools: Instruments
    spending: Spending | None

    def run(self) -> Outcome:
        spending = self.spending
        assert spending is not None
        if not self.files.data.is_file():
            write_values(self.files.data, self.summary.as_dict())
        plan = self._plan(spending)
        recipe = fit_recipe(self.options, self.summary, plan.image_size, plan.batch_size)
        decisions = Decisions(self.files.decisions)
        with TrialStore(self.files.path / TRIALS_FILE) as store:
            cells = self._search(plan, recipe, store, spending)
            field = self._field(plan, recipe, cells)
            race = Race(
                store=store,
                decisions=decisions,
                run=lambda title: self._run(store, plan, recipe, title, "error"),
                left=lambda: spending.left,
                kept_back=plan.reserve + 0.5 * plan.final_seconds,
                seed=self.options.seed,
                rungs=len(plan.rungs),
            )
            standings = race.standings(field, plan.rungs)
        winner = next(one for one in field if one.name == standings[0].name)
        self._say(f"the winner is {winner.name} ({winner.kind}); now its final training")
        self._train(plan, recipe, decisions, winner, standings[0], spending)
        kept(self.files.test, lambda: judge_final(recipe, self.files.final).as_dict())
        self._say("exporting")
        kept(self.files.exports, lambda: self.tools.export(self.files))
        outcome = self._outcome(plan, field, standings, spending.seconds)
        self._finish(outcome)
        return outcome

    def finished(self) -> Outcome:
        """The outcome of a fit that has ended, from its files."""
        plan = Plan.from_dict(read_values(self.files.plan))
        field = read_field(read_values(self.files.field))
        known = read_values(self.files.outcome)
        names = ("name", "rung", "epochs", "accuracies", "epoch_seconds", "error")
        standings = [
            Standing(**{**{n: one[n] for n in names}, "accuracies": tuple(one["accuracies"])})
            for one in known["field"]
        ]
        return self._outcome(plan, field, standings, known["seconds"])

    def _plan(self, spending: Spending) -> Plan:
        machine = Machine.from_dict(
            kept(
                self.files.machine, lambda: self.tools.measure(self.options, self.summary).as_dict()
            )
        )
        number = len(self.options.pretrained)

        def made() -> dict[str, Any]:
            spent = spending.seconds
            return make_plan(self.options, self.summary, machine, spent, number).as_dict()

        plan = Plan.from_dict(kept(self.files.plan, made))
        text = plan_text(plan, self.summary)
        if not self.files.plan_text.is_file():
            with atomic_write(self.files.plan_text) as stream:
                stream.write(text)
            self._say(text)
        return plan

    def _search(
        self, plan: Plan, recipe: TrainingOptions, store: TrialStore, spending: Spending
    ) -> dict[int, Genotype]:
        """The cells of the planned searches, by seed; a search that failed has none."""
        if plan.searches is None:
            return {}
        cells: dict[int, Genotype] = {}
        one = search_options(
            self.options, self.summary, plan.image_size, dict(plan.searches.settings)
        )
        for number in range(plan.searches.seeds):
            seed = self.options.seed + number
            path = self.files.search(seed)
            settings = settings_of_trial(
                replace(one, seed=seed), str(path.relative_to(self.files.path))
            )
            store.add_all({f"search {seed}": settings})
            self._run(store, plan, recipe, "searches", "validation_error")
            if store.trial(f"search {seed}").result is not None:
                cells[seed] = load_genotype(RunFiles(path).genotype)
        return cells

    def _run(
        self, store: TrialStore, plan: Plan, recipe: TrainingOptions, title: str, objective: str
    ) -> None:
        if not store.counts()["pending"]:
            return
        place = place_of_trials(
            search_options(self.options, self.summary, plan.image_size, {}), self.options.device
        )
        work = FitTrial(str(self.files.path), place, FieldTraining(recipe, plan.every))
        run_trials(store, work, title=title, objective=objective)

    def _field(
        self, plan: Plan, recipe: TrainingOptions, cells: Mapping[int, Genotype]
    ) -> list[Entrant]:
        images = ImageSpec.of(plan.image_size, len(self.summary.classes))
        ceilings = Ceilings(macs=plan.ceiling, latency=self.options.latency_ceiling)
        latency = self.tools.latency or latency_here(_device(self.options.device))

        def made() -> list[dict[str, Any]]:
            field = make_field(plan.field, cells, images, ceilings, self.options.seed, latency)
            trained = [
                trained_entrant(path, recipe, images, ceilings, latency)
                for path in self.options.pretrained
            ]
            return [one.as_dict() for one in (*trained, *field)]

        return read_field(kept(self.files.field, made))

    def _train(
        self,
        plan: Plan,
        recipe: TrainingOptions,
        decisions: Decisions,
        winner: Entrant,
        standing: Standing,
        spending: Spending,
    ) -> None:
        """The final training: decide its epochs, then run it."""
        images = self.summary.train_images
        epoch = standing.epoch_seconds * images / max(1, images - images // plan.every)
        reserve = self._reserve(plan)

        def decide() -> int:
            fitting = int((_MARGIN * spending.left - reserve) / max(epoch, 1e-6))
            return max(1, min(_MOST_EPOCHS, fitting))

        epochs = decisions.made(EPOCHS, decide)
        model = model_from_description(winner.model)
        if isinstance(model, Genotype):
            save_genotype(model, self.files.winner)
        else:
            save_model(model, self.files.winner)
        key = "genotype" if isinstance(model, Genotype) else "model"
        own: dict[str, Any] = {**winner.recipe, key: str(self.files.winner)}
        options = replace(for_epochs(recipe, epochs), **own)
        time_left = TimeLeft(
            decisions=decisions,
            left=lambda: spending.left,
            reserve=reserve,
            budget=self.options.budget,
        )
        train_final(options, model, self.files.final, time_left, self.tools.clock)

    def _reserve(self, plan: Plan) -> float:
        """The reserve of the plan, or more of it where the machine is busier than it was."""
        planned = Machine.from_dict(read_values(self.files.machine)).delay
        return min(
            max(1.0, self.tools.delay() / planned) * plan.reserve,
            max(plan.reserve, 0.35 * plan.budget),
        )

    def _outcome(
        self, plan: Plan, field: list[Entrant], standings: list[Standing], spent: float
    ) -> Outcome:
        winner = standings[0].name
        with TrialStore(self.files.path / TRIALS_FILE, read_only=True) as store:
            rows = [
                (trial.key, trial.settings, trial.result)
                for trial in store.rows()
                if trial.result is not None and "model" in trial.settings
            ]
        reached: dict[int, list[float]] = {}
        aside = 0
        for key, settings, result in rows:
            aside = result["images"]
            if key.partition(": ")[2].partition(",")[0] == winner:
                reached.setdefault(settings["epochs"], []).append(result["accuracy"])
        return Outcome(
            plan=plan,
            field=tuple(field),
            standings=tuple(standings),
            aside=aside,
            final=RunFiles(self.files.final).read_result(),
            test=FinalFigures.from_dict(read_values(self.files.test)),
            exports=read_values(self.files.exports),
            majority=self.summary.majority,
            spent=spent,
            winner_rungs=tuple((n, sum(v) / len(v)) for n, v in sorted(reached.items())),
        )

    def _finish(self, outcome: Outcome) -> None:
        from darts.fitting.page import write_fit_report

        write_fit_report(outcome, self.options, self.summary, self.files)
        write_values(self.files.outcome, outcome.as_dict())

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


def _device(name: str) -> Any:
    from darts.system.device import resolve_device

    return resolve_device(name)
