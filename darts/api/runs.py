"""Searches, trainings and detectors, and their reports."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darts.detection.options import DetectionOptions, detection_overlay
from darts.errors import UserError
from darts.searching.options import SearchOptions, search_overlay
from darts.settings.parsing import options_from
from darts.settings.signatures import takes
from darts.sweeps.choice_options import ManySearchOptions
from darts.sweeps.repeat_options import ManyTrainingOptions
from darts.training.options import training_overlay
from genotypes import Genotype

if TYPE_CHECKING:
    from darts.detection.average_precision import Precision
    from darts.detection.task import DetectionResult
    from darts.searching.backend_table import BackendTable
    from darts.searching.result import CellSearchResult
    from darts.sweeps.chosen import ChosenCell
    from darts.sweeps.repeats import RepeatedTraining
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


@takes(SearchOptions)
def backends(*, check: bool = False, again: bool = False, **settings: Any) -> BackendTable:
    """Which back ends evaluate a search here, how fast, and with `check` whether they are right.

    >>> backends(k=4, channels=16, batch_size=64).chosen  # doctest: +SKIP

    Raises:
        UserError: A setting is wrong, or there is no such device.
    """
    from darts.searching.backend_table import measured_table

    options = options_from(SearchOptions, settings, search_overlay)
    return measured_table(options, check=check, again=again)


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
        print("writing the report …", file=sys.stderr)
        if isinstance(plan.model, Genotype):
            draw_genotype(plan.model, result.run_dir / "cells")
        write_report(result.run_dir)
    return result


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


def draw_activation_maps(
    checkpoint: Path | str,
    images: Sequence[Path | str],
    output: Path | str,
    *,
    class_name: str | None = None,
    device: str = "auto",
) -> list[str]:
    """Draw where in images a trained network sees their class, as one picture.

    >>> draw_activation_maps("RUN_DIR", ["photo.jpg"], "cam.png")  # doctest: +SKIP

    Args:
        checkpoint: A run directory of a retraining, or its checkpoint.
        images: Files, folders (with all below) and patterns.
        output: The picture, .png or .jpg.
        class_name: The class; by default the most probable one of each image.
        device: Device of the network.

    Returns:
        What a user should know about the folders, as sentences.

    Raises:
        UserError: A path names nothing, a file cannot be read, or there is no such class.
    """
    from darts.files import atomic_write
    from darts.system.device import resolve_device
    from darts.training.activation_maps import activation_maps, draw_maps
    from darts.training.predict import load_trained
    from darts.training.predict_files import find_images

    paths, notes = find_images([str(image) for image in images])
    trained = load_trained(checkpoint, resolve_device(device))
    sheet = draw_maps(activation_maps(trained, paths, class_name))
    with atomic_write(Path(output), "wb") as stream:
        sheet.save(stream, format="PNG" if Path(output).suffix.lower() == ".png" else "JPEG")
    return notes


@takes(DetectionOptions)
def detect(**settings: Any) -> DetectionResult:
    """Train a detector; settings are those of `python -m darts detect --help`, with underscores.

    >>> result = detect(dataset="shapes", model="regnetx_200mf")  # doctest: +SKIP
    >>> result.precision.ap50  # doctest: +SKIP

    Raises:
        UserError: A setting, the data or the run directory is wrong, or the loss diverged.
        Interrupted: SIGINT or SIGTERM came; the checkpoint is written.
    """
    return run_detection(options_from(DetectionOptions, settings, detection_overlay))


def run_detection(options: DetectionOptions) -> DetectionResult:
    """Train a detector with these options and write the report."""
    from darts.detection.task import train_detector
    from darts.report.page import write_report
    from darts.system.distributed import is_main, joined

    with joined():
        result = train_detector(options)
        if is_main():
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


def detect_in_folder(options: DetectionOptions) -> Path:
    """Write the detections in a folder of images without annotations; return their directory."""
    from darts.detection.scoring import detect_in_folder as detect_all

    return detect_all(options)


def report(
    directories: Sequence[Path | str],
    output: Path | str | None = None,
    *,
    latency: bool = False,
    batch: int = 1,
    device: str = "auto",
    threads: int = 0,
) -> Path:
    """Write the page of one run of any kind, or one page that compares several runs.

    Args:
        directories: Directories of runs.
        output: The file; by default `report.html` of the one run, or a new file beside the first
            of several.
        latency: Whether to time the trained networks of several runs here, all in turns.
        batch: Images of a timed pass.
        device: Device of the timed passes.
        threads: CPU threads of the timed passes; 0: torch decides.

    Raises:
        UserError: A directory holds no run, or the file is a page of another kind.
    """
    from darts.pages import copy_page, page_of, page_of_several

    paths = [Path(one) for one in directories]
    if len(paths) != 1:
        times = {}
        if latency:
            from darts.system.threads import restored_threads
            from darts.training.timing import time_runs

            with restored_threads():
                times = time_runs(paths, batch=batch, device=device, threads=threads)
        return page_of_several(paths, None if output is None else Path(output), times)
    if latency:
        raise UserError("--latency compares networks: give several runs.")
    page = page_of(paths[0])
    return page if output is None else copy_page(page, Path(output))
