"""Read annotations in COCO's format and check them.

A file has the lists `images` (id, file_name, width, height), `annotations` (image_id, category_id,
bbox as [left, top, width, height] in pixels, iscrowd) and `categories` (id, name). Errors name the
faulty entry; boxes that cannot be used are dropped and counted.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from darts.data.scanning import Scan
from darts.errors import UserError
from darts.files import user_path

_NAMED = 3  # Number of faults that a message lists by name.


@dataclass(frozen=True)
class Picture:
    """One image of a data set.

    Attributes:
        id: Number of the image in the annotations.
        file: Path of the file, relative to the folder of images.
        width: Width in pixels.
        height: Height in pixels.
    """

    id: int
    file: str
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Annotations:
    """The images of one split of a data set, and the boxes in them.

    Attributes:
        source: The file of the annotations.
        folder: The folder of the images.
        pictures: The N images.
        boxes: Corners (x1, y1, x2, y2) in pixels `[total, 4]`, float32, without the boxes of
            crowds.
        labels: Classes `[total]`, int64, numbered from 1 in the order of `categories`.
        starts: Image i has the boxes from starts[i] to starts[i + 1] `[N + 1]`.
        categories: Number and name of each class.
        record: Everything that AP needs, including crowds, in COCO's format.
    """

    source: Path
    folder: Path
    pictures: tuple[Picture, ...]
    boxes: Tensor
    labels: Tensor
    starts: Tensor
    categories: tuple[tuple[int, str], ...]
    record: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.pictures)

    def of(self, index: int) -> tuple[Tensor, Tensor]:
        """Boxes `[n, 4]` and labels `[n]` of an image."""
        span = slice(int(self.starts[index]), int(self.starts[index + 1]))
        return self.boxes[span], self.labels[span]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(name for _, name in self.categories)

    def path(self, index: int) -> Path:
        """File of an image."""
        return self.folder / self.pictures[index].file

    def with_boxes(self) -> Annotations:
        """Return only the images that have a box, for training; report how many are dropped."""
        counts = self.starts.diff()
        kept = counts.nonzero().flatten().tolist()
        if len(kept) == len(self):
            return self
        left = len(self) - len(kept)
        print(f"{self.source}: dropped {left:,} images without boxes", file=sys.stderr)
        starts = torch.cat([self.starts[:1], counts[kept].cumsum(0)])
        return replace(self, pictures=tuple(self.pictures[i] for i in kept), starts=starts)


def read_annotations(source: Path | str, folder: Path | str) -> Annotations:
    """Read a file of annotations and check that its images exist.

    Boxes without area are dropped, and boxes that reach beyond their image are clipped; both are
    counted on standard error.

    Args:
        source: JSON file in COCO's format.
        folder: Folder of the images.

    Raises:
        UserError: A file is missing or not in COCO's format, an image is missing, or no box can be
            used.
    """
    source, folder = user_path(source), user_path(folder)
    content = _read(source)
    if not folder.is_dir():
        raise UserError(f"There is no folder of images {folder} for the annotations {source}.")
    categories = _categories(content, source)
    pictures = _pictures(content, source)
    _check_files(pictures, folder, source)
    found, kept = _boxes(content, pictures, categories, source)
    counts = torch.tensor([0, *map(len, found)])
    return Annotations(
        source=source,
        folder=folder,
        pictures=pictures,
        boxes=torch.tensor([box for some in found for box, _ in some], dtype=torch.float32),
        labels=torch.tensor([label for some in found for _, label in some]),
        starts=counts.cumsum(0),
        categories=categories,
        record={
            "info": {},
            "images": [
                {"id": p.id, "file_name": p.file, "width": p.width, "height": p.height}
                for p in pictures
            ],
            "annotations": kept,
            "categories": [{"id": number, "name": name} for number, name in categories],
        },
    )


def without_annotations(folder: Path | str, categories: Sequence[tuple[int, str]]) -> Annotations:
    """The images of a folder, with all below it, and no boxes; they are numbered from 1.

    Raises:
        UserError: There is no such folder, it holds no image, or a file cannot be read.
    """
    place = user_path(folder)
    if not place.is_dir():
        raise UserError(f"There is no folder of images {place}.")
    pictures = []
    for number, path in enumerate(Scan(place).images(place), 1):
        try:
            with Image.open(path) as image:
                width, height = image.size
        except Exception as error:  # Each of Pillow's plug-ins raises what it likes.
            raise UserError(f"{path} cannot be read as an image ({error}).") from error
        pictures.append(Picture(number, os.path.relpath(path, place), width, height))
    if not pictures:
        raise UserError(f"There are no images in {place}.")
    return Annotations(
        source=place,
        folder=place,
        pictures=tuple(pictures),
        boxes=torch.zeros(0, 4),
        labels=torch.zeros(0, dtype=torch.int64),
        starts=torch.zeros(len(pictures) + 1, dtype=torch.int64),
        categories=tuple(categories),
        record={},
    )


def check_same_categories(train: Annotations, val: Annotations) -> None:
    """Check that training and validation have the same categories.

    Raises:
        UserError: Numbers or names differ; the message lists the differences.
    """
    if train.categories == val.categories:
        return
    only = [
        f"{name} ({number}) is only in {part.source}"
        for part, other in ((train, val), (val, train))
        for number, name in part.categories
        if (number, name) not in other.categories
    ]
    raise UserError(f"Training and validation have different categories: {_some(only)}.")


def _read(source: Path) -> dict[str, Any]:
    try:
        # Not the strict reader: files of COCO have 450 MB.
        content = json.loads(source.read_bytes())
    except FileNotFoundError:
        raise UserError(f"There is no file of annotations {source}.") from None
    except OSError as error:
        raise UserError(f"{source} cannot be read: {error.strerror or error}.") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{source} is not a JSON file: {error}.") from None
    for key in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise UserError(
                f"{source} is not in COCO's detection format: it has no list {key!r}. It needs the "
                "lists images, annotations and categories."
            )
    return content


def _whole(value: Any) -> int:
    """A whole number of up to 64 bits, also as text or with a fraction of 0."""
    number = float(value) if isinstance(value, float) else int(value)
    if isinstance(value, bool) or not abs(number) < 2**63 or number != int(number):
        raise ValueError
    return int(number)


def _categories(content: Mapping[str, Any], source: Path) -> tuple[tuple[int, str], ...]:
    try:
        listed = sorted((_whole(one["id"]), str(one["name"])) for one in content["categories"])
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{source}: every category needs a numeric id and a name.") from None
    if not listed or len({number for number, _ in listed}) < len(listed):
        raise UserError(f"{source}: there are no categories, or two have the same id.")
    return tuple(listed)


def _pictures(content: Mapping[str, Any], source: Path) -> tuple[Picture, ...]:
    pictures = []
    for one in content["images"]:
        try:
            picture = Picture(
                _whole(one["id"]),
                str(one["file_name"]),
                _whole(one["width"]),
                _whole(one["height"]),
            )
        except (KeyError, TypeError, ValueError):
            raise UserError(
                f"{source}: an image needs id, file_name, width and height, whole numbers but for "
                f"the name; this entry does not have them: {json.dumps(one)[:100]}"
            ) from None
        if picture.width < 1 or picture.height < 1:
            raise UserError(f"{source}: the size of image {picture.file} is not positive.")
        if Path(picture.file).is_absolute() or ".." in Path(picture.file).parts:
            raise UserError(f"{source}: {picture.file} is outside the folder of images.")
        pictures.append(picture)
    if not pictures:
        raise UserError(f"{source} lists no images.")
    if len({picture.id for picture in pictures}) < len(pictures):
        raise UserError(f"{source}: two images have the same id.")
    return tuple(pictures)


def _check_files(pictures: Sequence[Picture], folder: Path, source: Path) -> None:
    absent = [picture.file for picture in pictures if not (folder / picture.file).is_file()]
    if absent:
        raise UserError(
            f"{len(absent):,} of {len(pictures):,} images in {source} are missing in {folder}: "
            f"{_some(absent)}."
        )


def _boxes(
    content: Mapping[str, Any],
    pictures: Sequence[Picture],
    categories: Sequence[tuple[int, str]],
    source: Path,
) -> tuple[list[list[tuple[list[float], int]]], list[dict[str, Any]]]:
    """Clip the boxes to their images.

    Returns:
        Corners and labels of the boxes of each picture, without crowds; and all annotations, with
        crowds, in COCO's format.
    """
    label_of = {number: label for label, (number, _) in enumerate(categories, 1)}
    place_of = {picture.id: place for place, picture in enumerate(pictures)}
    found: list[list[tuple[list[float], int]]] = [[] for _ in pictures]
    kept: list[dict[str, Any]] = []
    empty, cut = 0, 0
    for number, entry in enumerate(content["annotations"], 1):
        place, label, box = _entry(entry, number, place_of, label_of, source)
        picture = pictures[place]
        corners = [box[0], box[1], box[0] + box[2], box[1] + box[3]]
        limits = (picture.width, picture.height) * 2
        inside = [min(max(value, 0.0), limit) for value, limit in zip(corners, limits, strict=True)]
        width, height = inside[2] - inside[0], inside[3] - inside[1]
        if width <= 0 or height <= 0:
            empty += 1
            continue
        # Annotations are rounded: an error of one pixel is not reported.
        cut += any(abs(one - other) > 1 for one, other in zip(corners, inside, strict=True))
        crowd = int(bool(entry.get("iscrowd", 0)))
        area = entry.get("area")
        kept.append(
            {
                "id": number,
                "image_id": picture.id,
                "category_id": entry["category_id"],
                "bbox": [inside[0], inside[1], width, height],
                "area": area if isinstance(area, (int, float)) else width * height,
                "iscrowd": crowd,
            }
        )
        if not crowd:
            found[place].append((inside, label))
    if kept and all(max(entry["bbox"]) <= 1 for entry in kept):
        raise UserError(
            f"{source}: no box reaches beyond 1, as if they were fractions of the image. COCO's "
            "format has pixels: multiply by width and height."
        )
    _report(source, empty, cut)
    if not any(found):
        raise UserError(f"{source} has no usable box, so there is nothing to train on or to test.")
    return found, kept


def _entry(
    entry: Any,
    number: int,
    place_of: Mapping[int, int],
    label_of: Mapping[int, int],
    source: Path,
) -> tuple[int, int, list[float]]:
    """Index of the image, label and [left, top, width, height] of an annotation."""
    where = f"{source}: annotation {number}"
    try:
        image, category = _whole(entry["image_id"]), _whole(entry["category_id"])
        box = [float(value) for value in entry["bbox"]]
    except (KeyError, TypeError, ValueError, OverflowError):
        raise UserError(f"{where} needs image_id, category_id and bbox (four numbers).") from None
    if len(box) != 4 or not all(map(math.isfinite, box)):
        raise UserError(f"{where}: bbox must be [left, top, width, height], not {entry['bbox']}.")
    if image not in place_of:
        raise UserError(f"{where} belongs to image {image}, which the file does not list.")
    if category not in label_of:
        raise UserError(f"{where} has category {category}, which the file does not list.")
    return place_of[image], label_of[category], box


def _report(source: Path, empty: int, cut: int) -> None:
    faults = []
    if empty:
        faults.append(f"dropped {empty:,} boxes without area inside their image")
    if cut:
        faults.append(f"clipped {cut:,} boxes at the edge of their image")
    if faults:
        print(f"{source}: {' and '.join(faults)}", file=sys.stderr)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
