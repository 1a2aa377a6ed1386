"""What the commands do, as functions: the same from Python and from the shell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darts.compare.options import CompareOptions
from darts.errors import UserError
from darts.searching.options import SearchOptions, search_overlay
from darts.settings.parsing import options_from
from darts.settings.recipes import read_recipe
from darts.training.options import PRESETS as TRAINING_PRESETS
from darts.training.options import TrainingOptions, training_of
from genotypes import Genotype, load_genotype

if TYPE_CHECKING:
    from darts.compare.run import FinishedComparison
    from darts.design_space.population import Population
    from darts.detection.average_precision import Precision
    from darts.detection.options import DetectionOptions
    from darts.detection.task import DetectionResult
    from darts.models.registry import Model
    from darts.searching.task import CellSearchResult
    from darts.training.scoring import Scores
    from darts.training.task import TrainingResult


def training_overlay(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a retraining's genotype and preset imply: the data set, and the recipe for it."""
    dataset = settings["dataset"]
    if dataset is None and settings["genotype"] is not None:
        dataset = load_genotype(settings["genotype"]).provenance.get("searched_on")
    dataset = dataset or "cifar10"
    recipe = read_recipe("evaluate_imagenet") if dataset == "imagenet" else {}
    return {**recipe, **TRAINING_PRESETS[settings["preset"]], "dataset": dataset}


def search(**settings: Any) -> CellSearchResult:
    """Search a cell; settings are those of `python search.py --help`, with underscores.

    >>> result = search(dataset="digits", preset="smoke")  # doctest: +SKIP
    >>> result.genotype.normal  # doctest: +SKIP

    Raises:
        UserError: A setting, the data or the run directory is wrong, or the loss diverged.
        Interrupted: SIGINT or SIGTERM came; the checkpoint is written.
    """
    return run_search(options_from(SearchOptions, settings, search_overlay))


def run_search(options: SearchOptions) -> CellSearchResult:
    """Search with these options, drawing the cells of every epoch and reporting at the end."""
    from darts.report.page import write_report
    from darts.searching.task import draw_epoch, search_cells
    from darts.system.distributed import is_main, joined

    with joined():
        result = search_cells(options, on_epoch=draw_epoch)
        if is_main():
            write_report(result.run_dir)
    return result


def evaluate(**settings: Any) -> TrainingResult:
    """Retrain a genotype; settings are those of `python evaluate.py --help`, with underscores.

    Raises:
        UserError: A setting, the data or the run directory is wrong, or the loss diverged.
        Interrupted: SIGINT or SIGTERM came; the checkpoint is written.
    """
    return run_training(options_from(TrainingOptions, settings, training_overlay))


def run_training(options: TrainingOptions) -> TrainingResult:
    """Retrain with these options and write the report."""
    from darts.report.draw import draw_genotype
    from darts.report.page import write_report
    from darts.system.distributed import is_main, joined
    from darts.training import task as trainer

    with joined():
        model = chosen_model(options)
        result = trainer.run_training(as_pretrained(options), model)
        if not is_main():
            return result
        if isinstance(model, Genotype):
            draw_genotype(model, result.run_dir / "cells")
        write_report(result.run_dir)
    return result


def chosen_model(options: TrainingOptions) -> Model:
    """The genotype or network that the options name, or that of the run to go on with.

    Raises:
        UserError: They name none, two, or an unknown one, or the run has no whole checkpoint.
        GenotypeError: There is no such genotype, or its file is wrong.
    """
    from darts.models.registry import find_model, model_from_description
    from darts.training.pretrained import trained_state

    if options.resume is not None:
        # The checkpoint's own: the file may have changed since the run began.
        return model_from_description(trained_state(options.resume)["description"])
    if options.genotype is not None and options.model is not None:
        raise UserError("--genotype and --model: one network is trained; give one of the two.")
    if options.model is not None:
        return find_model(options.model)
    if options.genotype is None and options.pretrained is not None:
        return model_from_description(trained_state(options.pretrained)["description"])
    if options.genotype is None:
        raise UserError(
            "--genotype: which cell? Give a name (python -m darts genotypes lists them) or a "
            "file, such as RUN_DIR/genotype.yaml of a search. For another network: --model."
        )
    return load_genotype(options.genotype)


