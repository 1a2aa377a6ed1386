"""What a look at the data finds."""

from __future__ import annotations

import json
import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from darts.advising.looking import DataSummary, look
from darts.advising.rules import own_size
from darts.data.options import DataOptions
from darts.data.sources import dataset_of
from darts.errors import UserError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve cats, three dogs, four test images; one copy in the test part, one broken file."""
    generator = np.random.default_rng(0)
    root = tmp_path / "photos"
    for part, name, count in (
        ("train", "cat", 12),
        ("train", "dog", 3),
        ("test", "cat", 2),
        ("test", "dog", 2),
    ):
        place = root / part / name
        place.mkdir(parents=True)
        for number in range(count):
            pixels = generator.integers(0, 256, (20 + number, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(place / f"{number:02d}.png")
    shutil.copy(root / "train/dog/00.png", root / "test/dog/00.png")
    (root / "train/cat/05.png").write_bytes(b"\x89PNG broken")
    return root


def test_a_folder(photos):
    found = look(DataOptions(dataset=f"folder:{photos}", workers=0))
    assert found.classes == ("cat", "dog")
    assert (found.train_counts, found.test_counts) == ((12, 3), (2, 2))
    assert found.duplicates == 1
    assert [Path(one).name for one in found.unreadable] == ["05.png"]
    assert found.checked == 15
    assert found.files
    assert found.sides == (
        20,
        24,
        30,
    )  # The upper median of 20, 20, 21, 21, 22, 22, 23, 24, 26 … 30.
    assert found.imbalance == 4
    assert found.majority == 50
    text = " ".join(found.sentences())
    assert text.count("1 of the 4 test images") == 1
    assert "1 of the 4 test images equals a training image" in text
    assert "1 of 15 training files cannot be read and is left out" in text
    # They are oblong and of different sizes: 224, the usual size, is not their own.
    assert found.size is None
    assert "4.0 times" in text
    assert "05.png" in text


def test_oblong_images_of_one_size_have_no_size_of_their_own(tmp_path):
    for part, name in product(("train", "test"), "ab"):
        (tmp_path / part / name).mkdir(parents=True)
        Image.new("RGB", (60, 48)).save(tmp_path / part / name / "1.png")
    found = look(DataOptions(dataset=f"folder:{tmp_path}", workers=0))
    assert (found.size, found.sides) == (None, (48, 48, 48))
    assert own_size(found.size, found.sides[1]) == 48


def test_a_summary_survives_json(photos):
    found = look(DataOptions(dataset=f"folder:{photos}", workers=0))
    assert DataSummary.from_dict(json.loads(json.dumps(found.as_dict()))) == found


def test_equal_images_in_an_array(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
    file = tmp_path / "a.npz"
    labels = np.arange(12) % 2
    np.savez(file, x_train=pixels, y_train=labels, x_test=pixels[2:5], y_test=labels[2:5])
    found = look(DataOptions(dataset=dataset_of(str(file))))
    assert (found.duplicates, found.size, found.files) == (3, 8, False)


def test_paths_become_data_sets(photos, tmp_path):
    assert dataset_of(str(photos)) == f"folder:{photos}"
    with pytest.raises(UserError, match="no such folder or file"):
        dataset_of(str(tmp_path / "photso"))
