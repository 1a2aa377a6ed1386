from dataclasses import replace

import numpy as np
import pytest
import torch

from darts.data.manifest import Manifest
from darts.data.options import DataOptions
from darts.data.sources import classes_and_size, open_dataset
from darts.data.subsets import search_halves, write_manifest
from darts.errors import UserError

COUNTS = {"a": 40, "b": 20, "c": 60, "d": 20}


@pytest.fixture
def folder(tmp_path, write_folder):
    write_folder(tmp_path / "data/train", COUNTS, (4, 4))
    write_folder(tmp_path / "data/val", dict.fromkeys(COUNTS, 5), (4, 4))
    return tmp_path / "data"


def opened(folder, seed=0, run=None, **options):
    options = DataOptions(dataset=f"folder:{folder}", workers=0, **options)
    return open_dataset(options, seed, run=run)


def halves(dataset, seed=0, fraction=0.8):
    generator = torch.Generator().manual_seed(seed)
    return search_halves(dataset, fraction, generator, "balanced")


def test_ten_and_two_and_a_half_percent_of_each_class(tmp_path, write_folder):
    write_folder(tmp_path / "train", {"a": 160, "b": 80, "c": 240}, (2, 2))
    write_folder(tmp_path / "val", {"a": 1, "b": 1, "c": 1}, (2, 2))
    dataset = opened(tmp_path, train_fraction=0.125)
    ours, theirs = halves(dataset)
    assert dataset.train.labels[ours].bincount().tolist() == [16, 8, 24]
    assert dataset.train.labels[theirs].bincount().tolist() == [4, 2, 6]
    assert not set(ours.tolist()) & set(theirs.tolist())


def test_classes_are_drawn_by_the_seed(folder):
    drawn = {opened(folder, seed, classes=2).classes for seed in range(12)}
    assert len(drawn) > 2
    dataset = opened(folder, 1, classes=2)
    assert dataset.num_classes == 2
    assert classes_and_size(DataOptions(dataset=f"folder:{folder}", classes=2)) == (2, 4)
    for part, counts in ((dataset.train, COUNTS), (dataset.test, dict.fromkeys(COUNTS, 5))):
        assert part.labels.bincount().tolist() == [counts[name] for name in dataset.classes]
    for path, label in zip(dataset.files.train, dataset.train.labels.tolist(), strict=True):
        assert f"train/{dataset.classes[label]}/" in path
    with pytest.raises(UserError, match=r"classes 5: folder:.* has 4"):
        opened(folder, classes=5)


def test_classes_of_data_in_memory_are_drawn_too(tmp_path):
    labels = np.arange(30) % 3
    images = np.broadcast_to(labels[:, None, None, None], (30, 4, 4, 3)).astype(np.uint8)
    np.savez(tmp_path / "x.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    options = DataOptions(dataset=f"array:{tmp_path / 'x.npz'}", classes=2)
    dataset = open_dataset(options, 0)
    for part in (dataset.train, dataset.test):
        shown = part.pixels[:, 0, 0, 0].tolist()
        assert shown == [int(dataset.classes[label]) for label in part.labels.tolist()]


def test_the_same_images_by_a_manifest_whatever_is_added_or_asked(folder, tmp_path, write_folder):
    first = opened(folder, 7, classes=3, train_fraction=0.5, test_images=6)
    parts = dict(zip(("weights", "architecture"), halves(first, 7), strict=True))
    write_manifest(first, tmp_path / "run" / "images.jsonl", 7, **parts)
    write_folder(folder / "train/a/more", {"x": 9}, (4, 4), seed=1)
    for again in (
        opened(folder, 8, subset=str(tmp_path / "run")),
        opened(folder, 8, subset=str(tmp_path / "run" / "images.jsonl"), classes=2, train_images=4),
        opened(folder, 7, run=str(tmp_path / "run"), train_fraction=0.5, classes=3),
    ):
        assert (again.files.train, again.files.test) == (first.files.train, first.files.test)
        assert again.classes == first.classes
        assert torch.equal(again.train.pixels, first.train.pixels)
        assert torch.equal(again.train.labels, first.train.labels)
        for mine, theirs in zip(halves(again, 9, 0.3), parts.values(), strict=True):
            assert torch.equal(mine, theirs)
    options = DataOptions(dataset=f"folder:{folder}", subset=str(tmp_path / "run"))
    assert classes_and_size(options) == (3, 4)


def test_a_manifest_of_another_kind_of_data_is_refused(folder, tmp_path):
    write_manifest(opened(folder, train_images=8), tmp_path / "images.jsonl", 0)
    with pytest.raises(UserError, match="lists image files"):
        open_dataset(DataOptions(dataset="digits", subset=str(tmp_path)))


def test_own_files_are_listed_and_all_files_of_a_published_data_set_are_not(folder, tmp_path):
    own = opened(folder)
    write_manifest(own, tmp_path / "images.jsonl", 0)
    parts = [entry.part for entry in Manifest.read(tmp_path / "images.jsonl").entries]
    assert parts == ["train"] * len(own.train) + ["test"] * len(own.test)
    published = replace(own, files=replace(own.files, listed=False))
    write_manifest(published, tmp_path / "published.jsonl", 0)
    assert not (tmp_path / "published.jsonl").exists()


@pytest.mark.parametrize(
    ("fraction", "message"),
    [(0.0, "above 0"), (1.5, "at most 1"), (0.01, "no image of class [a-z]")],
)
def test_impossible_shares_are_refused(folder, fraction, message):
    with pytest.raises(UserError, match=f"train_fraction {fraction}: .*{message}"):
        opened(folder, train_fraction=fraction)
