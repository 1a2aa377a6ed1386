"""What the commands do, as functions: the same from Python and from the shell."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darts.compare.options import CompareOptions, compare_overlay
from darts.searching.options import SearchOptions, search_overlay
from darts.settings.options import names_of, shared_values
from darts.settings.parsing import options_from
from darts.settings.signatures import takes
from darts.sweeps.choice_options import ManySearchOptions
from darts.sweeps.repeat_options import ManyTrainingOptions
from darts.training.options import training_of, training_overlay
from darts.trials.options import ExecutorOptions
from genotypes import Genotype

if TYPE_CHECKING:
    from darts.advising.advice import Advice
    from darts.compare.recipe_options import RecipeStudyOptions
    from darts.compare.recipe_study import FinishedRecipeStudy
    from darts.compare.run import FinishedComparison
    from darts.correlation.options import CorrelationOptions
    from darts.correlation.study import FinishedCorrelation
    from darts.design_space.options import PopulationOptions
    from darts.design_space.population import Population
    from darts.detection.average_precision import Precision
    from darts.detection.options import DetectionOptions
    from darts.detection.task import DetectionResult
    from darts.fitting.options import FitOptions
    from darts.fitting.outcome import Outcome
    from darts.fitting.plan import Plan
    from darts.nasbench.judgement import CellJudgement
    from darts.proxies.study import ScoredNetwork
    from darts.searching.backend_table import BackendTable
    from darts.searching.result import CellSearchResult
    from darts.sweeps.chosen import ChosenCell
    from darts.sweeps.options import SweepOptions
    from darts.sweeps.repeats import RepeatedTraining
    from darts.sweeps.sweep_outcome import SweepOutcome
    from darts.training.choice import TrainingPlan
    from darts.training.predict_files import Predictions
    from darts.training.task import TrainingResult


@takes(ManySearchOptions)
def search(**settings: Any) -> CellSearchResult:
    """Search a cell; settings are those of `python search.py --help`, with underscores.

    >>> result = search(dataset="digits", preset="smoke")  # doctest: +SKIP
    >>> result.genotype.normal  # doctest: +SKIP

    With `seeds`, several searches run and one of their cells is chosen; the result is then a
    `darts.sweeps.chosen.ChosenCell`.

    >>> result = search(dataset="digits", preset="smoke", seeds=4)  # doctest: +SKIP
    >>> result.choice.seed, result.choice.within_noise  # doctest: +SKIP

    Raises:
        UserError: A setting, the data or the run directory is wrong, or the loss diverged.
        Interrupted: SIGINT or SIGTERM came; the checkpoint is written.
    """
    from darts.searching.fitting import fit_search

    options = options_from(ManySearchOptions, settings, search_overlay, fit_search)
    options.check_choice()
    return run_search(options.search) if options.seeds is None else run_seeds(options)


def run_seeds(options: ManySearchOptions) -> ChosenCell:
    """Search with several seeds, choose one cell, and write the report."""
    from darts.sweeps.choice_page import write_choice_report
    from darts.sweeps.many_seeds import search_many

    result = search_many(options)
    write_choice_report(result.run_dir)
    return result


def backends(*, check: bool = False, again: bool = False, **settings: Any) -> BackendTable:
    """Which back ends evaluate a search here, how fast, and with `check` whether they are right.

    >>> backends(k=4, channels=16, batch_size=64).chosen  # doctest: +SKIP

    Raises:
        UserError: A setting is wrong, or there is no such device.
    """
    from darts.searching.backend_table import measured_table

    options = options_from(SearchOptions, settings, search_overlay)
    return measured_table(options, check=check, again=again)


def run_search(options: SearchOptions) -> CellSearchResult:
    """Search with these options, drawing the cells of every epoch and reporting at the end."""
    from darts.report.page import write_report
    from darts.searching.drawing import draw_epoch
    from darts.searching.task import search_cells
    from darts.system.distributed import is_main, joined

    with joined():
        result = search_cells(options, on_epoch=draw_epoch)
        if is_main():
            print("writing the report …", file=sys.stderr)
            write_report(result.run_dir)
    return result


@takes(ManyTrainingOptions)
def evaluate(**settings: Any) -> TrainingResult | RepeatedTraining:
    """Retrain a genotype; settings are those of `python evaluate.py --help`, with underscores.

    With `seeds`, several trainings run; the result is then a
    `darts.sweeps.repeats.RepeatedTraining`.

    >>> result = evaluate(genotype="pcdarts_cifar10", seeds=5)  # doctest: +SKIP
    >>> result.accuracy.mean, result.accuracy.deviation  # doctest: +SKIP

    Raises:
        UserError: A setting, the data or the run directory is wrong, or the loss diverged.
        Interrupted: SIGINT or SIGTERM came; the checkpoint is written.
    """
    from darts.training.choice import plan_training
    from darts.training.fitting import fit_training

    options = options_from(ManyTrainingOptions, settings, training_overlay, fit_training)
    options.check_repeats()
    if options.seeds is not None:
        return run_repeats(options)
    return run_training(plan_training(options.training))


def run_repeats(options: ManyTrainingOptions) -> RepeatedTraining:
    """Train a network with several seeds and write the report."""
    from darts.sweeps.repeats import train_many
    from darts.sweeps.repeats_page import write_repeats_report

    result = train_many(options)
    write_repeats_report(result.run_dir)
    return result


def run_training(plan: TrainingPlan) -> TrainingResult:
    """Carry out a planned retraining, draw the cells and write the report."""
    from darts.report.draw import draw_genotype
    from darts.report.page import write_report
    from darts.system.distributed import is_main, joined
    from darts.training.task import train_network

    with joined():
        result = train_network(plan.options, plan.model)
        if not is_main():
            return result
        if isinstance(plan.model, Genotype):
            draw_genotype(plan.model, result.run_dir / "cells")
        write_report(result.run_dir)
    return result


def fit(data: str, budget: str | float = "1h", **settings: Any) -> Outcome:
    """Find and train a network for one's own images within a time budget.

    >>> outcome = fit("photos", budget="2h", max_macs="100M")  # doctest: +SKIP
    >>> outcome.winner.name, outcome.test.accuracy  # doctest: +SKIP

    Args:
        data: Folder of images, file, or name of a data set.
        budget: Time for everything: seconds, or text such as "90s", "30m" or "1h30m".
        settings: Those of `darts.fitting.options.FitOptions`: `max_macs`, `out`, `seed` …

    Raises:
        UserError: A setting or the data are wrong, or the budget is too small.
        Interrupted: SIGINT or SIGTERM came; the same call continues.
    """
    from darts.fitting.options import FitOptions
    from darts.settings.quantities import parse_duration

    seconds = parse_duration(budget, "budget") if isinstance(budget, str) else float(budget)
    _check_names(settings, *names_of(FitOptions))
    return run_fit(FitOptions(data=str(data), budget=seconds, **settings))


def advise(data: str, **settings: Any) -> Advice:
    """Settings for one's own images, with reasons, and what they will cost on this machine.

    >>> advice = advise("photos")  # doctest: +SKIP
    >>> advice.search.command, advice.search.seconds  # doctest: +SKIP

    Args:
        data: Folder of images, file, or name of a data set.
        settings: `image_size`, `device`, `threads`, `seed`; `data_dir`, `workers`; and
            `start_seconds`, what a command needs before it opens the data.

    Raises:
        UserError: A setting or the data are wrong.
    """
    from darts.advising.advice import AdviceOptions, advise_on
    from darts.data.options import DataOptions
    from darts.data.sources import dataset_of

    own = ("data_dir", "workers")
    _check_names(settings, *own, *("image_size", "device", "threads", "seed", "start_seconds"))
    place = {name: settings[name] for name in own if settings.get(name) is not None}
    others = {name: value for name, value in settings.items() if name not in own}
    data_options = DataOptions(dataset=dataset_of(str(data)), **place)
    return advise_on(AdviceOptions(data=data_options, **others))


def _check_names(settings: Mapping[str, Any], *known: str) -> None:
    """Raise UserError if a setting has no known name."""
    from darts.errors import UserError

    if unknown := sorted(set(settings).difference(known)):
        raise UserError(f"Unknown setting {', '.join(unknown)}; there are: {', '.join(known)}.")


def run_fit(options: FitOptions, begun: float | None = None) -> Outcome:
    """Carry out a fit with these options; `begun` is when it began, by `time.monotonic`."""
    from darts.fitting import run

    return run.carry_out(options, run.Instruments(begun=begun))


def plan_fit(options: FitOptions, begun: float | None = None) -> tuple[Plan, str]:
    """The plan of a fit, and its text; nothing is written."""
    from darts.fitting.run import Instruments, plan_only

    return plan_only(options, Instruments(begun=begun))


def classify_images(
    images: Sequence[Path | str], checkpoint: Path | str, *, top_k: int = 5, device: str = "auto"
) -> Predictions:
    """Classify image files with a trained run or an exported ONNX file.

    >>> found = classify_images(["photos"], "RUN_DIR")  # doctest: +SKIP
    >>> found.images[0].best[0]  # doctest: +SKIP
    ('cat', 0.93)

    Args:
        images: Files, folders (with all below) and patterns.
        checkpoint: A run directory, a checkpoint, or a file of `python -m darts export`.
        top_k: Number of classes for each image.
        device: Device of a run's network; ONNX files run on the CPU.

    Returns:
        The most probable classes of each file. Files that cannot be read have a `problem` instead.

    Raises:
        UserError: A path names nothing, or the network cannot be loaded.
    """
    from darts.training.predict_files import find_images, open_labeller, predict_files

    paths, _ = find_images([str(image) for image in images])
    labeller = open_labeller(checkpoint, device)
    return predict_files(labeller, paths, source=str(checkpoint), best=top_k)


def train_population(**settings: Any) -> Population:
    """Train a population, or go on with it; settings as of `python -m darts space train --help`.

    >>> population = train_population(  # doctest: +SKIP
    ...     space="regnetx", n=20, macs="3M-4M", dataset="cifar10", out="populations/regnetx"
    ... )

    Raises:
        UserError: A setting, the data or the directory is wrong, or no training ended well.
        TrialsInterrupted: SIGINT or SIGTERM came; the same call continues.
    """
    from darts.design_space.options import PopulationOptions, no_overlay
    from darts.design_space.stored_population import load_population
    from darts.training.fitting import fit_training

    options = options_from(PopulationOptions, settings, no_overlay, fit_training)
    run_population(options)
    assert options.out is not None
    return load_population(options.out)


def run_population(options: PopulationOptions) -> RepeatedTraining | None:
    """Train what a population lacks; with `best_of`, then its best network with several seeds.

    Returns:
        The final trainings of the best network, in `best/` below the population; or None.
    """
    from darts.design_space.train import train_missing

    if options.best_of is None:
        train_missing(options)
        return None
    options = replace(options, n=options.best_of)
    train_missing(options)
    return _train_best(options)


def _train_best(options: PopulationOptions) -> RepeatedTraining:
    from darts.design_space.stored_population import load_population
    from darts.models.registry import save_model
    from darts.run_files import RunFiles

    assert options.out is not None
    folder = Path(options.out)
    run, model = folder / "best", folder / "best.yaml"
    shared = shared_values(options, ManyTrainingOptions)
    if RunFiles(run).config.is_file():
        changeable = (*names_of(ExecutorOptions), "device", "threads", "use")
        settings = {name: shared[name] for name in changeable}
        return run_repeats(
            options_from(ManyTrainingOptions, {"resume": str(run), **settings}, training_overlay)
        )
    population = load_population(folder)
    save_model(population.configs[int(population.errors.argmin())], model)
    changes = {
        "model": str(model),
        "run_dir": str(run),
        "hold_out": 0,
        "channels": None,
        "layers": None,
        "epochs": options.final_epochs,
        "seeds": options.final_seeds,
    }
    return run_repeats(ManyTrainingOptions(**{**shared, **changes, "preset": "paper"}))


@takes(CompareOptions)
def compare(**settings: Any) -> FinishedComparison:
    """Judge a genotype; settings are those of `python -m darts compare --help`, with underscores.

    Raises:
        UserError: A setting or the data are wrong, or too few networks could be trained.
        Interrupted: SIGINT or SIGTERM came; finished trainings are kept.
    """
    from darts.training.fitting import fit_training

    return run_comparison(options_from(CompareOptions, settings, compare_overlay, fit_training))


def run_comparison(options: CompareOptions) -> FinishedComparison:
    """Compare with these options and write the report."""
    from darts.compare.report import write_comparison_report
    from darts.compare.run import train_and_compare
    from darts.training.choice import plan_training

    options.check()
    plan = plan_training(training_of(options, resume=None))
    compared = train_and_compare(options, plan.model)
    write_comparison_report(compared.comparison, compared.path)
    return compared


def score_models(*models: str, **settings: Any) -> list[ScoredNetwork]:
    """Score networks without training them; settings are the fields of `ScoreOptions`.

    >>> scored = score_models("nb201-6111", scores=("synflow",), channels=4, layers=3)
    >>> scored[0].params, round(scored[0].mean("synflow"))
    (17606, 24)

    Raises:
        UserError: A setting, a model or the data is wrong.
        GenotypeError: A genotype is wrong.
    """
    from darts.proxies.options import ScoreOptions
    from darts.proxies.study import score_networks

    return score_networks(ScoreOptions(models=models, **settings))


def compare_recipes(
    cells: str | Sequence[str], recipes: str | Sequence[str], **settings: Any
) -> FinishedRecipeStudy:
    """Train cells by several recipes and tell whether their order depends on the recipe.

    >>> study = compare_recipes(  # doctest: +SKIP
    ...     ["darts_v1", "darts_v2"], "bench-suite", dataset="digits", preset="smoke"
    ... )
    >>> study.outcome.verdict  # doctest: +SKIP

    Args:
        cells: Names or files of genotypes, or runs of searches.
        recipes: A suite, YAML files, or settings such as "lr=0.1,wd=3e-4".
        settings: Those of `python -m darts compare --recipes bench-suite --help`.

    Raises:
        UserError: A setting or the data are wrong, or too few trainings ended well.
        Interrupted: SIGINT or SIGTERM came; finished trainings are kept.
    """
    from darts.compare.fitting import fit_study
    from darts.compare.recipe_options import RecipeStudyOptions, recipe_study_overlay

    texts = {
        name: words if isinstance(words, str) else shlex.join(map(str, words))
        for name, words in (("cells", cells), ("recipes", recipes))
    }
    return run_recipe_study(
        options_from(RecipeStudyOptions, {**texts, **settings}, recipe_study_overlay, fit_study)
    )


def run_recipe_study(options: RecipeStudyOptions) -> FinishedRecipeStudy:
    """Compare under several recipes with these options and write the report."""
    from darts.compare.recipe_report import write_recipe_report
    from darts.compare.recipe_study import train_by_recipes

    finished = train_by_recipes(options)
    write_recipe_report(finished.outcome, finished.path)
    return finished


def sweep(
    *,
    out: str,
    methods: Sequence[str],
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    grid: Mapping[str, Sequence[Any]] | None = None,
    own: Mapping[str, Mapping[str, Any]] | None = None,
    **settings: Any,
) -> SweepOutcome:
    """Search with several methods, settings and seeds, and compare the cells.

    >>> outcome = sweep(  # doctest: +SKIP
    ...     out="sweeps/k", methods=["pc-darts"], grid={"k": [1, 4]}, dataset="digits", epochs=5
    ... )
    >>> outcome.configurations["pc-darts k=4"].accuracy.mean  # doctest: +SKIP

    Args:
        out: Directory of the sweep; the same call continues it.
        methods: Search methods.
        seeds: Seeds of each configuration.
        grid: Settings of a search with several values each; every combination is searched.
        own: By method, settings of a search that only this method has.
        settings: `table`, `retrain`, `executor` … of `darts.sweeps.options.SweepOptions`, and
            settings of all searches, as for `search`.

    Raises:
        UserError: A setting or the data are wrong, or the directory holds something else.
        TrialsInterrupted: SIGINT or SIGTERM came; the same call continues.
    """
    from darts.sweeps.options import SweepOptions

    named = set(names_of(SweepOptions))
    return run_sweep(
        SweepOptions(
            out=str(out),
            methods=methods,
            seeds=seeds,
            grid=grid or {},
            own=own or {},
            settings={name: value for name, value in settings.items() if name not in named},
            **{name: value for name, value in settings.items() if name in named},
        )
    )


def run_sweep(options: SweepOptions) -> SweepOutcome:
    """Run what a sweep still lacks, and write its report."""
    from darts.sweeps.directory import read_sweep
    from darts.sweeps.run import search_missing
    from darts.sweeps.sweep_outcome import outcome_of
    from darts.sweeps.sweep_report import write_sweep_report

    search_missing(options)
    outcome = outcome_of(read_sweep(options.out))
    write_sweep_report(outcome)
    return outcome


def report(directories: Sequence[Path | str], output: Path | str | None = None) -> Path:
    """Write the page of one run of any kind, or one page that compares several runs.

    Args:
        directories: Directories of runs.
        output: The file; by default `report.html` of the one run, or a new file beside the first
            of several.

    Raises:
        UserError: A directory holds no run, or the file is a page of another kind.
    """
    from darts.pages import copy_page, page_of, page_of_several

    paths = [Path(one) for one in directories]
    if len(paths) != 1:
        return page_of_several(paths, None if output is None else Path(output))
    page = page_of(paths[0])
    return page if output is None else copy_page(page, Path(output))


def detect(**settings: Any) -> DetectionResult:
    """Train a detector; settings are those of `python -m darts detect --help`, with underscores.

    >>> result = detect(dataset="shapes", model="regnetx_200mf")  # doctest: +SKIP
    >>> result.precision.ap50  # doctest: +SKIP

    Raises:
        UserError: A setting, the data or the run directory is wrong, or the loss diverged.
        Interrupted: SIGINT or SIGTERM came; the checkpoint is written.
    """
    from darts.detection.options import DetectionOptions, detection_overlay

    return run_detection(options_from(DetectionOptions, settings, detection_overlay))


def run_detection(options: DetectionOptions) -> DetectionResult:
    """Train a detector with these options and write the report."""
    from darts.detection.task import train_detector
    from darts.report.page import write_report

    result = train_detector(options)
    write_report(result.run_dir)
    return result


def detector_card(options: DetectionOptions) -> str:
    """What these options would train, in a few lines; the data may be absent."""
    from darts.detection.summary import summarise_detector

    return summarise_detector(options)


def judge_detector(options: DetectionOptions) -> Precision:
    """The AP of the detector in `options.checkpoint` on the validation images."""
    from darts.detection.scoring import score_detector

    return score_detector(options)


def look_up_cells(
    table: Path | str,
    cells: Sequence[Path | str],
    *,
    dataset: str = "",
    valid_column: str = "",
    test_column: str = "",
) -> CellJudgement:
    """The known accuracies of cells of NAS-Bench-201, beside what random search achieves.

    >>> found = look_up_cells("nb201.csv.gz", ["nb201-6111", "runs/drnas-0"])  # doctest: +SKIP
    >>> found.cells[0].cell.test, found.cells[0].cell.rank  # doctest: +SKIP
    (94.3733, 1)

    Args:
        table: A file or folder with known accuracies; see `darts.nasbench.reading.read_table`.
        cells: Runs, genotype files, or cells as strings, `nb201-NUMBER` or tuples of NASLib.
        dataset: Data set, if the file has several or does not name it.
        valid_column: Column of the validation accuracy, if it is not recognised.
        test_column: Column of the test accuracy, likewise.

    Raises:
        UserError: The table or a run cannot be read.
        GenotypeError: There is no such cell, or it belongs to another space.
    """
    from darts.nasbench.judgement import judge_cells
    from darts.nasbench.reading import read_table
    from darts.nasbench.text_files import Wanted

    known = read_table(table, Wanted(dataset, valid_column, test_column))
    return judge_cells(known, list(map(str, cells)))


def correlate(runs: Sequence[Path | str], **settings: Any) -> FinishedCorrelation:
    """Compare the order of cells inside trained supernets with their true order.

    Settings are those of `python -m darts benchmark correlate --help`, with underscores.

    >>> found = correlate(["runs/gdas-0"], table="nb201.csv.gz", cells=200)  # doctest: +SKIP
    >>> found.correlation.runs[0].agreement.all.spearman.middle  # doctest: +SKIP

    Args:
        runs: Run directories of searches.
        settings: The other settings.

    Raises:
        UserError: A setting, a run or the table is wrong, or a cell could not be judged.
        TrialsInterrupted: SIGINT or SIGTERM came; the same call continues.
    """
    from darts.correlation.options import CorrelationOptions, correlation_overlay

    named = {"runs": tuple(map(str, runs)), **settings}
    return run_correlation(options_from(CorrelationOptions, named, correlation_overlay))


def run_correlation(options: CorrelationOptions) -> FinishedCorrelation:
    """Compare with these options and draw the plot."""
    from darts.correlation.report import write_plot
    from darts.correlation.study import study_correlation

    finished = study_correlation(options)
    write_plot(finished.correlation, finished.path)
    return finished
