import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from darts.data import cache
from darts.data.cache import MappedImages, cached
from darts.data.options import DataOptions
from darts.data.sources import open_dataset
from darts.data.streaming import ImageFiles
from darts.errors import UserError


@pytest.fixture
def files(tmp_path, write_folder):
    """150 images in two classes: two full blocks and a partial one."""
    write_folder(tmp_path / "data", {"a": 75, "b": 75})
    paths = tuple(map(str, sorted((tmp_path / "data").rglob("*.png"))))
    return ImageFiles(paths, torch.arange(150) // 75, 6, workers=0)


def stored(files, tmp_path):
    return cached(files, tmp_path / "data", tmp_path / "cache")


def test_the_same_images_as_from_the_files(files, tmp_path):
    images = stored(files, tmp_path)
    indices = torch.tensor([149, 0, 77, 0])
    assert torch.equal(images.fetch(indices), files.fetch(indices))
    assert torch.equal(images.labels, files.labels)
    assert torch.equal(images.in_memory().pixels, files.in_memory().pixels)
    assert images.decoded_bytes == files.decoded_bytes
    part = images.subset(torch.tensor([100, 3]))
    assert part.labels.tolist() == [1, 0]
    assert torch.equal(part.fetch(torch.tensor([1])), files.fetch(torch.tensor([3])))
    batches = [torch.tensor(batch) for batch in ([5, 140], [2], [9, 9, 1], [30])]
    for _ in range(2):
        for batch, read in zip(batches, images.reader()(batches), strict=True):
            assert torch.equal(read, files.fetch(batch))


def test_it_is_made_once_and_depends_on_what_it_holds(files, tmp_path, monkeypatch):
    stored(files, tmp_path)
    with monkeypatch.context() as context:
        context.setattr(cache, "_make", None)
        stored(files, tmp_path)
    for other in (files.resized(5), files.subset(torch.arange(149))):
        stored(other, tmp_path)
    with open(files.paths[7], "ab") as stream:
        stream.write(b"\0")  # Pillow does not mind
    stored(files, tmp_path)
    assert len(list((tmp_path / "cache").iterdir())) == 4


def test_a_picture_edited_in_place_gets_its_own_file(tmp_path):
    """Another picture of the same name and the same number of bytes."""
    path = tmp_path / "edited.bmp"
    one = ImageFiles((str(path),), torch.tensor([0]), 12, workers=0)
    found = []
    for level in (1, 9):
        Image.new("L", (12, 12), level).save(path)
        os.utime(path, ns=(level, level))
        images = cached(one, tmp_path, tmp_path / "cache")
        found.append(images.fetch(torch.tensor([0])).unique().tolist())
    assert found == [[1], [9]]


class Stopped(Exception):
    pass


def test_it_goes_on_where_it_was_interrupted(files, tmp_path, monkeypatch):
    flush, calls = cache.flushed, []

    def interrupted(stream):
        calls.append(stream)
        if len(calls) == 4:  # pixels and sums of the first block, pixels of the second
            raise Stopped
        flush(stream)

    with monkeypatch.context() as context:
        context.setattr(cache, "flushed", interrupted)
        with pytest.raises(Stopped):
            stored(files, tmp_path)
    (journal,) = (tmp_path / "cache").glob("*.sums")
    journal.write_bytes(journal.read_bytes()[: 4 * 64 + 3])
    asked = []
    fetch = ImageFiles.fetch
    monkeypatch.setattr(
        ImageFiles, "fetch", lambda self, i: (asked.extend(i.tolist()), fetch(self, i))[1]
    )
    images = stored(files, tmp_path)
    assert asked == list(range(64, 150))
    assert torch.equal(images.in_memory().pixels, files.in_memory().pixels)
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".u8"]


def test_a_broken_image_loses_nothing_that_was_done(files, tmp_path):
    path = Path(files.paths[100])
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + bytes(len(whole) - 100))
    with pytest.raises(UserError, match=r"b/025\.png cannot be read .* --skip-corrupt"):
        stored(files, tmp_path)
    (journal,) = (tmp_path / "cache").glob("*.sums")
    assert journal.stat().st_size == 4 * 64
    path.write_bytes(whole)
    assert len(stored(files, tmp_path)) == 150


def test_damage_is_found(files, tmp_path):
    images = stored(files, tmp_path)
    size = images.path.stat().st_size
    for place, message in ((6 * 6 * 3 * 40 + 9, "image 40 differs"), (size - 40, "is damaged")):
        with open(images.path, "r+b") as stream:
            stream.seek(place)
            byte = stream.read(1)
            stream.seek(place)
            stream.write(bytes([byte[0] ^ 1]))
        with pytest.raises(UserError, match=message):
            stored(files, tmp_path).fetch(torch.tensor([1, 40]))
    with open(images.path, "r+b") as stream:
        stream.truncate(size - 1)
    with pytest.raises(UserError, match="is damaged; delete it"):
        stored(files, tmp_path)


def test_a_full_disk_is_noticed_before(files, tmp_path, monkeypatch):
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(UserError, match=r"needs 0\.0 GB more"):
        stored(files, tmp_path)


def test_two_at_a_time_make_it_once(files, tmp_path):
    with ThreadPoolExecutor(2) as pool:  # a lock is of an open file, not of a process
        made = list(pool.map(lambda _: stored(files, tmp_path), range(2)))
    assert torch.equal(made[0].in_memory().pixels, made[1].in_memory().pixels)
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".u8"]


def test_a_data_set_through_the_cache_is_the_same(tmp_path, write_folder):
    write_folder(tmp_path / "data/train", {"a": 40, "b": 40}, (14, 10))
    write_folder(tmp_path / "data/val", {"a": 5, "b": 5}, (14, 10))
    options = {"dataset": f"folder:{tmp_path / 'data'}", "workers": 0, "train_fraction": 0.5}
    options |= {"image_size": 8, "memory": 0.0}
    plain = open_dataset(DataOptions(**options))
    through = open_dataset(DataOptions(**options, cache=str(tmp_path / "cache")))
    assert isinstance(plain.train, ImageFiles)
    assert isinstance(through.train, MappedImages)
    assert (through.mean, through.std) == (plain.mean, plain.std)
    for part in ("train", "test"):
        one, other = getattr(plain, part), getattr(through, part)
        assert torch.equal(one.fetch(torch.arange(10)), other.fetch(torch.arange(10)))
    small = open_dataset(DataOptions(**{**options, "memory": 1.0}, cache=str(tmp_path / "cache")))
    assert torch.equal(small.train.pixels, plain.train.in_memory().pixels)
    assert np.array_equal(small.train.labels, plain.train.labels)
