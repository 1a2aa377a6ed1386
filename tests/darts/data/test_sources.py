import numpy as np
import pytest
import torch

from darts.data.dataset import ImageTensor
from darts.data.options import DataOptions
from darts.data.sources import open_dataset
from darts.data.statistics import channel_statistics
from darts.data.streaming import ImageFiles
from darts.errors import UserError


def opened(seed=0, **options):
    return open_dataset(DataOptions(workers=0, **options), seed)


@pytest.fixture
def archive(tmp_path):
    random = np.random.default_rng(0)
    np.savez(
        tmp_path / "data.npz",
        x_train=random.integers(0, 256, (40, 12, 12, 3), np.uint8),
        y_train=np.arange(40) // 10,
        x_test=random.integers(0, 256, (8, 12, 12, 3), np.uint8),
        y_test=np.arange(8) % 4,
    )
    return f"array:{tmp_path / 'data.npz'}"


@pytest.fixture
def folder(tmp_path, write_folder):
    write_folder(tmp_path / "train", {"a": 6, "b": 6}, (30, 20))
    write_folder(tmp_path / "val", {"a": 2, "b": 2}, (30, 20))
    return f"folder:{tmp_path}"


def test_the_default_is_the_digits():
    dataset = opened()
    assert dataset.name == "digits"
    assert dataset.num_classes == 10
    assert dataset.image_size == dataset.stored_size == 8
    assert not dataset.flip
    assert dataset.mean == channel_statistics(dataset.train)[0]


def test_own_data_are_measured_and_mirrored(archive):
    dataset = opened(dataset=archive)
    assert dataset.measured
    assert dataset.flip
    assert not opened(dataset=archive, flip=False).flip
    assert (dataset.mean, dataset.std) == channel_statistics(dataset.train)


def test_subsets_are_balanced_and_come_from_the_seed(archive):
    one, same, other = (
        opened(seed, dataset=archive, train_images=20, test_images=4) for seed in (1, 1, 2)
    )
    assert one.train.labels.bincount().tolist() == [5] * 4
    assert one.test.labels.bincount().tolist() == [1] * 4
    assert torch.equal(one.train.pixels, same.train.pixels)
    assert not torch.equal(one.train.pixels, other.train.pixels)
    alone = opened(1, dataset=archive, test_images=4)
    assert torch.equal(one.test.pixels, alone.test.pixels)


def test_held_out_training_images_replace_the_test_images(archive):
    whole, held = opened(dataset=archive), opened(3, dataset=archive, hold_out=5)
    # Classes of ten images each: every fifth of a class, the same for every seed.
    apart = torch.tensor([4, 9, 14, 19, 24, 29, 34, 39])
    assert torch.equal(held.test.pixels, whole.train.pixels[apart])
    assert len(held.train) == 32
    kept = torch.ones(40, dtype=torch.bool).index_fill(0, apart, False)
    assert torch.equal(held.train.pixels, whole.train.pixels[kept])
    few = opened(3, dataset=archive, hold_out=5, train_images=32)
    assert torch.equal(few.test.pixels, held.test.pixels)
    with pytest.raises(UserError, match="hold_out 1"):
        opened(dataset=archive, hold_out=1)
    assert torch.bincount(opened(dataset=archive, hold_out=11).test.labels).tolist() == [1] * 4


@pytest.mark.parametrize(
    ("option", "count"), [("train_images", 41), ("test_images", 9), ("train_images", 0)]
)
def test_too_large_subsets_are_refused(archive, option, count):
    with pytest.raises(UserError, match=rf"{option} {count}: array:.* has \d+ such images"):
        opened(dataset=archive, **{option: count})


def test_another_size(archive):
    dataset = opened(dataset=archive, image_size=8)
    assert dataset.train.pixels.shape == (40, 3, 8, 8)
    assert dataset.image_size == 8
    dataset = opened(dataset=archive, image_size=14, augment="imagenet")
    assert dataset.train.pixels.shape == (40, 3, 16, 16)
    assert (dataset.image_size, dataset.stored_size) == (14, 16)


