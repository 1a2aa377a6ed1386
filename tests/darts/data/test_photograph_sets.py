"""Transfer sets are read from torchvision's layouts; an absent one is one clear sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from darts.data.catalogue import KNOWN
from darts.data.options import DataOptions
from darts.data.photograph_sets import PHOTOGRAPH_SETS, open_photographs
from darts.data.sources import classes_and_size, open_dataset
from darts.errors import UserError
from darts.system.torchvision_compat import torchvision


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), "teal").save(path)


def pets(root: Path) -> None:
    lines = {
        "trainval": ("Abyssinian_1 1 1 1", "great_pyrenees_2 2 2 1"),
        "test": ("Abyssinian_7 1 1 1",),
    }
    annotations = root / "oxford-iiit-pet" / "annotations"
    annotations.mkdir(parents=True)
    for part, rows in lines.items():
        (annotations / f"{part}.txt").write_text("\n".join(rows) + "\n")
        for row in rows:
            picture(root / "oxford-iiit-pet" / "images" / f"{row.split()[0]}.jpg")


def food(root: Path) -> None:
    meta = root / "food-101" / "meta"
    meta.mkdir(parents=True)
    for part, numbers in (("train", (1, 2)), ("test", (3,))):
        listed = {name: [f"{name}/{n}" for n in numbers] for name in ("apple_pie", "waffles")}
        (meta / f"{part}.json").write_text(json.dumps(listed))
        for names in listed.values():
            for name in names:
                picture(root / "food-101" / "images" / f"{name}.jpg")


def cars(root: Path) -> None:
    base = root / "stanford_cars"
    (base / "devkit").mkdir(parents=True)
    savemat(base / "devkit" / "cars_meta.mat", {"class_names": np.array(["Audi", "BMW"], object)})
    for part, file in (
        ("train", base / "devkit" / "cars_train_annos.mat"),
        ("test", base / "cars_test_annos_withlabels.mat"),
    ):
        rows = np.array([(1, "1.jpg"), (2, "2.jpg")], [("class", object), ("fname", object)])
        savemat(file, {"annotations": rows})
        for name in ("1.jpg", "2.jpg"):
            picture(base / f"cars_{part}" / name)


def flowers(root: Path) -> None:
    base = root / "flowers-102"
    for number in range(1, 7):
        picture(base / "jpg" / f"image_{number:05d}.jpg")
    savemat(base / "setid.mat", {"trnid": [1, 2], "valid": [3, 4], "tstid": [5, 6]})
    savemat(base / "imagelabels.mat", {"labels": [1, 2, 1, 2, 1, 2]})


@pytest.mark.parametrize(
    ("name", "make", "train", "test"),
    [
        ("pets", pets, [0, 1], [0]),
        ("food101", food, [0, 0, 1, 1], [0, 1]),
        ("cars", cars, [0, 1], [0, 1]),
        ("flowers102", flowers, [0, 1, 0, 1], [0, 1]),
    ],
)
def test_files_and_labels(name, make, train, test, tmp_path, monkeypatch) -> None:
    make(tmp_path)
    # torchvision compares the MD5 of the real files.
    monkeypatch.setattr(torchvision.datasets.Flowers102, "_check_integrity", lambda self: True)
    source = open_photographs(name, tmp_path, workers=0)
    assert source.train.labels.tolist() == train
    assert source.test.labels.tolist() == test
    assert source.size is None
    assert all(Path(path).is_file() for path in (*source.train.paths, *source.test.paths))
    if name == "pets":
        assert source.classes == ("Abyssinian", "Great Pyrenees")


def test_a_training_opens_one_by_its_name(tmp_path) -> None:
    pets(tmp_path)
    options = DataOptions(dataset="pets", data_dir=str(tmp_path), image_size=32, workers=0)
    dataset = open_dataset(options)
    assert dataset.train.fetch(dataset.train.labels).shape == (2, 3, 32, 32)
    assert classes_and_size(options) == (2, 32)


@pytest.mark.parametrize("name", PHOTOGRAPH_SETS)
def test_an_absent_one_is_a_clear_sentence(name: str, tmp_path: Path) -> None:
    options = DataOptions(dataset=name, data_dir=str(tmp_path), download=False)
    with pytest.raises(UserError, match=rf"^{name} is not on this machine: looked for {tmp_path}"):
        open_dataset(options)
    assert classes_and_size(options) == (KNOWN[name].classes, 224)
    assert not list(tmp_path.iterdir())


def test_a_set_that_nobody_offers_any_more_says_so(tmp_path: Path) -> None:
    # torchvision refuses to download the cars: their address is gone.
    with pytest.raises(UserError, match=r"cars is not on this machine: .*downloading failed"):
        open_dataset(DataOptions(dataset="cars", data_dir=str(tmp_path)))
    assert not list(tmp_path.iterdir())


def test_sizes_of_the_official_files() -> None:
    found = {n: (KNOWN[n].train, KNOWN[n].test, KNOWN[n].classes) for n in PHOTOGRAPH_SETS}
    assert found == {
        "flowers102": (2_040, 6_149, 102),
        "pets": (3_680, 3_669, 37),
        "food101": (75_750, 25_250, 101),
        "cars": (8_144, 8_041, 196),
    }
