import json
import os

import pytest
import torch

from darts.data.manifest import Entry, Manifest, part_indices
from darts.data.options import DataOptions
from darts.data.sources import open_dataset
from darts.errors import UserError


@pytest.fixture
def folder(tmp_path, write_folder):
    write_folder(tmp_path / "data/train", {"a": 6, "b": 6, "ü\u2028c": 6})
    write_folder(tmp_path / "data/val", {"a": 2, "b": 2, "ü\u2028c": 2})
    return tmp_path / "data"


def opened(folder, seed=0, **options):
    return open_dataset(DataOptions(dataset=f"folder:{folder}", workers=0, **options), seed)


def test_what_is_written_is_read_again(folder, tmp_path):
    dataset = opened(folder, 3, train_images=9)
    parts = {"weights": torch.tensor([0, 2, 4, 6, 8]), "architecture": torch.tensor([1, 3, 5, 7])}
    manifest = Manifest.of(dataset, 3, parts)
    manifest.write(tmp_path / "images.jsonl")
    assert Manifest.read(tmp_path / "images.jsonl") == Manifest.read(tmp_path) == manifest
    lines = (tmp_path / "images.jsonl").read_text().split("\n")
    assert len(lines) == 1 + 9 + 6 + 1
    head, first = json.loads(lines[0]), json.loads(lines[1])
    assert head["images"] == {"weights": 5, "architecture": 4, "test": 6}
    assert head["classes"] == ["a", "b", "ü\u2028c"]
    assert first["part"] == "weights"
    assert os.stat(folder / first["path"]).st_size == first["bytes"]
    assert manifest.entries[14].label == 2
    assert part_indices(manifest.entries, "architecture").tolist() == [1, 3, 5, 7]
    manifest.check(folder, "here")


def test_missing_and_changed_files_are_counted_and_named(folder):
    manifest = Manifest.of(opened(folder), 0, {})
    (folder / "train/b/003.png").rename(folder / "train/b/moved.png")
    (folder / "train/a/001.png").unlink()
    with pytest.raises(UserError, match=r"2 of the 24 images .* missing .*first is train/a/001"):
        manifest.check(folder, "here")
    manifest = manifest.without({"train/a/001.png", "train/b/003.png"})
    assert len(manifest.skipped) == 2
    manifest.check(folder, "here")
    with open(folder / "val/b/001.png", "ab") as stream:
        stream.write(b"!")
    with pytest.raises(UserError, match=r"1 of the 22 images .* another size .*val/b/001"):
        manifest.check(folder, "here")


def test_a_changed_list_is_refused(folder, tmp_path):
    path = tmp_path / "images.jsonl"
    Manifest.of(opened(folder), 0, {}).write(path)
    whole = path.read_text()
    for changed, message in (
        (whole.replace("train/a/001", "train/a/002"), "sha256"),
        (whole[:-30], "sha256"),
        (whole.replace('"manifest":1', '"manifest":2'), "format 2"),
        ("[]\n", "no list"),
        ("", "no list"),
        ("what\n", "no list"),
    ):
        path.write_text(changed)
        with pytest.raises(UserError, match=message):
            Manifest.read(path)
    with pytest.raises(UserError, match="cannot be read as a list"):
        Manifest.read(tmp_path / "absent")


@pytest.mark.parametrize("path", ["/etc/hosts", "../outside.png", "train/../../outside.png"])
def test_no_path_leads_out_of_the_folder(tmp_path, path):
    manifest = Manifest(
        dataset="x", seed=0, classes=("a", "b"), entries=(Entry("train", 0, 1, path),)
    )
    manifest.write(tmp_path / "images.jsonl")
    with pytest.raises(UserError, match="no list"):
        Manifest.read(tmp_path)
