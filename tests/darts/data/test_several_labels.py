"""Data sets whose images may have several labels: read, divided, listed, read again."""

import numpy as np
import pytest
import torch
from PIL import Image

from darts.data.manifest import Manifest
from darts.data.options import DataOptions
from darts.data.sources import open_dataset
from darts.data.subsets import write_manifest
from darts.errors import UserError

ROWS = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 0]] * 5)


@pytest.fixture
def archive(tmp_path):
    def write(labels=ROWS, test=ROWS, **further):
        images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), np.uint8)
        file = tmp_path / "own.npz"
        arrays = {"x_train": images, "y_train": labels, "x_test": images, "y_test": test}
        np.savez(file, **arrays, **further)
        return f"array:{file}"

    return write


@pytest.fixture
def table(tmp_path):
    for number, row in enumerate(ROWS):
        pixels = np.full((8, 8, 3), number, np.uint8)
        pixels[0, 0, :] = row
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    lines = [
        f"{n}.png,{'|'.join('abc'[k] for k in row.nonzero()[0])}" for n, row in enumerate(ROWS)
    ]
    (tmp_path / "t.csv").write_text("image,labels\n" + "\n".join(lines))
    return f"csv:{tmp_path / 't.csv'}"


def opened(name, **options):
    return open_dataset(DataOptions(dataset=name, **options))


def check_labels(images) -> None:
    """The first pixel of each image holds its labels."""
    found = images.fetch(torch.arange(len(images)))
    assert found[:, :, 0, 0].tolist() == images.labels.tolist()


def test_arrays_of_several_labels(archive) -> None:
    dataset = opened(archive(classes=np.array(["sun", "rain", "snow"])))
    assert (dataset.target.kind, dataset.classes) == ("multi-label", ("sun", "rain", "snow"))
    assert dataset.train.labels.dtype == torch.uint8
    assert dataset.train.labels.tolist() == ROWS.tolist()
    assert dataset.card()["task"] == "multi-label"


def test_one_hot_rows_are_several_labels_only_if_it_is_said(archive) -> None:
    rows = np.eye(3, dtype=int)[np.arange(20) % 3]
    assert opened(archive(rows, rows)).target.kind == "single-label"
    assert opened(archive(rows, rows), task="multi-label").train.labels.tolist() == rows.tolist()
    # One row with two labels decides for all parts.
    assert opened(archive(rows, ROWS)).target.kind == "multi-label"


@pytest.mark.parametrize(
    ("labels", "options", "words"),
    [
        (ROWS, {"task": "single-label"}, "Several labels"),
        (ROWS * 2, {}, "Several labels"),
        (ROWS * [1, 1, 0], {}, "class 2 .* has no training image"),
        (np.arange(20) % 3, {"task": "multi-label"}, "each image has exactly one class"),
    ],
)
def test_what_does_not_fit_is_refused(archive, labels, options, words) -> None:
    with pytest.raises(UserError, match=words):
        opened(archive(labels, labels), **options)


def test_a_table_of_several_labels_is_divided_and_read_again(table, tmp_path) -> None:
    dataset = opened(table, train_images=10)
    assert dataset.target.kind == "multi-label"
    check_labels(dataset.train)
    check_labels(dataset.test)
    assert len(dataset.test) == 4  # One of each kind of row.
    write_manifest(dataset, tmp_path / "images.jsonl", 0)
    listed = Manifest.read(tmp_path / "images.jsonl")
    assert {entry.label for entry in listed.entries} == {(0, 2), (1,), (), (0, 1)}
    again = opened(table, subset=str(tmp_path / "images.jsonl"))
    assert torch.equal(again.train.labels, dataset.train.labels)
    assert again.train.labels.dtype == torch.uint8
    check_labels(again.train)
    fewer = opened(table, classes=2)
    assert fewer.train.labels.shape[1] == 2
    assert fewer.train.labels.any(1).all()


def test_a_list_of_another_kind_is_refused(table, tmp_path) -> None:
    write_manifest(opened(table, train_images=10), tmp_path / "images.jsonl", 0)
    names = opened(table).classes
    lines = [f"{number}.png,{names[number % len(names)]}" for number in range(20)]
    (tmp_path / "t.csv").write_text("image,labels\n" + "\n".join(lines))
    with pytest.raises(UserError, match="labels of another kind"):
        opened(table, subset=str(tmp_path / "images.jsonl"))


def test_rows_of_an_image_add_up_where_it_is_said(tmp_path) -> None:
    for number in range(10):
        Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(tmp_path / f"{number}.png")
    lines = [f"{n}.png,{c}" for n in range(10) for c in ("a", "b")[: 1 + n % 2]]
    (tmp_path / "t.csv").write_text("image,label\n" + "\n".join(lines))
    with pytest.raises(UserError, match="--task multi-label"):
        opened(f"csv:{tmp_path / 't.csv'}")
    dataset = opened(f"csv:{tmp_path / 't.csv'}", task="multi-label")
    assert dataset.train.labels.sum() + dataset.test.labels.sum() == 15
