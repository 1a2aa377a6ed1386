"""What a trained detector finds, and its average precision."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from darts.data.dataset import Channels
from darts.detection.annotations import Annotations
from darts.detection.average_precision import (
    Precision,
    Result,
    average_precision,
    check_pycocotools,
)
from darts.detection.detector import Detector, detector_from_description
from darts.detection.loader import normalised, to_device, whole_batches
from darts.detection.options import DetectionOptions, check_detection_options
from darts.detection.pictures import draw_detections
from darts.detection.sources import open_part
from darts.errors import UserError
from darts.files import atomic_write
from darts.runs.checkpoints import load_checkpoint_file
from darts.system.device import dtype_of, precision_context, resolve_device, set_threads

DETECTIONS, PICTURES = "detections.json", "detections.png"


def score_detector(options: DetectionOptions) -> Precision:
    """Judge the detector in `options.checkpoint` on the validation images; writes nothing.

    Raises:
        UserError: There is no such checkpoint, or the data are absent or of other categories.
    """
    if options.checkpoint is None:
        raise UserError("--test-only needs --checkpoint: a checkpoint.pt or a run directory.")
    check_detection_options(options)
    check_pycocotools()
    device = resolve_device(options.device)
    set_threads(options.threads)
    val = open_part(options, "val")
    detector, mean, std = load_detector(options.checkpoint, val)
    detector.place(device, dtype_of(options.precision))
    return average_precision(val, find_all(detector, val, options, mean, std))


def load_detector(
    checkpoint: Path | str, part: Annotations | None = None
) -> tuple[Detector, Channels, Channels]:
    """The detector of a checkpoint, or of its run directory; mean and deviation of its channels.

    Args:
        part: Data that it must tell apart the categories of.

    Raises:
        UserError: The file is missing, damaged, not of a detector, or of other categories.
    """
    state = load_checkpoint_file(checkpoint, ("task",))["task"]
    if "detector" not in state:
        raise UserError(f"{checkpoint} is not a detector's: give a run of python -m darts detect.")
    data = state["data"]
    known = [(number, name) for number, name in data["categories"]]
    if part is not None and known != list(part.categories):
        raise UserError(
            f"{checkpoint} tells apart {len(known)} categories ({_names(known)}), but "
            f"{part.source} has {len(part.categories)} ({_names(part.categories)})."
        )
    detector = detector_from_description(state["description"])
    detector.load_state_dict(state["detector"])
    return detector, tuple(data["mean"]), tuple(data["std"])


def find_all(
    detector: Detector, part: Annotations, options: DetectionOptions, mean: Channels, std: Channels
) -> list[Result]:
    """What the detector finds in all images of `part`, in their own pixels."""
    was_training = detector.training
    detector.eval()
    device, dtype = detector.default_boxes.device, detector.default_boxes.dtype
    options = replace(options, image_size=detector.image_size)
    results: list[Result] = []
    for indices, raw in whole_batches(part, options):
        images = normalised(to_device(raw, device, dtype), mean, std)
        with precision_context(options.precision, device):
            found = detector.detect(
                images,
                score_threshold=options.score_threshold,
                nms_threshold=options.nms_threshold,
            )
        for index, detections in zip(indices, found, strict=True):
            picture = part.pictures[index]
            scale = torch.tensor([picture.width, picture.height] * 2) / detector.image_size
            boxes = detections.boxes.cpu() * scale
            boxes[:, 2:] -= boxes[:, :2]
            for box, score, label in zip(
                boxes.tolist(), detections.scores.tolist(), detections.labels.tolist(), strict=True
            ):
                results.append(
                    {
                        "image_id": picture.id,
                        "category_id": part.categories[label - 1][0],
                        "bbox": [round(value, 2) for value in box],
                        "score": round(score, 5),
                    }
                )
    detector.train(was_training)
    return results


def write_results(
    part: Annotations, results: Sequence[Result], directory: Path, pictures: int
) -> None:
    """Write detections in COCO's format of results, and the first images with what was found."""
    with atomic_write(directory / DETECTIONS) as stream:
        json.dump(results, stream)
    if pictures:
        draw_detections(part, results, range(min(pictures, len(part))), directory / PICTURES)


def _names(categories: Sequence[tuple[int, str]]) -> str:
    return ", ".join(name for _, name in categories[:3]) + (", …" if len(categories) > 3 else "")