def as_pretrained(options: TrainingOptions) -> TrainingOptions:
    """The options with the size of the network in `options.pretrained`, where none other is named.

    Raises:
        UserError: It is no checkpoint of a retraining.
    """
    from darts.models.registry import model_from_description
    from darts.training.pretrained import trained_state

    names_another = options.genotype is not None or options.model is not None
    if options.pretrained is None or options.resume is not None or names_another:
        return options
    description = trained_state(options.pretrained)["description"]
    model = model_from_description(description)
    if not isinstance(model, Genotype):
        return replace(options, stem="cifar" if model.stem == "cifar" else "imagenet")
    sizes = {name: description[name] for name in ("channels", "layers", "stem")}
    return replace(options, **sizes)


def network_card(options: TrainingOptions) -> str:
    """What these options would train, in a few lines; a known data set may be absent.

    Raises:
        UserError: See `chosen_model`; or own data are absent or faulty.
    """
    from darts.training import card

    return card.network_card(as_pretrained(options), chosen_model(options))


def score_checkpoint(options: TrainingOptions) -> Scores:
    """Test the network in `options.checkpoint` on the test images of `options.dataset`.

    Raises:
        UserError: There is no such checkpoint, or it does not fit the data set.
    """
    from darts.data.sources import open_dataset
    from darts.system.device import resolve_device
    from darts.system.distributed import local_rank
    from darts.training.predict import load_trained
    from darts.training.scoring import score

    if options.checkpoint is None:
        raise UserError("--test-only needs --checkpoint: a checkpoint.pt or a run directory.")
    device = resolve_device(options.device, local_rank())
    trained = load_trained(options.checkpoint, device, averaged=options.averaged)
    # The network fixes the size of its images; statistics are those that it was trained with.
    card = trained.card
    options = replace(options, image_size=options.image_size or card["image_size"])
    dataset = open_dataset(options, options.seed, device)
    if dataset.classes != trained.classes:
        raise UserError(
            f"{options.checkpoint} tells apart {len(trained.classes)} classes "
            f"({', '.join(trained.classes[:3])}, …), but {options.dataset} has "
            f"{dataset.num_classes} ({', '.join(dataset.classes[:3])}, …)."
        )
    dataset = replace(dataset, mean=tuple(card["mean"]), std=tuple(card["std"]))
    return score(
        trained.network,
        dataset,
        batch_size=options.batch_size,
        device=device,
        precision=options.precision,
    )


def train_population(**settings: Any) -> Population:
    """Train a population, or go on with it; settings as of `python -m darts space train --help`.

    >>> population = train_population(  # doctest: +SKIP
    ...     space="regnetx", n=20, macs="3M-4M", dataset="cifar10", out="populations/regnetx"
    ... )

    Raises:
        UserError: A setting, the data or the directory is wrong, or no training ended well.
        TrialsInterrupted: SIGINT or SIGTERM came; the same call goes on.
    """
    from darts.design_space.options import PopulationOptions, no_overlay
    from darts.design_space.stored_population import load_population
    from darts.design_space.train import train_missing

    options = options_from(PopulationOptions, settings, no_overlay)
    train_missing(options)
    assert options.out is not None
    return load_population(options.out)


def compare_overlay(settings: Mapping[str, Any]) -> dict[str, Any]:
    """As for a retraining, but without what only searched cells have."""
    return {**training_overlay(settings), "auxiliary": False, "drop_path": 0.0}


def compare(**settings: Any) -> FinishedComparison:
    """Judge a genotype; settings are those of `python -m darts compare --help`, with underscores.

    Raises:
        UserError: A setting or the data are wrong, or too few networks could be trained.
        Interrupted: SIGINT or SIGTERM came; finished trainings are kept.
    """
    return run_comparison(options_from(CompareOptions, settings, compare_overlay))


def run_comparison(options: CompareOptions) -> FinishedComparison:
    """Compare with these options and write the report."""
    from darts.compare import run
    from darts.compare.report import write_comparison_report

    options.check()
    compared = run.train_and_compare(options, chosen_model(training_of(options, resume=None)))
    write_comparison_report(compared.comparison, compared.path)
    return compared


def report(directories: list[Path]) -> Path:
    """Write the report of one run, or the comparison of several beside the first one."""
    from darts.report.page import write_comparison, write_report

    if len(directories) == 1:
        return write_report(directories[0])
    return write_comparison(directories, directories[0].parent / "comparison.html")


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
