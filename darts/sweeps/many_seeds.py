"""Several independent searches, and the choice of one of their cells.

The directory of the run has the chosen cell where a search has its cell, and a complete run
directory for each search in `seeds/SEED`, equal to that of `search.py --seed SEED`. Searches and
short trainings are durable trials: a killed run continues and ends in the same cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from darts.errors import UserError
from darts.judging.recipe import short_recipe
from darts.judging.short_training import ShortTraining
from darts.run_files import RunFiles
from darts.runs.directory import RunDirectory
from darts.runs.interrupt import Interrupted
from darts.searching.checks import check_search
from darts.searching.known import KnownAccuracies
from darts.searching.spaces import keep_space, searched_space
from darts.searching.trial import place_of_trials, settings_of_trial
from darts.settings.used_files import files_in_use, keep_files
from darts.sweeps.agreement import equal_cells
from darts.sweeps.choice import Candidate, choose
from darts.sweeps.choice_options import ManySearchOptions
from darts.sweeps.chosen import ChosenCell
from darts.sweeps.outcome import Judged, write_outcome
from darts.sweeps.random_cells import CostRange, sample_rivals
from darts.sweeps.seed_trials import (
    SeedTrials,
    key_of,
    one_shot_key,
    random_key,
    run_of,
    search_key,
    trainings_of,
    validation_images,
)
from darts.trials.executors import TrialsInterrupted, run_trials, trial_resources
from darts.trials.job import Resources
from darts.trials.schema import TRIALS_FILE
from darts.trials.store import Trial, TrialStore
from darts.trials.used import using_files
from genotypes import Genotype, SearchSpace, load_genotype


def search_many(options: ManySearchOptions) -> ChosenCell:
    """Search with several seeds and choose a cell, or continue the run in `options.resume`.

    Raises:
        UserError: A setting, the data or the run directory is wrong; or no search ended well.
        Interrupted: SIGINT or SIGTERM came; finished trials and checkpoints are kept.
    """
    options.check_choice()
    searches = options.searches()
    check_search(next(iter(searches.values())))
    space = searched_space(options.space, options.resume)
    known = KnownAccuracies(options.search, space)
    known.announce(silent=False)
    device, resources = trial_resources(options, options.device)
    changes = {"epochs": options.epochs_of_choice, "device": device}
    recipe = short_recipe(options.search, space, changes, options.seed)
    training = ShortTraining(recipe, options.choice_hold_out)
    if options.choose == "retrain":
        here = recipe if options.executor == "in-process" else replace(recipe, device="cpu")
        replace(training, recipe=here).check_images()
    run = _directory(options, space)
    place = place_of_trials(options.search, device)
    # Another machine has another working directory.
    folder = run.path.resolve() if options.executor == "ray" else run.path
    trials = SeedTrials(str(folder), place, training)
    with TrialStore(run.path / TRIALS_FILE) as store:
        store.configure(training.plain)
        many = _ManySeeds(options, run, store, trials, resources)
        cells = many.search()
        judged = many.judge(cells, many.random_cells(cells))
        rows = {trial.key: trial for trial in store.rows()}
    choice = choose(options.choose, judged.candidates)
    return write_outcome(options, run, rows, cells, judged, choice, known)


def _directory(options: ManySearchOptions, space: SearchSpace) -> RunDirectory:
    """A new directory, or that of the run to continue."""
    if options.resume:
        run = RunDirectory.open(options.resume)
        run.record_environment()
        return run
    run = RunDirectory.create(options.run_dir, "search")
    keep_files(files_in_use(options.use), run)
    keep_space(space, options.space, run)
    run.write_config(asdict(options))  # Last: what can be resumed is complete.
    return run


@dataclass(frozen=True)
class _ManySeeds:
    """A run of several searches in progress: adds trials, runs them, reads their results."""

    options: ManySearchOptions
    run: RunDirectory
    store: TrialStore
    trials: SeedTrials
    resources: Resources

    def search(self) -> dict[int, Genotype]:
        """Search the missing cells; return those of the searches that ended well, by seed."""
        searches = self.options.searches()
        settings = {
            search_key(seed): settings_of_trial(one, run_of(seed)) for seed, one in searches.items()
        }
        self.store.add_all(settings)
        if self.options.retry_failed:
            self.store.retry_failed()
        self._run("searches", "validation_error")
        cells, errors = {}, []
        for seed in searches:
            trial = self.store.trial(search_key(seed))
            if trial.result is None:
                errors.append(f"Seed {seed}: {trial.error}")
            else:
                cells[seed] = load_genotype(RunFiles(self.run.path / run_of(seed)).genotype)
        if not cells:
            raise UserError(
                f"None of the {len(searches)} searches ended well. {errors[0]}\n"
                f"Repeat them with --resume {self.run.path} --retry-failed."
            )
        return cells

    def random_cells(self, cells: Mapping[int, Genotype]) -> dict[int, Genotype]:
        """The random cells that compete with the searched ones, by their number."""
        if not self.options.random_cells:
            return {}
        results = [self.store.trial(search_key(seed)).result or {} for seed in cells]
        room = CostRange.of([one["derived"] for one in results])
        one = next(iter(cells.values()))
        return sample_rivals(
            self.options.random_cells, room, one.rules, one.nodes, self.options.seed
        )

    def judge(self, cells: Mapping[int, Genotype], random: Mapping[int, Genotype]) -> Judged:
        """Measure what the cells are compared by."""
        if self.options.choose == "retrain":
            return self._by_training(cells, random)
        if self.options.choose == "one-shot":
            return self._inside(cells)
        images = validation_images(self.options.search)
        found = []
        for seed in cells:
            result = self.store.trial(search_key(seed)).result or {}
            found.append(Candidate((seed,), (result["validation_accuracy"],), images))
        return Judged(tuple(found))

    def _by_training(self, cells: Mapping[int, Genotype], random: Mapping[int, Genotype]) -> Judged:
        """Train each different cell; a single one needs no comparison."""
        groups = equal_cells(cells)
        if len(groups) == 1 and not random:
            return Judged((Candidate(groups[0], (), 0),))
        candidates: dict[str, Candidate] = {}
        for group in groups:
            origin = search_key(group[0])
            candidates[origin] = Candidate(group, (), 0)
            self.store.add_all(trainings_of(self.options, cells[group[0]], origin))
        for number, cell in random.items():
            origin = random_key(number)
            candidates[origin] = Candidate((), (), 0, number)
            self.store.add_all(trainings_of(self.options, cell, origin))
        self._run("short trainings", "error")
        trainings = range(self.options.choice_trainings)
        judged = self._collected(
            [(one, [key_of(origin, n) for n in trainings]) for origin, one in candidates.items()]
        )
        return replace(judged, how=self._how(judged), random=random)

    def _how(self, judged: Judged) -> str:
        number, recipe = self.options.choice_trainings, self.trials.train.recipe
        rows = [row.result for row in self.store.rows() if "model" in row.settings and row.result]
        return (
            f"Short trainings: {number} of each cell, {recipe.epochs} "
            f"epoch{'s' * (recipe.epochs != 1)}, {recipe.channels} channels, {recipe.layers} "
            f"cells in the network, on {rows[0]['train_images']:,} training images; compared on "
            f"{judged.candidates[0].images:,} others."
        )

    def _inside(self, cells: Mapping[int, Genotype]) -> Judged:
        """Judge each cell inside its own supernet."""
        settings = {one_shot_key(seed): {"inside": run_of(seed)} for seed in cells}
        self.store.add_all(settings)
        self._run("cells inside supernets", "error")
        return self._collected(
            [(Candidate((seed,), (), 0), [one_shot_key(seed)]) for seed in cells]
        )

    def _collected(self, keys: Sequence[tuple[Candidate, Sequence[str]]]) -> Judged:
        """The results of the trials of each candidate, and why others failed."""
        found: list[Candidate] = []
        errors: dict[str, str] = {}
        for candidate, names in keys:
            rows = [self.store.trial(name) for name in names]
            done = [row.result for row in rows if row.result is not None]
            failed = [row for row in rows if row.error is not None]
            if failed:
                origins = [search_key(seed) for seed in candidate.seeds] or [candidate.name]
                errors |= dict.fromkeys(origins, _failure(failed, len(rows)))
            if done:
                accuracies = tuple(result["accuracy"] for result in done)
                images = done[0]["images"]
                found.append(replace(candidate, accuracies=accuracies, images=images))
        if not found:
            raise UserError(
                f"No cell could be judged. {next(iter(errors.values()))}\n"
                f"Try again with --resume {self.run.path} --retry-failed."
            )
        return Judged(tuple(found), errors)

    def _run(self, title: str, objective: str) -> None:
        try:
            run_trials(
                self.store,
                using_files(self.options.use, self.trials),
                executor=self.options.executor,
                resources=self.resources,
                title=title,
                objective=objective,
            )
        except TrialsInterrupted:
            raise Interrupted(self.run.path) from None


def _failure(failed: Sequence[Trial], total: int) -> str:
    reason = (failed[0].error or "").strip().splitlines()
    share = f"{len(failed)} of {total} trials of its cell failed" if total > 1 else "its cell"
    return f"{share}: {reason[-1] if reason else 'unknown reason'}"
