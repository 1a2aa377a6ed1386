"""Open the annotations that the options name."""

from __future__ import annotations

from pathlib import Path

from darts.data.options import data_directory
from darts.detection.annotations import Annotations, check_same_categories, read_annotations
from darts.detection.options import DetectionOptions
from darts.detection.shapes import draw_shapes
from darts.errors import UserError

LAYOUT = (
    "a folder with train2017/ or train/, val2017/ or val/, and annotations/ with "
    "instances_train2017.json or train.json, and the same for val"
)


def open_parts(options: DetectionOptions) -> tuple[Annotations, Annotations]:
    """Open the annotations for training and validation.

    Raises:
        UserError: A file is missing or faulty, or the two have different categories.
    """
    train, val = open_part(options, "train").with_boxes(), open_part(options, "val")
    check_same_categories(train, val)
    return train, val


def open_part(options: DetectionOptions, part: str) -> Annotations:
    """Open the annotations of one part, "train" or "val".

    Raises:
        UserError: A file is missing or faulty.
    """
    images = getattr(options, f"{part}_images")
    annotations = getattr(options, f"{part}_annotations")
    if images is None or annotations is None:
        folder = _folder(options)
        images = images or _first(folder, [f"{part}2017", part, f"images/{part}"], "images")
        names = [f"instances_{part}2017.json", f"instances_{part}.json", f"{part}.json"]
        places = [*(f"annotations/{name}" for name in names), *names]
        annotations = annotations or _first(folder, places, "annotations")
    return read_annotations(annotations, images)


def _folder(options: DetectionOptions) -> Path:
    """Find the folder of the data set; draw it for `--dataset shapes`.

    Raises:
        UserError: There is no such folder; the message says what is needed.
    """
    base = data_directory(options.data_dir)
    if options.dataset == "shapes":
        return draw_shapes(base / f"shapes-{options.image_size}", size=options.image_size)
    for folder in (base, base / "coco"):
        if (folder / "annotations").is_dir() or (folder / "train").is_dir():
            return folder
    raise UserError(
        f"There are no annotated images in {base} or {base / 'coco'}. --data-dir takes {LAYOUT}. "
        "For data in another layout, give --train-images, --train-annotations, --val-images and "
        "--val-annotations. To try a detector without data, use --dataset shapes."
    )


def _first(folder: Path, names: list[str], what: str) -> Path:
    """The first of `names` that exists in `folder`."""
    for name in names:
        if (folder / name).exists():
            return folder / name
    raise UserError(f"There are no {what} in {folder}: none of {', '.join(names)}.")
