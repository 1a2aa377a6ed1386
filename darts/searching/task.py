"""The search as a task: data in two halves, one iteration per step, a genotype after each epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor, nn

from darts.methods.gradient import LabelledBatch, SingleLevel
from darts.methods.method import Method
from darts.methods.relaxation import Progress
from darts.methods.stages import SearchStage, stage_at
from darts.models.stems import choose_stem
from darts.report.cell_text import cell_lines
from darts.runs.directory import RunDirectory
from darts.runs.loop import EpochReport
from darts.runs.optimisers import restore, set_learning_rate
from darts.runs.same_settings import check_settings, kept_settings
from darts.runs.schedules import between, cosine, warm_up
from darts.runs.starting import run_task
from darts.runs.tracking import Tracker
from darts.searching.assembly import Assembled, assemble, method_of
from darts.searching.checks import check_search
from darts.searching.diagnostics import ClosedEpoch, Diagnostics
from darts.searching.images import SearchImages
from darts.searching.known import KnownAccuracies
from darts.searching.memory import search_memory_advice
from darts.searching.options import SearchOptions
from darts.searching.probe import SearchSetting
from darts.searching.recording import RecordedIteration
from darts.searching.result import CellSearchResult
from darts.searching.scoring import SupernetScore, validated
from darts.searching.selecting import Selecting, judged_with
from darts.searching.settling import settle
from darts.searching.spaces import keep_space, searched_space
from darts.searching.staging import (
    SEARCH_STREAMS,
    cycle_of,
    extra_streams,
    next_space,
    plan_stages,
    restricted_by,
    restrictions_of,
    set_dropout,
)
from darts.searching.steps import Turns
from darts.searching.stopping import StoppingWatch
from darts.searching.widening import carry_over
from darts.settings.used_files import files_in_use, mentioned
from darts.system import distributed
from darts.system.device import all_finite, peak_memory, precision_context
from darts.system.preparation import prepare_task
from darts.system.threads import restored_threads
from genotypes import Genotype, SearchSpace, save_genotype

EpochHook = Callable[[RunDirectory, Tracker, int, int, Genotype], None]
"""Called after each epoch with the run, its tracker, the epoch, the step and the genotype."""


class SearchTask:
    """One search as a task of `darts.runs.loop.Loop`.

    Args:
        options: All settings of the search.
        on_epoch: Called by the main process after each epoch.
        space: The cells that are searched; by default those that `options.space` names.
        method: The search method; by default the one that `options.method` names.
    """

    learning_rate: float

    def __init__(
        self,
        options: SearchOptions,
        on_epoch: EpochHook | None = None,
        *,
        space: SearchSpace | None = None,
        method: Method | None = None,
    ) -> None:
        self.on_epoch, self.method = on_epoch, method or method_of(options)
        self.space = space or searched_space(options.space, options.resume)
        self.known = KnownAccuracies(options, self.space)
        self.stages, self.stage = plan_stages(self.method, options, self.space), 0
        self.device, self.streams = prepare_task(
            options, (*SEARCH_STREAMS, *extra_streams(self.method, options, self.space))
        )
        last, rule = self.stages[-1], self.method.stopping
        self.epochs, self.images_per_step = last.first + last.epochs, options.batch_size
        self.stopping = None if rule is None else StoppingWatch(rule, options.epochs)
        self.images = SearchImages(options, self.device, self.streams)
        self.dataset, self.steps_per_epoch = self.images.dataset, self.images.steps_per_epoch
        self.training, self.validation = self.images.training, self.images.validation
        self.options = options = replace(options, task=self.dataset.target.kind)
        self.diagnostics = Diagnostics(options, self.method, self.images)
        self.settled = settle(
            SearchSetting(
                options, self.dataset, self.device, self.space, self.method, self.stages[0]
            )
        )
        self.options = self.settled.options
        self._adopt(self._assemble(self.space, measured=not options.resume))
        # The back end that was chosen; a resumed run must compute in the same way.
        self.options = self.parts.options

    def record(self, run: RunDirectory) -> None:
        """Write what belongs to a new run: its image files, and a space of the user's own."""
        self.images.record(run)
        self.settled.record(run)
        keep_space(self.space, self.options.space, run)

    def _assemble(self, space: SearchSpace, *, measured: bool) -> Assembled:
        """The parts of the present stage, with initial values."""
        return assemble(
            self.options,
            self.dataset,
            self.device,
            self.streams,
            steps_per_epoch=self.steps_per_epoch,
            space=space,
            method=self.method,
            stage=self.stages[self.stage],
            measured=measured,
            class_weights=self.images.class_weights(),
        )

    def _adopt(self, parts: Assembled) -> None:
        self.parts, self.title = parts, parts.title
        self.architecture, self.supernet = parts.architecture, parts.supernet
        self.weight_optimiser = parts.weight_optimiser
        self.architecture_optimiser = parts.architecture_optimiser
        self.costs, self.iteration = parts.costs, parts.iteration
        self.turns = Turns(self.options.arch_every)
        self.selecting = None
        if self.method.selection.evaluates:
            rule, stream = self.method.selection, self.streams["selection"]
            score = SupernetScore(
                self.supernet,
                self.images.validation_batches,
                parts.problem.context,
                judged_with(rule, self.images.statistics_batches),
                self.images.tally,
            )
            self.selecting = Selecting(rule, self.architecture, score, stream)

    def _enter(self, stage: int) -> None:
        """Build the supernet of the next stage."""
        before, self.stage = self.parts, stage
        if self.stages[stage].selects:
            self.weight_optimiser.state.clear()  # Further epochs begin without momentum.
            return
        space = next_space(before.architecture, self.stages[stage])
        self._adopt(self._assemble(space, measured=False))
        self.costs.load_state_dict(before.costs.state_dict())
        if self.stages[stage].carries:
            divide = self.stages[stage].divide
            carry_over(before, self.parts, self.streams["stages"], divide=divide)

    def begin_epoch(self, epoch: int) -> None:
        options = self.options
        if stage_at(self.stages, epoch) != self.stage:
            self._enter(stage_at(self.stages, epoch))
        stage, trains = self.stages[self.stage], self.method.trains_architecture
        self.learning_rate = self._rate_at(epoch, stage)
        set_learning_rate(self.weight_optimiser, self.learning_rate)
        self._set_weight_decay(min(epoch, options.epochs - 1))
        if stage.selects:
            # All schedules stay at their end; warm-up is over, unless alpha is never trained.
            self.architecture.progress = Progress(options.epochs - 1, options.epochs)
            self.searching = trains and options.arch_warmup_epochs < options.epochs
        else:
            self.architecture.progress = Progress(epoch - stage.first, stage.epochs)
            self.searching = trains and epoch - stage.first >= options.arch_warmup_epochs
        if stage.selects and self.selecting is not None:
            self.selecting.begin_epoch(epoch - stage.first)
            self._forget_recording()
        self.supernet.train()
        set_dropout(self.supernet, self.method, options, stage, epoch)
        self._note(self.costs.derive("present"))

    def _note(self, genotype: Genotype) -> None:
        """Take down what the terminal shows of the present genotype."""
        derived = self.costs.note(genotype)
        self.notes = {"derived network": derived, **self.diagnostics.notes, **self.known.notes}
        self.drawing = cell_lines(genotype)

    def _rate_at(self, epoch: int, stage: SearchStage) -> float:
        """The learning rate of an epoch of a stage."""
        options, cycle = self.options, cycle_of(self.stages, self.stage)
        if stage.selects and self.selecting is not None:
            return options.learning_rate * self.selecting.rate_factor
        passed = epoch - cycle.first
        rate = cosine(options.learning_rate, options.learning_rate_min, passed, cycle.epochs)
        return warm_up(rate, options.learning_rate, passed, options.lr_warmup_epochs)

    def _set_weight_decay(self, epoch: int) -> None:
        options = self.options
        if options.weight_decay_end is None:
            return
        decay = between(options.weight_decay, options.weight_decay_end, epoch, options.epochs)
        for group in self.weight_optimiser.param_groups:
            group["weight_decay"] = decay
        self._forget_recording()  # A recorded graph keeps the weight decay of its epoch.

    def step(self) -> Mapping[str, Tensor]:
        training = LabelledBatch(*self.training.next_batch())
        self.supernet.sample_channels(self.streams["channels"])
        if not (self.searching and self.turns.next()):
            return self.iteration(training, None)
        if isinstance(self.method.gradient, SingleLevel):
            return self.iteration(training, training)
        return self.iteration(training, LabelledBatch(*self.validation.next_batch()))

    def end_epoch(
        self, run: RunDirectory, tracker: Tracker, epoch: int, step: int
    ) -> Mapping[str, Any]:
        every = self.options.validate_every
        metrics: dict[str, Any] = self._decide_stop(epoch)
        last = epoch + 1 == self.epochs
        if last and self.selecting is not None:
            self.selecting.finish()
        if last or (every and (epoch + 1) % every == 0):
            metrics.update(self.validate())
        genotype = distributed.from_main(lambda: self.derive(run, epoch + 1))
        # A rule that ends the search takes care of a collapse itself.
        closed = ClosedEpoch(epoch, step, self.searching, last and "stopped" not in metrics)
        metrics |= self.diagnostics(self.parts.problem, genotype, closed, tracker, metrics)
        if not distributed.is_main():
            return metrics
        if last or self.method.trains_architecture:  # Else no cell is known before the end.
            save_genotype(genotype, run.epoch_genotype(epoch + 1))
            metrics |= self.known(genotype, tracker, step)
        self._note(genotype)
        save_genotype(self.result(run), run.genotype)
        costs = self.costs.metrics(genotype)
        tracker.scalars({f"cost/{name}": value for name, value in costs.items()}, step)
        self.costs.write(run)
        if self.on_epoch is not None:
            self.on_epoch(run, tracker, epoch + 1, step, genotype)
        return {**metrics, **costs, "genotype": genotype.as_dict()}

    def _decide_stop(self, epoch: int) -> dict[str, Any]:
        """What the stopping rule has measured; the search ends with this epoch if it says so."""
        if self.stopping is None:
            return {}
        measured = self.stopping.close_epoch(
            epoch,
            self.parts.problem if self.searching else None,
            self.images.validation_batches,
            lambda: replace(self.costs.derive("stopping"), space=self.space),
        )
        if self.stopping.stop is not None:
            self.epochs = epoch + 1
        return measured

    def result(self, run: RunDirectory) -> Genotype:
        """The genotype that the search returns if it ends now."""
        if self.stopping is None or self.stopping.stop is None:
            return self.derive(run, self.epochs)
        return self.stopping.chosen(self.derive(run, self.stopping.chosen_epochs))

    def derive(self, run: RunDirectory, epochs: int) -> Genotype:
        """The genotype after `epochs` epochs, with its provenance."""
        options = self.options
        provenance = {
            "source": f"searched by {self.method.name}, order {options.order}, K = {options.k}",
            "searched_on": options.dataset,
            "stem": choose_stem(options.stem, self.dataset.image_size),
            "epochs": epochs,
            "seed": options.seed,
        }
        if options.use:
            provenance["use"] = mentioned(files_in_use(options.use), run)
        derived = self.costs.derive(run.name)
        # The cells of a later stage have fewer candidates; the genotype belongs to the whole space.
        return replace(derived, space=self.space, provenance=provenance)

    def validate(self) -> dict[str, float]:
        """Scores of the supernet on the architecture's images, not augmented."""
        context = partial(precision_context, self.options.precision, self.device)
        return validated(self.supernet, self.architecture, self.images, context)

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        return self.supernet, self.architecture

    def memory_advice(self) -> str:
        return search_memory_advice(self.options, self.architecture, self.dataset)

    def is_finite(self) -> bool:
        return all_finite((*self.supernet.parameters(), *self.architecture.parameters()))

    _PARTS = (
        "supernet",
        "architecture",
        "weight_optimiser",
        "architecture_optimiser",
        "training",
        "validation",
        "streams",
        "costs",
        "diagnostics",
    )

    def state_dict(self) -> dict[str, Any]:
        parts = {part: getattr(self, part).state_dict() for part in self._PARTS}
        restricted = restrictions_of(self.architecture.space)
        freezer = self.parts.freezer
        return {
            **parts,
            "selecting": self.selecting and self.selecting.state_dict(),
            "stopping": self.stopping and self.stopping.state_dict(),
            "turns": self.turns.state_dict(),
            "freezer": None if freezer is None else freezer.state_dict(),
            "data": self.dataset.card(),
            "settings": kept_settings(self.options),
            "stage": {"index": self.stage, "restricted": restricted},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        # Version 0.1.0 had neither stages nor turns, freezing or diagnostics, nor the classes.
        check_settings(state.get("settings"), self.options)
        if "data" in state:
            self.dataset.check_same(state["data"])
        self.stage = state.get("stage", {"index": 0})["index"]
        if self.stage:
            restricted = restricted_by(state["stage"]["restricted"])
            space = replace(self.architecture.space, restricted=restricted)
            self._adopt(self._assemble(space, measured=False))
        for part in self._PARTS:
            if part.endswith("optimiser"):
                restore(getattr(self, part), state[part])
            elif part != "diagnostics" or part in state:
                getattr(self, part).load_state_dict(state[part])
        if "turns" in state:
            self.turns.load_state_dict(state["turns"])
        if self.parts.freezer is not None:
            self.parts.freezer.load_state_dict(state["freezer"])
        if self.selecting is not None:
            self.selecting.load_state_dict(state["selecting"])
        if self.stopping is not None:
            self.stopping.load_state_dict(state["stopping"])
            if self.stopping.stop is not None:
                self.epochs = len(self.stopping.history)
        self._forget_recording()

    def _forget_recording(self) -> None:
        """Drop a recorded graph, which knows the addresses of the old state."""
        if isinstance(self.iteration, RecordedIteration):
            self.iteration.forget()


def search_cells(
    options: SearchOptions,
    on_epoch: EpochHook | None = None,
    *,
    space: SearchSpace | None = None,
    method: Method | None = None,
    report: EpochReport | None = None,
) -> CellSearchResult:
    """Search a cell, or continue the search in the run directory `options.resume`.

    A resumed run needs the `options` in its `config.yaml`, and the same `method`.

    Args:
        options: All settings of the search.
        on_epoch: Called by the main process after each epoch.
        space: The cells that are searched; by default those that `options.space` names.
        method: The search method; by default the one that `options.method` names.
        report: Receives the line of each epoch; the search then displays nothing itself.

    Raises:
        UserError: A setting, the data or the run directory is wrong, or the loss diverged.
        Interrupted: SIGINT or SIGTERM came; the checkpoint is written.
    """
    check_search(options)
    with restored_threads():
        return _searched(options, on_epoch, space, method, report)


def _searched(
    options: SearchOptions,
    on_epoch: EpochHook | None,
    space: SearchSpace | None,
    method: Method | None,
    report: EpochReport | None,
) -> CellSearchResult:
    # Before anything is written: wrong settings or data leave no run directory behind.
    task = SearchTask(options, on_epoch, space=space, method=method)
    task.diagnostics.silent = report is not None
    task.images.announce(silent=report is not None)
    task.known.announce(silent=report is not None)
    task.settled.announce(silent=report is not None)
    run, loop = run_task(task, "search", task.options, prepare=task.record, report=report)
    genotype = task.result(run)
    key = task.dataset.target.key
    quality = distributed.from_main(lambda: run.read_metrics()[-1][f"validation_{key}"])
    result = CellSearchResult(
        genotype=genotype,
        run_dir=run.path,
        validation_accuracy=quality,
        seconds=loop.seconds,
        peak_memory=peak_memory(task.device),
        derived=task.costs.result(genotype),
        stopped=task.stopping.reason if task.stopping else "",
        known=task.known.row(genotype),
        measure=key,
    )
    if not distributed.is_main():
        return result
    save_genotype(result.genotype, run.genotype)
    parameters = sum(p.numel() for p in task.supernet.parameters())
    further = {**task.dataset.counts(), "warnings": task.diagnostics.warnings}
    run.write_result(result.as_dict(task.epochs, parameters, **further))
    return result
