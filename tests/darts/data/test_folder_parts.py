"""Folders as people have them: names of parts, copies of programs, links, what is tested on."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from darts.data.folders import open_folder
from darts.data.options import DataOptions
from darts.data.source import Source
from darts.data.sources import open_dataset
from darts.errors import UserError


def opened(root: Path, **settings: Any) -> Source:
    return open_folder(root, 0, f"folder:{root}", **settings)


def sizes(source: Source) -> tuple[int, int]:
    return len(source.train), len(source.test)


def said(source: Source) -> str:
    return " ".join(source.sentences(test=True))


def write_parts(write_folder, root: Path, **parts: int) -> Path:
    """root/PART/CLASS/*: for each part its number of images in each of two classes."""
    for seed, (part, count) in enumerate(parts.items()):
        write_folder(root / part, {"disc": count, "bar": count}, seed=seed)
    return root


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("Train", "Test"),
        ("training_set", "test_set"),
        ("TRAINING", "Testing"),
        ("train", "valid"),
        ("train-images", "validation images"),
        ("trn", "dev"),
    ],
)
def test_parts_are_known_by_their_usual_names(tmp_path, write_folder, train, test) -> None:
    write_parts(write_folder, tmp_path, **{train: 3, test: 2})
    source = opened(tmp_path)
    assert source.classes == ("bar", "disc")
    assert sizes(source) == (6, 4)
    assert f"4 test images (those in {test}/)" in said(source)


def test_test_is_tested_on_and_val_is_not_unless_it_is_chosen(tmp_path, write_folder) -> None:
    write_parts(write_folder, tmp_path, train=3, val=2, test=1)
    source = opened(tmp_path)
    assert sizes(source) == (6, 2)
    assert "val/ is not used; --test-part val tests on it." in said(source)
    assert sizes(opened(tmp_path, part="val")) == (6, 4)
    shutil.rmtree(tmp_path / "val")
    with pytest.raises(UserError, match=r"--test-part val: .* has no such part, but test/"):
        opened(tmp_path, part="val")


def test_the_option_and_what_is_printed(tmp_path, write_folder, capsys) -> None:
    write_parts(write_folder, tmp_path, train=3, val=2, test=1)
    dataset = open_dataset(DataOptions(dataset=f"folder:{tmp_path}", test_part="val"))
    assert len(dataset.test) == 4
    printed = capsys.readouterr().err
    assert "data: 2 classes, 6 training images, 4 test images (those in val/)." in printed
    open_dataset(DataOptions(dataset=f"folder:{tmp_path}", hold_out=3))
    assert "2 test images (training images that are held out)" in capsys.readouterr().err


def test_a_part_inside_a_part_of_the_same_name(tmp_path, write_folder) -> None:
    write_parts(write_folder, tmp_path, **{"seg_train/seg_train": 3, "seg_test/seg_test": 1})
    (tmp_path / "seg_pred" / "seg_pred").mkdir(parents=True)
    source = opened(tmp_path)
    assert source.classes == ("bar", "disc")
    assert sizes(source) == (6, 2)
    assert "Not used, because no part is named so: seg_pred." in said(source)


@pytest.mark.parametrize("levels", ["photos", "a/b"])
def test_a_folder_that_holds_only_one_folder_is_entered(tmp_path, write_folder, levels) -> None:
    write_folder(tmp_path / levels, {"disc": 5, "bar": 5})
    source = opened(tmp_path)
    assert source.classes == ("bar", "disc")
    assert f"The data set was found in {tmp_path / levels}." in said(source)


def test_parts_with_unusual_names_are_not_taken_for_classes(tmp_path, write_folder) -> None:
    write_parts(write_folder, tmp_path, apprentissage=3, essai=2)
    with pytest.raises(UserError, match=r"apprentissage, essai all hold the folders bar, disc"):
        opened(tmp_path)


def test_a_class_may_have_the_name_of_a_part(tmp_path, write_folder) -> None:
    write_folder(tmp_path, {"train": 5, "bus": 5, "test tube": 5})
    assert opened(tmp_path).classes == ("bus", "test tube", "train")


def test_two_folders_of_one_part_are_refused(tmp_path, write_folder) -> None:
    write_parts(write_folder, tmp_path, train=2, training=2, test=2)
    with pytest.raises(UserError, match="train and training both look like the train part"):
        opened(tmp_path)


@pytest.mark.parametrize("name", [".ipynb_checkpoints", "@eaDir", "__MACOSX", "#recycle"])
def test_copies_of_programs_are_left_out_and_counted(tmp_path, write_folder, name) -> None:
    write_folder(tmp_path, {"disc": 5, "bar": 5})
    for place in (tmp_path / "disc" / name, tmp_path / name):
        place.mkdir()
        shutil.copy(tmp_path / "disc/000.png", place / "000-copy.png")
    source = opened(tmp_path)
    assert source.classes == ("bar", "disc")
    assert sizes(source) == (8, 2)
    assert f"{name} (2)" in said(source)


def test_links_that_lead_back_end(tmp_path, write_folder) -> None:
    write_folder(tmp_path / "data", {"disc": 5, "bar": 5})
    (tmp_path / "data/disc/up").symlink_to("..")
    (tmp_path / "data/disc/other").symlink_to("../bar")
    (tmp_path / "data/all").symlink_to(".")
    source = opened(tmp_path / "data")
    assert source.classes == ("bar", "disc")
    assert sizes(source) == (8, 2)
    assert "Left out 3 links that lead back into the data set." in said(source)


def test_a_link_to_itself_is_no_folder(tmp_path, write_folder) -> None:
    write_folder(tmp_path, {"disc": 5, "bar": 5})
    for place in (tmp_path, tmp_path / "disc"):
        (place / "self").symlink_to("self")
    assert opened(tmp_path).classes == ("bar", "disc")


def test_links_to_elsewhere_are_followed_once(tmp_path, write_folder) -> None:
    write_folder(tmp_path / "pool", {"disc": 5, "bar": 5, "more": 2})
    (tmp_path / "pool/more/around").symlink_to(tmp_path / "pool/more")
    root = tmp_path / "data"
    (root / "bar").mkdir(parents=True)
    (root / "disc").symlink_to(tmp_path / "pool/disc")
    for number in range(5):
        (root / "bar" / f"{number}.png").symlink_to(tmp_path / f"pool/bar/00{number}.png")
    (root / "bar" / "more").symlink_to(tmp_path / "pool/more")
    assert sizes(opened(root)) == (10, 2)


def test_what_is_no_image_is_counted_by_kind(tmp_path, write_folder) -> None:
    write_folder(tmp_path, {"disc": 5, "bar": 5})
    for name in ("a.heic", "b.HEIC", "notes.txt", "readme"):
        (tmp_path / "disc" / name).write_bytes(b"x")
    os.mkfifo(tmp_path / "disc" / "pipe.png")  # Reading it would never end.
    source = opened(tmp_path)
    assert sizes(source) == (8, 2)
    assert "Left out 5 files that are no images" in said(source)
    for kind in (".heic (2)", ".txt (1)", "without a suffix (1)", ".png (1)"):
        assert kind in said(source)


@pytest.mark.parametrize("name", ["a.jfif", "a.jpe", "a.pnm", "a.tga", "a.jp2", "plain"])
def test_what_pillow_reads_is_read(tmp_path, write_folder, name) -> None:
    write_folder(tmp_path, {"disc": 5, "bar": 5})
    kind = {"jfif": "JPEG", "jpe": "JPEG", "pnm": "PPM", "tga": "TGA", "jp2": "JPEG2000"}
    picture = Image.new("RGB", (12, 12), (200, 0, 0))
    picture.save(tmp_path / "disc" / name, kind.get(name.partition(".")[2], "PNG"))
    source = opened(tmp_path)
    assert str(tmp_path / "disc" / name) in (*source.train.paths, *source.test.paths)


def test_one_odd_file_does_not_change_the_size_of_all(tmp_path, write_folder) -> None:
    write_folder(tmp_path, {"disc": 15, "bar": 10})
    Image.new("RGB", (20, 30)).save(tmp_path / "bar/000.png")
    source = opened(tmp_path)
    assert source.size == 12
    assert "1 of 20 training images does not have the size" in said(source)
    (tmp_path / "bar/000.png").write_bytes(b"broken")
    assert opened(tmp_path).size == 12


def test_copies_of_training_images_among_the_test_images(tmp_path, write_folder) -> None:
    write_parts(write_folder, tmp_path, train=3, test=2)
    assert "copies" not in said(opened(tmp_path))
    shutil.copy(tmp_path / "train/disc/001.png", tmp_path / "test/disc/again.png")
    text = said(opened(tmp_path))
    assert "1 of the 5 test images is a copy of training images" in text
    assert "test/disc/again.png" in text


def test_deep_images_are_said(tmp_path, write_folder) -> None:
    write_folder(tmp_path, {"disc": 5, "bar": 5})
    assert "8 bits" not in said(opened(tmp_path))
    for path in tmp_path.rglob("*.png"):
        Image.fromarray(np.full((12, 12), 40_000, np.uint16)).save(path)
    assert "Grey values of more than 8 bits are scaled to 8 bits." in said(opened(tmp_path))
