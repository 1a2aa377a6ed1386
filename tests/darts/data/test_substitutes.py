"""A run on one's own images goes on although some of them are gone."""

import os
from pathlib import Path

import pytest

from darts.data.dataset import Dataset
from darts.data.options import DataOptions
from darts.data.sources import open_dataset
from darts.data.subsets import write_manifest
from darts.errors import UserError


def opened(folder: Path, run: Path | None = None, **options: bool) -> Dataset:
    settings = DataOptions(dataset=f"folder:{folder}", workers=0, **options)
    return open_dataset(settings, 0, run=None if run is None else str(run))


@pytest.fixture
def folder(tmp_path, write_folder) -> Path:
    write_folder(tmp_path / "data", {"bar": 10, "disc": 10})
    return tmp_path / "data"


@pytest.fixture
def run(folder, tmp_path) -> Path:
    (tmp_path / "run").mkdir()
    write_manifest(opened(folder), tmp_path / "run/images.jsonl", 0)
    return tmp_path / "run"


def test_a_run_keeps_its_images_where_the_folder_grew(folder, run, write_folder) -> None:
    before = opened(folder)
    os.link(folder / "bar/004.png", folder / "bar/000b.png")
    write_folder(folder / "aaa", {"x": 9})
    again = opened(folder, run)
    assert (again.files.train, again.files.test) == (before.files.train, before.files.test)
    assert again.classes == ("bar", "disc")


@pytest.mark.parametrize("how", ["lost", "another size", "same size"])
def test_another_image_of_the_class_takes_the_place_of_one_that_is_gone(
    how: str, folder, run, capsys
) -> None:
    before, gone = opened(folder), folder / "bar/003.png"
    size = gone.stat().st_size
    if how == "lost":
        gone.unlink()
    else:
        gone.write_bytes(b"x" * (size if how == "same size" else 1))
    with pytest.raises(UserError, match="--skip-corrupt"):
        opened(folder, run)
    again = opened(folder, run, skip_corrupt=True)
    wanted = [
        path.replace("bar/003", "bar/005") for path in before.files.train
    ]  # 004 is tested on.
    assert list(again.files.train) == wanted
    assert again.files.test == before.files.test
    assert again.train.labels.tolist() == before.train.labels.tolist()
    assert again.counts() == {"skipped_images": 1}
    assert "1 image of this run can no longer be read: bar/003.png." in capsys.readouterr().err
    assert opened(folder, run).files.train == again.files.train  # It is written down.


def test_a_test_image_that_is_gone_is_left_out(folder, run) -> None:
    before = opened(folder)
    Path(before.files.test[0]).unlink()
    again = opened(folder, run, skip_corrupt=True)
    assert again.files.test == before.files.test[1:]
    assert again.files.train == before.files.train


def test_a_class_without_images_and_a_renamed_class_are_refused(folder, run) -> None:
    for path in (folder / "bar").iterdir():
        path.write_bytes(b"")
    with pytest.raises(UserError, match=r"No image of bar that trains .*bar/000.png"):
        opened(folder, run, skip_corrupt=True)
    (folder / "bar").rename(folder / "zebra")
    with pytest.raises(UserError, match=r"the class bar, which .* does not have, but zebra\."):
        opened(folder, run)


def test_the_size_of_a_run_does_not_change_with_its_folder(folder, run, write_folder) -> None:
    size = opened(folder).image_size
    write_folder(folder / "bar/large", {".": 30}, (300, 200))
    assert opened(folder).image_size == 224
    assert opened(folder, run).image_size == size
