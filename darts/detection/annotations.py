"""COCO's format, read with care: what is wrong is refused by name, or left out and counted.

A file holds `images` (id, file_name, width, height), `annotations` (image_id, category_id, bbox as
[left, top, width, height] in pixels; iscrowd) and `categories` (id, name).
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from darts.errors import UserError

_NAMED = 3  # Of many faults, so many are named.


@dataclass(frozen=True)
class Picture:
    """An image: its number in the annotations, its file below the folder, its size."""

    id: int
    file: str
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Annotations:
    """The images of a part of a data set and the boxes in them.

    Attributes:
        source: The file of the annotations.
        folder: Where the images lie.
        pictures: N images.
        boxes: Corners in pixels [total, 4], float32; those of crowds are not among them.
        labels: Classes from 1 [total], int64: place in `categories`.
        starts: Image i has boxes starts[i] to starts[i + 1] [N + 1].
        categories: Number and name of each class.
        record: All that counts for AP, crowds included, in COCO's format.
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
        """Boxes [n, 4] and labels [n] of an image."""
        span = slice(int(self.starts[index]), int(self.starts[index + 1]))
        return self.boxes[span], self.labels[span]

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(name for _, name in self.categories)

    def path(self, index: int) -> Path:
        return self.folder / self.pictures[index].file

    def with_boxes(self) -> Annotations:
        """The images that have a box; only those can teach where boxes are."""
        counts = self.starts.diff()
        kept = counts.nonzero().flatten().tolist()
        if len(kept) == len(self):
            return self
        left = len(self) - len(kept)
        print(f"{self.source}: left out {left:,} images without boxes", file=sys.stderr)
        starts = torch.cat([self.starts[:1], counts[kept].cumsum(0)])
        return replace(self, pictures=tuple(self.pictures[i] for i in kept), starts=starts)


def read_annotations(source: Path | str, folder: Path | str) -> Annotations:
    """Read a file of annotations, and look that its images exist.

    Boxes without area are left out and those beyond their image are cut off; both are counted on
    standard error.

    Raises:
        UserError: A file is missing or not in COCO's format, an image is absent, or no box is left.
    """
    source, folder = Path(source).expanduser(), Path(folder).expanduser()
    content = _read(source)
    if not folder.is_dir():
        raise UserError(f"There is no folder of images {folder}, which {source} would belong to.")
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


def check_same_categories(train: Annotations, val: Annotations) -> None:
    """Refuse parts that number or name their classes differently.

    Raises:
        UserError: It names a category that only one of them has.
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
        content = json.loads(source.read_bytes())
    except FileNotFoundError:
        raise UserError(f"There is no file of annotations {source}.") from None
    except OSError as error:
        raise UserError(f"{source} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:
        raise UserError(f"{source} is no JSON: {error}.") from None
    for key in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise UserError(
                f"{source} is not in COCO's format of detection: it has no list {key!r} (it needs "
                "images, annotations and categories)."
            )
    return content


def _categories(content: Mapping[str, Any], source: Path) -> tuple[tuple[int, str], ...]:
    try:
        listed = sorted((int(one["id"]), str(one["name"])) for one in content["categories"])
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{source}: each of its categories needs a number id and a name.") from None
    if not listed or len({number for number, _ in listed}) < len(listed):
        raise UserError(f"{source}: there are no categories, or two have the same id.")
    return tuple(listed)


def _pictures(content: Mapping[str, Any], source: Path) -> tuple[Picture, ...]:
    pictures = []
    for one in content["images"]:
        try:
            picture = Picture(
                int(one["id"]), str(one["file_name"]), int(one["width"]), int(one["height"])
            )
        except (KeyError, TypeError, ValueError):
            raise UserError(
                f"{source}: an image needs id, file_name, width and height; this one lacks some: "
                f"{json.dumps(one)[:100]}"
            ) from None
        if picture.width < 1 or picture.height < 1:
            raise UserError(f"{source}: image {picture.file} has no size.")
        if Path(picture.file).is_absolute() or ".." in Path(picture.file).parts:
            raise UserError(f"{source}: {picture.file} is outside of the folder of images.")
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
            f"{source} names {len(absent):,} of {len(pictures):,} images that are not in {folder}: "
            f"{_some(absent)}."
        )


def _boxes(
    content: Mapping[str, Any],
    pictures: Sequence[Picture],
    categories: Sequence[tuple[int, str]],
    source: Path,
) -> tuple[list[list[tuple[list[float], int]]], list[dict[str, Any]]]:
    """Corners and labels of the boxes of each picture, and the annotations that count for AP."""
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
        # Annotations are rounded; by a pixel they may lie.
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
    _report(source, empty, cut)
    if not any(found):
        raise UserError(f"{source} holds no usable box, so there is nothing to learn or to test.")
    return found, kept


def _entry(
    entry: Any,
    number: int,
    place_of: Mapping[int, int],
    label_of: Mapping[int, int],
    source: Path,
) -> tuple[int, int, list[float]]:
    """Place of the image, label and [left, top, width, height] of an annotation."""
    where = f"{source}: annotation {number}"
    try:
        image, category = entry["image_id"], entry["category_id"]
        box = [float(value) for value in entry["bbox"]]
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{where} needs image_id, category_id and bbox (four numbers).") from None
    if len(box) != 4 or not all(map(math.isfinite, box)):
        raise UserError(f"{where}: bbox is [left, top, width, height], not {entry['bbox']}.")
    if image not in place_of:
        raise UserError(f"{where} is of image {image}, which the file does not list.")
    if category not in label_of:
        raise UserError(f"{where} has category {category}, which the file does not list.")
    return place_of[image], label_of[category], box


def _report(source: Path, empty: int, cut: int) -> None:
    faults = []
    if empty:
        faults.append(f"left out {empty:,} boxes that have no area in their image")
    if cut:
        faults.append(f"cut off {cut:,} boxes at the edge of theirs")
    if faults:
        print(f"{source}: {' and '.join(faults)}", file=sys.stderr)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
