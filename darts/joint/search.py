"""Run a joint search in one directory: pretraining, rounds of trials, evolution.

Everything except the results of the trials follows from the settings. A search that was interrupted
therefore repeats the computation and continues with the first trial that is not done.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from darts.data.sources import classes_and_size
from darts.joint.checks import check_images, check_recipe_names, check_sizes
from darts.joint.costs import Costs, Limits
from darts.joint.directory import (
    BEST,
    PREDICTOR,
    limits_of,
    read_problem,
    write_problem,
)
from darts.joint.evolution import Evolved, evolve_seeded
from darts.joint.fitting import fitted_space
from darts.joint.iterate import IterationOptions, IterationResult, iterate
from darts.joint.networks.setting import NetworkSetting
from darts.joint.options import JointOptions
from darts.joint.predictor import (
    Predictor,
    PretrainingReport,
    Scorer,
    create_predictor,
    pretrain_predictor,
    save_predictor,
)
from darts.joint.problem import Problem
from darts.joint.recipe_file import write_recipe
from darts.joint.space_file import find_joint_space
from darts.joint.stored_rounds import StoredRounds
from darts.joint.variables import Floats
from darts.models.registry import Model
from darts.models.stems import choose_stem
from darts.runs.directory import RunDirectory
from darts.runs.interrupt import Interrupted
from darts.settings.adapting import said
from darts.settings.used_files import files_in_use, keep_files
from darts.system.randomness import stream_seed
from darts.training.trial import opened_dataset
from darts.trials.schema import TRIALS_FILE
from darts.trials.store import TrialStore


@dataclass(frozen=True)
class JointSearchResult:
    """Result of a joint search.

    Attributes:
        run_dir: Directory of the search.
        iteration: All rounds and the predictor.
        pretraining: Quality of the predicted costs; None for a space of recipes.
        evolved: The best predicted candidates within the limits of the search.
        seconds: Total time of all trials.
    """

    run_dir: Path
    iteration: IterationResult
    pretraining: PretrainingReport | None
    evolved: Evolved
    seconds: float


def run_joint_search(options: JointOptions, model: Model | None) -> JointSearchResult:
    """Run a search, or continue the search in `options.resume`.

    Args:
        options: Options of the search.
        model: Network or genotype for a space that does not describe one.

    Raises:
        UserError: An option, the space, the data or the run directory is wrong.
        Interrupted: SIGINT or SIGTERM was received; finished trials are kept.
    """
    torch.set_num_threads(options.threads or torch.get_num_threads())
    # Without the images every trial would fail. With other executors this process needs no GPU.
    dataset = opened_dataset(options, None if options.executor == "in-process" else "cpu")
    if options.resume is None:
        space = find_joint_space(options.space)
        space, notes = fitted_space(space, options.space, dataset.image_size)
        if notes:
            print(said(notes), file=sys.stderr)
        check_recipe_names(space)
        check_images(space, options, dataset)
        check_sizes(options)
        problem = Problem(space, open_setting(options, model))
        pool = problem.pool(options.pool, _limits(options), options.seed)
        problem.candidate(pool[0][0])  # Fails now if such networks cannot be trained.
        run = RunDirectory.create(options.run_dir, "joint")
        keep_files(files_in_use(options.use), run)
        write_problem(problem, run.path)
        run.write_config(asdict(options))  # Last: what can be resumed is complete.
    else:
        run = RunDirectory.open(options.resume)
        problem = read_problem(run.path)
        pool = problem.pool(options.pool, _limits(options), options.seed)
    with run.locked():
        return _search(options, problem, pool, run)


def _search(
    options: JointOptions, problem: Problem, pool: tuple[Floats, Costs], run: RunDirectory
) -> JointSearchResult:
    pretrained, report = pretrained_predictor(problem, pool[0], options.seed)
    if report is not None:
        words = ", ".join(f"{name} {value:.4f}" for name, value in report.correlation.items())
        held = f"{report.architectures:,} held-out architectures"
        print(f"correlation of predicted and true costs on {held}: {words}", file=sys.stderr)
    with TrialStore(run.path / TRIALS_FILE) as store:

        def on_round(iteration: IterationResult) -> None:
            save_predictor(iteration.predictor, problem.space, run.path / PREDICTOR)

        try:
            done = iterate(
                problem,
                pool,
                pretrained,
                StoredRounds(store, problem, options),
                iteration_options(options),
                on_round,
            )
        except Interrupted:
            raise Interrupted(run.path) from None
        seconds = sum(trial.seconds or 0.0 for trial in store.rows())
    scorer = Scorer(problem, done.predictor)
    limits = _limits(options)
    evolved = evolve_seeded(problem, scorer, limits, done.best_first(), options.seed)
    result = JointSearchResult(run.path, done, report, evolved, seconds)
    run.write_result(_content(problem, result))
    _write_best(problem, result, options)
    return result


def _write_best(problem: Problem, result: JointSearchResult, options: JointOptions) -> None:
    genes, accuracies = result.iteration.measured()
    best = problem.candidate(genes[accuracies.argmax()])
    stop = result.iteration.stop_epoch
    comment = (
        f"Measured: {accuracies.max():.2f} % (held-out images, epoch {stop} of {options.epochs}), "
        f"the best of {len(genes)} trials"
    )
    write_recipe(best, asdict(options), result.run_dir / BEST, comment)


def pretrained_predictor(
    problem: Problem, genes: Floats, seed: int
) -> tuple[Predictor, PretrainingReport | None]:
    """Create a predictor and pretrain it on the costs of a pool.

    A predictor for a space of recipes is not pretrained, because all candidates have one network.
    """
    space = problem.space
    initial, order = (
        torch.Generator().manual_seed(stream_seed(seed, name))
        for name in ("predictor weights", "predictor pretraining")
    )
    predictor = create_predictor(space, initial)
    if not space.width("architecture"):
        return predictor, None
    features = space.features(genes, "architecture")
    return predictor, pretrain_predictor(
        predictor, features, problem.architecture_costs(genes), order
    )


def _limits(options: JointOptions) -> Limits:
    return limits_of(options.min_macs, options.max_macs, options.max_params)


def iteration_options(options: JointOptions) -> IterationOptions:
    """Sizes of the rounds."""
    return IterationOptions(
        rounds=options.rounds,
        candidates=options.candidates,
        epochs=options.epochs,
        rank_correlation=options.rank_correlation,
        strategy=options.strategy,
        seed=options.seed,
    )


def open_setting(options: JointOptions, model: Model | None) -> NetworkSetting:
    """Settings that all candidates share, from the options and their data set."""
    classes, size = classes_and_size(options)
    return NetworkSetting(
        resolution=size,
        num_classes=classes,
        stem=choose_stem(options.stem, size),
        model=model,
        channels=options.channels,
        layers=options.layers,
    )


def _content(problem: Problem, result: JointSearchResult) -> dict[str, Any]:
    """Content of `result.json`."""
    done = result.iteration
    genes, accuracies = done.measured()
    best = int(accuracies.argmax())
    costs = problem.costs(genes[[best]])
    evolved = result.evolved
    return {
        "trials": sum(len(part.curves) for part in done.rounds),
        "failed": sum(not curve for part in done.rounds for curve in part.curves),
        "stop_epoch": done.stop_epoch,
        "rank_correlations": list(done.correlations),
        "pretraining": None if result.pretraining is None else asdict(result.pretraining),
        "best_measured": {
            "validation_accuracy": float(accuracies[best]),
            "macs": costs.macs[0],
            "params": costs.params[0],
            "candidate": problem.space.rows(genes[[best]])[0],
        },
        "best_predicted": {
            "predicted_accuracy": float(evolved.scores[0]),
            "macs": evolved.costs.macs[0],
            "params": evolved.costs.params[0],
            "candidate": problem.space.rows(evolved.genes[:1])[0],
        },
        "seconds": result.seconds,
    }
