"""Run a trained detector on images and compute its average precision."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from darts.data.channels import Rgb
from darts.detection.annotations import Annotations, without_annotations
from darts.detection.average_precision import (
    Precision,
    Result,
    average_precision,
    check_pycocotools,
)
from darts.detection.detector import Detector
from darts.detection.heads import detector_from_description
from darts.detection.loader import normalised, to_device, whole_batches
from darts.detection.options import DetectionOptions
from darts.detection.pictures import draw_detections
from darts.detection.sources import open_part
from darts.errors import UserError, state_of
from darts.files import atomic_write
from darts.run_files import RunFiles
from darts.runs.checkpoints import load_checkpoint_file
from darts.system import distributed
from darts.system.device import dtype_of, resolve_device
from darts.system.threads import set_threads


def score_detector(options: DetectionOptions) -> Precision:
    """Compute the AP of the detector in `options.checkpoint` on the validation images.

    Raises:
        UserError: There is no such checkpoint, or the data are missing or have other categories.
    """
    if options.checkpoint is None:
        raise UserError("--test-only needs --checkpoint, a checkpoint.pt or a run directory.")
    check_pycocotools()
    device = resolve_device(options.device, distributed.local_rank())
    set_threads(options.threads)
    with distributed.one_first():
        val = open_part(options, "val")
    detector, mean, std = load_detector(options.checkpoint, val, averaged=options.averaged)
    detector.place(device, dtype_of(options.precision))
    found = find_all(detector, val, options, mean, std)
    return distributed.from_main(lambda: average_precision(val, found))


def has_no_annotations(options: DetectionOptions) -> bool:
    """Whether a test is asked for on images of which nothing is known."""
    return options.val_images is not None and not (options.val_annotations or options.data_dir)


def detect_in_folder(options: DetectionOptions) -> Path:
    """Detect objects in the images of a folder; write what was found, in COCO's result format.

    The directory `options.run_dir`, by default `detections`, gets `detections.json`,
    `detections.png`, and `images.json`, which has the file of each image's number, and the
    categories.

    Returns:
        The directory.

    Raises:
        UserError: There is no such checkpoint, folder or image, or the directory has results.
    """
    if options.checkpoint is None:
        raise UserError("--test-only needs --checkpoint, a checkpoint.pt or a run directory.")
    device = resolve_device(options.device, distributed.local_rank())
    set_threads(options.threads)
    detector, mean, std = load_detector(options.checkpoint, averaged=options.averaged)
    categories = load_checkpoint_file(options.checkpoint, ("task",))["task"]["data"]["categories"]
    assert options.val_images is not None
    part = without_annotations(options.val_images, [(one, name) for one, name in categories])
    files = RunFiles(Path(options.run_dir or "detections"))
    if files.detections.exists():
        raise UserError(f"{files.detections} exists; give another directory by --run-dir.")
    detector.place(device, dtype_of(options.precision))
    results = find_all(detector, part, options, mean, std)
    if distributed.is_main():
        _write_found(part, results, files, options.pictures)
    return files.path


def _write_found(
    part: Annotations, results: Sequence[Result], files: RunFiles, pictures: int
) -> None:
    """Write detections, and which images they are in."""
    try:
        files.path.mkdir(parents=True, exist_ok=True)
        listed = {
            "images": [
                {"id": one.id, "file_name": one.file, "width": one.width, "height": one.height}
                for one in part.pictures
            ],
            "categories": [{"id": number, "name": name} for number, name in part.categories],
        }
        with atomic_write(files.detected_images) as stream:
            json.dump(listed, stream)
        write_results(part, results, files, pictures)
    except OSError as error:
        raise UserError(f"{files.path} cannot be written: {error.strerror}.") from None


def load_detector(
    checkpoint: Path | str, part: Annotations | None = None, *, averaged: bool = False
) -> tuple[Detector, Rgb, Rgb]:
    """Load a detector from a checkpoint or a run directory.

    Args:
        checkpoint: The file or the directory.
        part: Data whose categories the detector must have.
        averaged: Whether to load the averaged weights.

    Returns:
        The detector, and the mean and standard deviation of the colour channels of its images.

    Raises:
        UserError: The file is missing or damaged, is not that of a detector, or has other
            categories.
    """
    state = load_checkpoint_file(checkpoint, ("task",))["task"]
    if "detector" not in state:
        raise UserError(
            f"{checkpoint} does not contain a detector: give a run of python -m darts detect."
        )
    with state_of(checkpoint):
        data = state["data"]
        known = [(number, name) for number, name in data["categories"]]
    if part is not None and known != list(part.categories):
        raise UserError(
            f"{checkpoint} was trained for {len(known)} categories ({_names(known)}), but "
            f"{part.source} has {len(part.categories)} ({_names(part.categories)})."
        )
    if averaged and "average" not in state:
        raise UserError(f"{checkpoint} has no averaged weights: it was trained without --ema.")
    with state_of(checkpoint, "its detector"):
        detector = detector_from_description(state["description"])
        detector.load_state_dict(state["average" if averaged else "detector"])
        return detector, tuple(data["mean"]), tuple(data["std"])


def find_all(
    detector: Detector, part: Annotations, options: DetectionOptions, mean: Rgb, std: Rgb
) -> list[Result]:
    """Detect objects in all images of `part`, shared by all processes.

    Args:
        detector: The detector.
        part: The images.
        options: Batch size, workers, precision and thresholds.
        mean: Mean of each colour channel, in 0..1.
        std: Standard deviation of each colour channel, in 0..1.

    Returns:
        The detections in pixels of the original images, in COCO's result format.
    """
    was_training = detector.training
    detector.eval()
    options = replace(options, image_size=detector.image_size)
    results: list[tuple[int, Result]] = []
    for indices, raw in whole_batches(part, options, distributed.share()):
        images = normalised(to_device(raw, detector.device, detector.dtype), mean, std)
        found = detector.detect(
            images,
            score_threshold=options.score_threshold,
            nms_threshold=options.nms_threshold,
            precision=options.precision,
        )
        for index, detections in zip(indices, found, strict=True):
            picture = part.pictures[index]
            scale = torch.tensor([picture.width, picture.height] * 2) / detector.image_size
            boxes = detections.boxes.cpu() * scale
            boxes[:, 2:] -= boxes[:, :2]
            for box, score, label in zip(
                boxes.tolist(), detections.scores.tolist(), detections.labels.tolist(), strict=True
            ):
                result: Result = {
                    "image_id": picture.id,
                    "category_id": part.categories[label - 1][0],
                    "bbox": [round(value, 2) for value in box],
                    "score": round(score, 5),
                }
                results.append((index, result))
    detector.train(was_training)
    ordered = sorted(distributed.collected(results), key=lambda pair: pair[0])
    return [result for _, result in ordered]


def write_results(
    part: Annotations, results: Sequence[Result], files: RunFiles, pictures: int
) -> None:
    """Write `detections.json` in COCO's result format, and a picture of the first images.

    Args:
        part: Images and true boxes.
        results: The detections.
        files: The directory of the files.
        pictures: Number of images in the picture; 0 for no picture.
    """
    with atomic_write(files.detections) as stream:
        json.dump(results, stream)
    if pictures:
        first = range(min(pictures, len(part)))
        draw_detections(part, results, first, files.drawn_detections)


def _names(categories: Sequence[tuple[int, str]]) -> str:
    """The first names of a list of categories."""
    return ", ".join(name for _, name in categories[:3]) + (", …" if len(categories) > 3 else "")
