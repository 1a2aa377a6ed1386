"""Populations of design spaces: trained, analysed, ranked, timed (RegNet)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darts.api.runs import run_repeats
from darts.design_space.options import PopulationOptions, no_overlay
from darts.errors import UserError
from darts.settings.options import names_of, shared_values
from darts.settings.parsing import options_from
from darts.settings.signatures import takes
from darts.sweeps.repeat_options import ManyTrainingOptions
from darts.training.options import training_overlay
from darts.trials.options import ExecutorOptions

if TYPE_CHECKING:
    from darts.design_space.analysis import Analysis
    from darts.design_space.latency_study import LatencyStudy
    from darts.design_space.population import Population
    from darts.design_space.schedules import ScheduleStudy
    from darts.sweeps.repeats import RepeatedTraining


@takes(PopulationOptions)
def train_population(**settings: Any) -> Population:
    """Train a population, or go on with it; settings as of `python -m darts space train --help`.

    >>> population = train_population(  # doctest: +SKIP
    ...     space="regnetx", n=20, macs="3M-4M", dataset="cifar10", out="populations/regnetx"
    ... )

    Raises:
        UserError: A setting, the data or the directory is wrong, or no training ended well.
        TrialsInterrupted: SIGINT or SIGTERM came; the same call continues.
    """
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


def analyse_populations(
    directories: Sequence[Path | str],
    *,
    names: Sequence[str] | None = None,
    output: Path | str | None = None,
    seed: int = 0,
) -> Analysis:
    """Compare populations: error distributions, best of m networks, best values.

    >>> found = analyse_populations(["pop/regnetx", "pop/anynetx_a"])  # doctest: +SKIP
    >>> found.differences[0].superiority  # doctest: +SKIP

    Args:
        directories: Directories of populations.
        names: Their names in plots and tables.
        output: Directory of tables, plots and page; None: `analysis` in the first one.
        seed: Seed of the bootstrap.

    Raises:
        UserError: A directory has no population with finished trainings, or a name is missing.
    """
    from darts.design_space.analysis import analyse
    from darts.design_space.report import write_analysis
    from darts.design_space.stored_population import load_population

    paths = _several(directories)
    if names is not None and len(names) != len(paths):
        raise UserError("names: give one name for each directory.")
    labels: Sequence[str | None] = names or [None] * len(paths)
    populations = [load_population(path, name) for path, name in zip(paths, labels, strict=True)]
    analysis = analyse(populations, seed)
    folder = paths[0] / "analysis" if output is None else Path(output)
    write_analysis(analysis, folder, paths)
    return analysis


def rank_schedules(
    directories: Sequence[Path | str],
    *,
    output: Path | str | None = None,
    seed: int = 0,
    command: str = "",
) -> ScheduleStudy:
    """Do short trainings rank the networks of a population as long ones do?

    >>> found = rank_schedules(["pop/long", "pop/short"])  # doctest: +SKIP
    >>> found.sentence(), found.by_epoch[1].spearman  # doctest: +SKIP

    Args:
        directories: The judged population, then others of the same space and seed.
        output: Directory of plot and page; None: `ranks` in the first one.
        seed: Seed of the bootstrap.
        command: The command, for the page.

    Raises:
        UserError: Too few networks are trained, or populations share too few.
    """
    from darts.design_space.schedules import ranked_population, study_schedules, write_schedules

    paths = _several(directories)
    judged, *others = map(ranked_population, paths)
    study = study_schedules(judged, others, seed)
    write_schedules(study, paths[0] / "ranks" if output is None else Path(output), command)
    return study


def time_population(
    directory: Path | str,
    *,
    batch: int = 1,
    resolution: int | None = None,
    device: str = "auto",
    threads: int = 0,
    output: Path | str | None = None,
    command: str = "",
) -> LatencyStudy:
    """Time a forward pass of all networks of a population, and fit it by their costs.

    >>> found = time_population("pop/regnetx", batch=64)  # doctest: +SKIP
    >>> found.sentence(), found.fits[0].r2  # doctest: +SKIP

    Args:
        directory: Directory of a population.
        batch: Images of a pass.
        resolution: Side of the images in pixels; None: the networks' own.
        device: The device to measure on.
        threads: CPU threads; 0: torch decides.
        output: Directory of plot and page; None: `latency` in the population.
        command: The command, for the page.

    Raises:
        UserError: A setting is wrong, or too few networks are trained.
    """
    from darts.design_space.latency_study import study_latency, write_latency
    from darts.design_space.stored_population import load_population
    from darts.system.device import resolve_device
    from darts.system.threads import restored_threads, set_threads

    if batch < 1:
        raise UserError(f"--batch: 1 image or more is needed, not {batch}.")
    with restored_threads():
        set_threads(threads)
        study = study_latency(
            load_population(directory),
            batch=batch,
            device=resolve_device(device),
            resolution=resolution,
        )
    folder = Path(directory) / "latency" if output is None else Path(output)
    write_latency(study, folder, command)
    return study


def _several(directories: Sequence[Path | str]) -> list[Path]:
    paths = [Path(one) for one in ([directories] if isinstance(directories, str) else directories)]
    if not paths:
        raise UserError("Name the directory of a population.")
    return paths