def test_a_size_must_be_given_for_oblong_arrays(tmp_path):
    images, labels = np.zeros((4, 8, 6, 3), np.uint8), np.array([0, 1, 0, 1])
    path = tmp_path / "oblong.npz"
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
    with pytest.raises(UserError, match="not square: give --image-size"):
        opened(dataset=f"array:{path}")
    assert opened(dataset=f"array:{path}", image_size=8).train.pixels.shape == (4, 3, 8, 8)


def test_small_folders_are_kept_in_memory_and_large_ones_in_files(folder):
    small = opened(dataset=folder, image_size=16)
    large = opened(dataset=folder, image_size=16, memory=0)
    assert isinstance(small.train, ImageTensor)
    assert isinstance(large.train, ImageFiles)
    every = torch.arange(12)
    assert torch.equal(small.train.fetch(every), large.train.fetch(every))
    assert (small.mean, small.std) == (large.mean, large.std)


def test_photographs_are_stored_larger_than_they_are_shown(folder):
    dataset = opened(dataset=folder)
    assert (dataset.image_size, dataset.stored_size) == (224, 256)
    assert dataset.train.fetch(torch.tensor([0])).shape == (1, 3, 256, 256)


def test_a_subset_of_a_folder_does_not_read_the_rest(folder, tmp_path):
    chosen = opened(dataset=folder, image_size=16, memory=0, train_images=4).train.paths
    for path in (tmp_path / "train").rglob("*.png"):
        if str(path) not in chosen:
            path.write_bytes(b"damaged")
    assert len(opened(dataset=folder, image_size=16, train_images=4).train) == 4
    with pytest.raises(UserError, match="cannot be read as an image"):
        opened(dataset=folder, image_size=16)


def test_imagenet_is_a_folder_with_published_statistics(tmp_path, write_folder):
    with pytest.raises(UserError, match=f"imagenet is not on this machine.*{tmp_path}"):
        opened(dataset="imagenet", data_dir=str(tmp_path))
    for part in ("train", "val"):
        write_folder(tmp_path / "imagenet" / part, {"n01": 1, "n02": 1}, (30, 20), "JPEG")
    dataset = opened(dataset="imagenet", data_dir=str(tmp_path))
    assert dataset.mean == (0.485, 0.456, 0.406)
    assert dataset.classes == ("n01", "n02")
    assert (dataset.image_size, dataset.stored_size) == (224, 256)


@pytest.mark.parametrize("name", ["cifar", "folder:", "array:", "zip:x", ""])
def test_an_unknown_name_lists_the_choices(name):
    with pytest.raises(UserError, match=r"[Cc]hoose among digits, cifar10, .*array:FILE\.npz"):
        opened(dataset=name)


def test_photographs_of_imagenette(shared):
    dataset = opened(
        dataset=f"folder:{shared / 'data' / 'imagenette_small'}", train_images=20, test_images=10
    )
    assert dataset.num_classes == 10
    assert dataset.train.labels.bincount().tolist() == [2] * 10
    assert dataset.train.fetch(torch.arange(20)).shape == (20, 3, 256, 256)
    # Ordinary photographs lie near the published statistics of ImageNet.
    for mean, published in zip(dataset.mean, (0.485, 0.456, 0.406), strict=True):
        assert abs(mean - published) < 0.1


def test_a_half_shares_no_image_with_the_other(archive, tmp_path):
    whole = opened(dataset="digits")
    first, second = (opened(dataset="digits", half=half) for half in ("first", "second"))
    assert torch.equal(torch.cat([first.train.pixels, second.train.pixels]), whole.train.pixels)
    assert torch.equal(first.test.pixels, whole.test.pixels)
    # Held-out images come from the half as well, and a sample is a part of it.
    held = opened(dataset="digits", half="second", hold_out=5)
    assert len(held.train) + len(held.test) == len(second.train)
    few = opened(dataset="digits", half="second", train_images=20)
    pixels = {image.numpy().tobytes() for image in second.train.pixels}
    assert all(image.numpy().tobytes() in pixels for image in few.train.pixels)
    with pytest.raises(UserError, match=r"--half second: array.* sorted by class"):
        opened(dataset=archive, half="second")
