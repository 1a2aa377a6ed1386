"""Annotations in COCO's format: reading, dropped boxes, errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from darts.detection.annotations import check_same_categories, read_annotations
from darts.detection.sources import open_parts
from darts.errors import UserError
from tests.darts.detection.support import detection_options, rewrite

CONTENT: dict[str, Any] = {
    "images": [
        {"id": 7, "file_name": "a.png", "width": 40, "height": 30},
        {"id": 3, "file_name": "b.png", "width": 20, "height": 20},
        {"id": 9, "file_name": "c.png", "width": 20, "height": 20},
    ],
    "annotations": [
        {"id": 1, "image_id": 3, "category_id": 18, "bbox": [2, 3, 10, 11], "iscrowd": 0},
        {"id": 2, "image_id": 7, "category_id": 5, "bbox": [0, 0, 40, 30], "area": 600.5},
        {"id": 3, "image_id": 7, "category_id": 18, "bbox": [1, 1, 8, 8], "iscrowd": 1},
    ],
    "categories": [{"id": 18, "name": "dog"}, {"id": 5, "name": "aeroplane"}],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images and their annotations, in `all.json`."""
    for image in CONTENT["images"]:
        Image.new("RGB", (image["width"], image["height"])).save(tmp_path / image["file_name"])
    (tmp_path / "all.json").write_text(json.dumps(CONTENT))
    return tmp_path


def test_annotations_are_read(folder: Path) -> None:
    part = read_annotations(folder / "all.json", folder)
    assert part.classes == ("aeroplane", "dog")
    assert part.categories == ((5, "aeroplane"), (18, "dog"))
    boxes, labels = part.of(0)  # The crowd is kept for AP only.
    assert boxes.tolist() == [[0, 0, 40, 30]]
    assert labels.tolist() == [1]
    assert part.of(1)[0].tolist() == [[2, 3, 12, 14]]
    assert part.of(1)[1].tolist() == [2]
    assert len(part.of(2)[0]) == 0
    assert [one["iscrowd"] for one in part.record["annotations"]] == [0, 0, 1]
    assert [one["area"] for one in part.record["annotations"]] == [110, 600.5, 64]


def test_images_without_boxes_are_dropped_and_reported(folder: Path, capsys: Any) -> None:
    part = read_annotations(folder / "all.json", folder).with_boxes()
    assert [picture.file for picture in part.pictures] == ["a.png", "b.png"]
    assert part.of(1)[0].tolist() == [[2, 3, 12, 14]]
    assert "dropped 1 images without boxes" in capsys.readouterr().err


def test_boxes_without_area_are_dropped_and_others_clipped(folder: Path, capsys: Any) -> None:
    def spoil(content: dict[str, Any]) -> None:
        for box in ([5, 5, 0, 4], [50, 5, 3, 3], [30, 20, 50, 50], [38.5, 0, 2, 9]):
            content["annotations"].append({"image_id": 7, "category_id": 5, "bbox": box})

    rewrite(folder / "all.json", spoil)
    part = read_annotations(folder / "all.json", folder)
    assert part.of(0)[0].tolist()[1:] == [[30, 20, 40, 30], [38.5, 0, 40, 9]]
    said = capsys.readouterr().err
    assert "dropped 2 boxes without area" in said
    assert "clipped 1 boxes" in said  # Half a pixel is not counted.


def test_fractions_are_no_pixels(folder: Path) -> None:
    def divide(content: dict[str, Any]) -> None:
        for entry in content["annotations"]:
            entry["bbox"] = [0.1, 0.2, 0.3, 0.4]

    rewrite(folder / "all.json", divide)
    with pytest.raises(UserError, match="fractions of the image"):
        read_annotations(folder / "all.json", folder)


WRONG: list[tuple[str, Callable[[Any], Any]]] = [
    (r"1 of 3 images .*: none\.png", lambda c: c["images"][0].update(file_name="none.png")),
    (r"no list 'categories'", lambda c: c.pop("categories")),
    (r"annotation 1 belongs to image 44", lambda c: c["annotations"][0].update(image_id=44)),
    (r"annotation 2 has category 6", lambda c: c["annotations"][1].update(category_id=6)),
    (r"1: bbox must", lambda c: c["annotations"][0].update(bbox=[1, 2, 3])),
    (r"1: bbox must", lambda c: c["annotations"][0].update(bbox=[1, 2, 3, float("nan")])),
    (r"annotation 1 needs", lambda c: c["annotations"][0].update(bbox=["x", 2, 3, 4])),
    (r"annotation 1 needs", lambda c: c["annotations"].insert(0, "box")),
    (r"no usable box", lambda c: c["annotations"].clear()),
    (r"lists no images", lambda c: c["images"].clear()),
    (r"an image needs id", lambda c: c["images"][0].pop("width")),
    (r"outside the folder", lambda c: c["images"][0].update(file_name="../a.png")),
    (r"two images have the same id", lambda c: c["images"][0].update(id=3)),
    (r"two have the same id", lambda c: c["categories"][0].update(id=5)),
    (r"an image needs id", lambda c: c["images"][0].update(width=float("inf"))),
    (r"an image needs id", lambda c: c["images"][0].update(height=10**30)),
    (r"annotation 1 needs", lambda c: c["annotations"][0].update(image_id=[7])),
    (r"annotation 1 needs", lambda c: c["annotations"][0].update(category_id={})),
    (r"annotation 1 needs", lambda c: c["annotations"][0].update(bbox=[1, 2, 3, 10**400])),
    (r"needs a numeric id", lambda c: c["categories"][0].update(id=float("inf"))),
]  # fmt: skip


@pytest.mark.parametrize(("message", "change"), WRONG)
def test_invalid_annotations(folder: Path, message: str, change: Callable[[Any], Any]) -> None:
    rewrite(folder / "all.json", change)
    with pytest.raises(UserError, match=message):
        read_annotations(folder / "all.json", folder)


def test_files_without_annotations(folder: Path) -> None:
    with pytest.raises(UserError, match=r"no file of annotations .*none\.json"):
        read_annotations(folder / "none.json", folder)
    with pytest.raises(UserError, match="no folder of images"):
        read_annotations(folder / "all.json", folder / "none")
    for text, message in (("{", "is not a JSON file"), ("[]", "not in COCO's detection format")):
        (folder / "all.json").write_text(text)
        with pytest.raises(UserError, match=message):
            read_annotations(folder / "all.json", folder)


def test_parts_must_have_the_same_categories(folder: Path) -> None:
    train = read_annotations(folder / "all.json", folder)
    rewrite(folder / "all.json", lambda c: c["categories"][0].update(name="hound"))
    val = read_annotations(folder / "all.json", folder)
    with pytest.raises(UserError, match=r"dog \(18\) is only in .*, hound \(18\) is only in"):
        check_same_categories(train, val)


def test_the_layout_of_coco_and_explicit_files(tmp_path: Path) -> None:
    options = detection_options(tmp_path)
    data = tmp_path / "shapes"
    for part in ("train", "val"):
        (data / part).rename(data / f"{part}2017")
        (data / "annotations" / f"{part}.json").rename(
            data / "annotations" / f"instances_{part}2017.json"
        )
    train, val = open_parts(options)
    assert (len(train), len(val)) == (12, 4)
    (data / "val2017").rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"no images in .*: none of val2017, val"):
        open_parts(options)
    named = detection_options(tmp_path, val_images=str(tmp_path / "elsewhere"))
    assert open_parts(named)[1].folder == tmp_path / "elsewhere"
