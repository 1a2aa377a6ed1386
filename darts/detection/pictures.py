"""Draw detections into images."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from darts.detection.annotations import Annotations
from darts.detection.average_precision import Result
from darts.detection.loader import read_image
from darts.files import atomic_write

SHOWN = 0.3  # Smallest score that is drawn; weaker detections would cover the picture.
SIDE, GAP, COLUMNS = 320, 8, 4  # Tiles, in pixels, and their number in a row.


def draw_detections(
    part: Annotations, results: Sequence[Result], indices: Sequence[int], path: Path
) -> None:
    """Write a PNG file that shows images with true boxes (white) and detections (by class).

    Args:
        part: Images and true boxes.
        results: Detections in COCO's result format.
        indices: Indices of the images to show.
        path: The PNG file.
    """
    tiles = []
    for index in indices:
        image = part.pictures[index].id
        shown = [r for r in results if r["image_id"] == image and r["score"] >= SHOWN]
        tiles.append(_tile(part, index, shown))
    columns = min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    size = columns * (SIDE + GAP) + GAP, rows * (SIDE + GAP) + GAP
    sheet = Image.new("RGB", size, "white")
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        sheet.paste(tile, (GAP + column * (SIDE + GAP), GAP + row * (SIDE + GAP)))
    with atomic_write(path, "wb") as stream:
        sheet.save(stream, format="PNG")


def _tile(part: Annotations, index: int, results: Sequence[Result]) -> Image.Image:
    """Draw one image, scaled to `SIDE` pixels and centred on a grey square."""
    image = read_image(part.path(index))
    scale = SIDE / max(image.size)
    image = image.resize((round(image.width * scale) or 1, round(image.height * scale) or 1))
    pen = ImageDraw.Draw(image)
    for box in part.of(index)[0].tolist():
        pen.rectangle([value * scale for value in box], outline="white", width=1)
    numbers = [number for number, _ in part.categories]
    for result in sorted(results, key=lambda found: found["score"]):
        label = numbers.index(result["category_id"])
        left, top, width, height = (value * scale for value in result["bbox"])
        colour = _colour(label)
        pen.rectangle([left, top, left + width, top + height], outline=colour, width=2)
        text = f"{part.classes[label]} {result['score']:.2f}"
        corner = (left + 2, max(top - 11, 0))
        pen.rectangle(pen.textbbox(corner, text), fill=colour)
        pen.text(corner, text, fill="black")
    tile = Image.new("RGB", (SIDE, SIDE), "gainsboro")
    tile.paste(image, ((SIDE - image.width) // 2, (SIDE - image.height) // 2))
    return tile


def _colour(label: int) -> tuple[int, int, int]:
    """Colour of a class; golden-ratio steps keep the hues of neighbouring classes far apart."""
    red, green, blue = colorsys.hsv_to_rgb(label * 0.618 % 1, 0.65, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)
