"""A synthetic data set of shapes in COCO's format, to try a detector without other data.

Each image shows one to four circles, squares and triangles of random colours on a noisy background.
Two boxes overlap by at most a quarter of the smaller one. The images depend only on the seed, up to
rounding in Pillow.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw

from darts.errors import UserError
from darts.files import atomic_write, read_json_file, user_path
from darts.system.randomness import RandomStreams

SHAPE_NAMES = ("circle", "square", "triangle")
MOST_SHAPES = 4
SMALLEST, LARGEST = 0.15, 0.45  # Side of a shape relative to the image.
MOST_COVERED = 0.25

Box = tuple[int, int, int, int]


def draw_shapes(
    folder: Path | str, *, train: int = 400, val: int = 100, size: int = 96, seed: int = 0
) -> Path:
    """Draw a data set into `folder` (train/, val/, annotations/), unless it is there already.

    Args:
        folder: Folder of the data set.
        train: Number of training images.
        val: Number of validation images.
        size: Side of the images in pixels.
        seed: Seed of the images.

    Returns:
        The folder.

    Raises:
        UserError: The folder contains another set of shapes, or `size` is too small.
    """
    folder = user_path(folder)
    if size < 32:
        raise UserError(f"Shapes need images of at least 32 pixels, not {size}.")
    settings = {"train": train, "val": val, "size": size, "seed": seed}
    mark = folder / "shapes.json"
    if mark.is_file():
        if read_json_file(mark) != settings:
            raise UserError(f"{folder} contains another set of shapes; choose another --data-dir.")
        return folder
    streams = RandomStreams(seed, ("train", "val"))
    for part, count in (("train", train), ("val", val)):
        record = _draw_part(folder / part, count, size, streams[part])
        with atomic_write(folder / "annotations" / f"{part}.json") as stream:
            json.dump(record, stream)
    with atomic_write(mark) as stream:  # Written last: it marks a complete data set.
        json.dump(settings, stream)
    return folder


def _draw_part(
    folder: Path, count: int, size: int, generator: torch.Generator
) -> dict[str, list[dict[str, Any]]]:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number in range(1, count + 1):
        picture, found = _draw_image(size, generator)
        name = f"{number:05d}.png"
        with atomic_write(folder / name, "wb") as stream:
            picture.save(stream, format="PNG")
        images.append({"id": number, "file_name": name, "width": size, "height": size})
        for kind, (left, top, right, bottom) in found:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": SHAPE_NAMES.index(kind) + 1,
                    "bbox": [left, top, right - left, bottom - top],
                    "area": (right - left) * (bottom - top),
                    "iscrowd": 0,
                }
            )
    categories = [{"id": number, "name": name} for number, name in enumerate(SHAPE_NAMES, 1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def _draw_image(size: int, generator: torch.Generator) -> tuple[Image.Image, list[tuple[str, Box]]]:
    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=generator)

    background = (80 + 96 * uniform(4, 4, 3)).byte().numpy()
    picture = Image.fromarray(background).resize((size, size), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    count = 1 + int(torch.randint(MOST_SHAPES, (), generator=generator))
    found: list[tuple[str, Box]] = []
    for _ in range(count):
        kind = SHAPE_NAMES[int(torch.randint(len(SHAPE_NAMES), (), generator=generator))]
        share, x, y, *colour = uniform(6).tolist()
        side = round(size * (SMALLEST + (LARGEST - SMALLEST) * share))
        left, top = int(x * (size - side)), int(y * (size - side))
        box = (left, top, left + side, top + side)
        if any(_covered(other, box) > MOST_COVERED for _, other in found):
            continue
        _draw_shape(pen, kind, box, [round(255 * (value > 0.5)) for value in colour])
        found.append((kind, box))
    return picture, found


def _draw_shape(pen: ImageDraw.ImageDraw, kind: str, box: Box, colour: Sequence[int]) -> None:
    # Pillow includes the last pixel.
    left, top, right, bottom = box[0], box[1], box[2] - 1, box[3] - 1
    fill = (colour[0], colour[1], colour[2])
    if kind == "circle":
        pen.ellipse((left, top, right, bottom), fill=fill)
    elif kind == "square":
        pen.rectangle((left, top, right, bottom), fill=fill)
    else:
        pen.polygon([((left + right) / 2, top), (left, bottom), (right, bottom)], fill=fill)


def _covered(box: Box, other: Box) -> float:
    """Intersection of two boxes as a share of the smaller box."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
    return max(width, 0) * max(height, 0) / min(areas)
