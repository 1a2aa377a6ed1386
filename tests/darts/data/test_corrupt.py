import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from darts.data.corrupt import find_broken
from darts.data.manifest import Manifest
from darts.data.options import DataOptions
from darts.data.sources import open_dataset
from darts.data.streaming import ImageFiles
from darts.data.subsets import write_manifest
from darts.errors import UserError


@pytest.fixture
def folder(tmp_path, write_folder):
    """24 JPEGs, of which two training images and one test image are truncated."""
    write_folder(tmp_path / "data/train", {"a": 8, "b": 8}, (40, 40), "jpg")
    write_folder(tmp_path / "data/val", {"a": 4, "b": 4}, (40, 40), "jpg")
    for broken in ("train/a/003.jpg", "train/b/000.jpg", "val/b/002.jpg"):
        path = tmp_path / "data" / broken
        path.write_bytes(path.read_bytes()[:-200])
    return tmp_path / "data"


def opened(folder, run=None, **options):
    options = {"workers": 0, "image_size": 8, **options}
    return open_dataset(DataOptions(dataset=f"folder:{folder}", **options), run=run)


@pytest.mark.parametrize("workers", [0, 2])
def test_truncated_files_are_found(folder, workers):
    paths = tuple(sorted(map(str, folder.rglob("*.jpg")))) * 7
    labels = torch.zeros(len(paths), dtype=torch.int64)
    broken = find_broken(ImageFiles(paths, labels, 8, workers))
    assert broken == [number + 24 * turn for turn in range(7) for number in (3, 8, 22)]


def test_a_run_stops_at_the_first_and_says_how_to_go_on(folder):
    with pytest.raises(UserError, match=r"a/003\.jpg cannot be read .* --skip-corrupt"):
        opened(folder)


def test_they_are_left_out_counted_and_named(folder, capsys):
    dataset = opened(folder, skip_corrupt=True)
    assert dataset.train.labels.bincount().tolist() == [7, 7]
    assert dataset.test.labels.bincount().tolist() == [4, 3]
    assert dataset.counts() == {"skipped_images": 3}
    said = capsys.readouterr().err
    assert "left out 3 files" in said
    assert "train/a/003.jpg" in said


def test_a_run_that_goes_on_leaves_out_the_same_without_reading_all(folder, tmp_path, capsys):
    dataset = opened(folder, skip_corrupt=True)
    write_manifest(dataset, tmp_path / "images.jsonl", 0)
    capsys.readouterr()
    again = opened(folder, run=str(tmp_path), skip_corrupt=True)
    assert again.files.train == dataset.files.train
    assert again.counts() == {"skipped_images": 3}
    printed = capsys.readouterr().err
    assert "left out" not in printed
    assert "reading all" not in printed


def test_a_listed_subset_loses_what_broke_since(folder, tmp_path):
    whole = opened(folder, skip_corrupt=True)
    parts = {"weights": torch.arange(0, 14, 2), "architecture": torch.arange(1, 14, 2)}
    write_manifest(whole, tmp_path / "images.jsonl", 0, **parts)
    path = folder / "train/a/000.jpg"
    path.write_bytes(bytes(path.stat().st_size))
    dataset = opened(folder, subset=str(tmp_path), skip_corrupt=True)
    assert dataset.counts() == {"skipped_images": 4}
    ours, theirs = dataset.files.halves
    assert (len(ours), len(theirs)) == (6, 7)
    listed = [entry.part for entry in Manifest.read(tmp_path).entries][1:14]
    assert [listed[index] for index in ours.tolist()] == ["weights"] * 6


def test_a_class_without_a_readable_image_is_an_error(folder):
    for path in (folder / "train/b").iterdir():
        path.write_bytes(b"")
    with pytest.raises(UserError, match="no train image of class b"):
        opened(folder, skip_corrupt=True)


def test_the_first_picture_claims_too_much(folder):
    """Its size is looked at before anything else is read."""
    notes = PngInfo()
    notes.add_text("note", "x" * 2_000_000, zip=True)
    first = folder / "train/a/000.jpg"
    first.unlink()
    Image.new("L", (40, 40)).save(first.with_suffix(".png"), pnginfo=notes)
    with pytest.raises(UserError, match=r"a/000\.png cannot be read as an image .*--skip-corrupt"):
        opened(folder)
    dataset = opened(folder, skip_corrupt=True)
    assert dataset.train.labels.bincount().tolist() == [6, 7]
