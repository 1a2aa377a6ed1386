"""Studies of many networks: populations, comparisons, sweeps, correlations, known accuracies."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darts.comparing.options import CompareOptions, compare_overlay
from darts.comparing.recipe_options import RecipeStudyOptions, recipe_study_overlay
from darts.correlation.options import CorrelationOptions, correlation_overlay
from darts.proxies.options import ScoreOptions
from darts.settings.options import names_of
from darts.settings.parsing import options_from
from darts.settings.signatures import check_names, takes
from darts.training.options import training_of

if TYPE_CHECKING:
    from darts.comparing.recipe_study import FinishedRecipeStudy
    from darts.comparing.run import FinishedComparison
    from darts.correlation.study import FinishedCorrelation
    from darts.nasbench.judgement import CellJudgement
    from darts.proxies.study import ScoredNetwork
    from darts.sweeps.options import SweepOptions
    from darts.sweeps.sweep_outcome import SweepOutcome


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
    from darts.comparing.report import write_comparison_report
    from darts.comparing.run import train_and_compare
    from darts.training.choice import plan_training

    options.check()
    plan = plan_training(training_of(options, resume=None))
    compared = train_and_compare(options, plan.model)
    print("writing the report …", file=sys.stderr)
    write_comparison_report(compared.comparison, compared.path, plan.model)
    return compared


@takes(ScoreOptions)
def score_models(*models: str, **settings: Any) -> list[ScoredNetwork]:
    """Score networks without training them; settings are the fields of `ScoreOptions`.

    >>> scored = score_models("nb201-6111", scores=("synflow",), channels=4, layers=3)
    >>> scored[0].params, round(scored[0].mean("synflow"))
    (17606, 24)

    Raises:
        UserError: A setting, a model or the data is wrong.
        GenotypeError: A genotype is wrong.
    """
    from darts.proxies.study import score_networks

    check_names(settings, *names_of(ScoreOptions))
    return score_networks(ScoreOptions(models=models, **settings))


@takes(RecipeStudyOptions)
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
    from darts.comparing.fitting import fit_study

    texts = {
        name: words if isinstance(words, str) else shlex.join(map(str, words))
        for name, words in (("cells", cells), ("recipes", recipes))
    }
    return run_recipe_study(
        options_from(RecipeStudyOptions, {**texts, **settings}, recipe_study_overlay, fit_study)
    )


def run_recipe_study(options: RecipeStudyOptions) -> FinishedRecipeStudy:
    """Compare under several recipes with these options and write the report."""
    from darts.comparing.recipe_report import write_recipe_report
    from darts.comparing.recipe_study import train_by_recipes

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


@takes(CorrelationOptions)
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
    named = {"runs": tuple(map(str, runs)), **settings}
    return run_correlation(options_from(CorrelationOptions, named, correlation_overlay))


def run_correlation(options: CorrelationOptions) -> FinishedCorrelation:
    """Compare with these options and draw the plot."""
    from darts.correlation.report import write_plot
    from darts.correlation.study import study_correlation

    finished = study_correlation(options)
    write_plot(finished.correlation, finished.path)
    return finished


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
