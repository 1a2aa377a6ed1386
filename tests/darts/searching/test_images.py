"""The images of a search: a subset, and the same images after a resume."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from darts.data.manifest import Manifest
from darts.errors import UserError
from darts.runs.checkpoints import load_checkpoint
from darts.searching.options import SearchOptions
from darts.searching.task import SearchTask, search_cells
from tests.darts.runs_support import search_options


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part, count in (("train", 40), ("val", 5)):
        for name in "abc":
            write_images(tmp_path / "data" / part / name, count)
    return tmp_path / "data"


def write_images(folder: Path, count: int, first: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(first)
    for number in range(first, first + count):
        pixels = random.integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


def options(tmp_path: Path, folder: Path, name: str = "run", **settings: object) -> SearchOptions:
    plain = {
        "dataset": f"folder:{folder}", "train_images": None, "train_fraction": 0.5,
        "test_images": None, "epochs": 1, "batch_size": 6, "arch_fraction": 0.2, "workers": 0,
    }  # fmt: skip
    return search_options(tmp_path / name, **{**plain, **settings})


def used(task: SearchTask) -> list[list[str]]:
    files = task.dataset.files
    assert files is not None
    halves = task.images.weight_indices, task.images.validation_indices
    return [[files.train[index] for index in half.tolist()] for half in halves]


def test_a_search_lists_its_images_and_others_use_the_same(tmp_path: Path, folder: Path) -> None:
    search_cells(options(tmp_path, folder))
    manifest = Manifest.read(tmp_path / "run")
    listed = [
        [str(folder / entry.path) for entry in manifest.entries if entry.part == part]
        for part in ("weights", "architecture")
    ]
    assert [len(half) for half in listed] == [48, 12]
    assert not set(listed[0]) & set(listed[1])
    assert json.loads((tmp_path / "run/result.json").read_text())["skipped_images"] == 0

    write_images(folder / "train/a", 10, first=40)
    resumed = replace(options(tmp_path, folder), resume=str(tmp_path / "run"), run_dir=None)
    task = SearchTask(resumed)
    task.load_state_dict(load_checkpoint(tmp_path / "run")["task"])
    assert used(task) == listed
    other = options(tmp_path, folder, "other", seed=5, subset=str(tmp_path / "run"))
    assert used(SearchTask(other)) == listed
    assert used(SearchTask(replace(other, subset=None))) != listed

    Path(listed[0][3]).unlink()
    with pytest.raises(UserError, match=r"1 of the 75 images .* missing"):
        SearchTask(resumed)
