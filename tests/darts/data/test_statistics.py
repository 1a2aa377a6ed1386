import numpy as np
import pytest
import torch

from darts.data import statistics
from darts.data.dataset import Dataset, ImageTensor
from darts.data.folders import open_folder
from darts.data.statistics import channel_statistics, with_statistics


def of_numpy(pixels):
    values = pixels.double().numpy() / 255
    return values.mean((0, 2, 3)), values.std((0, 2, 3))


@pytest.mark.parametrize("count", [1, 128, 300])
def test_equal_to_numpy(make_images, count):
    images = make_images(count)
    mean, std = channel_statistics(images)
    np.testing.assert_allclose((mean, std), of_numpy(images.pixels), rtol=1e-12)


def test_only_the_chosen_images_count(make_images):
    images, chosen = make_images(50), torch.tensor([3, 40, 7])
    mean, std = channel_statistics(images, chosen)
    np.testing.assert_allclose((mean, std), of_numpy(images.pixels[chosen]), rtol=1e-12)


def test_sums_that_overflow_32_bits_are_exact():
    pixels = torch.zeros(40, 3, 64, 64, dtype=torch.uint8)
    pixels[::2] = 255
    images = ImageTensor(pixels, torch.arange(40) % 2)
    assert channel_statistics(images) == ((0.5,) * 3, (0.5,) * 3)


def test_a_constant_channel_can_be_divided_by():
    images = ImageTensor(torch.full((2, 1, 4, 4), 255, dtype=torch.uint8), torch.tensor([0, 1]))
    assert channel_statistics(images) == ((1.0,) * 3, (1.0,) * 3)


def dataset_of(images, measured):
    return Dataset(
        name="own",
        classes=("a", "b", "c"),
        image_size=8,
        stored_size=8,
        mean=(0.1, 0.2, 0.3),
        std=(1.0, 1.0, 1.0),
        measured=measured,
        flip=True,
        train=images,
        test=images,
    )


def test_own_data_are_measured_on_the_images_that_train_the_weights(make_images):
    images, half = make_images(20), torch.arange(10)
    dataset = with_statistics(dataset_of(images, True), half)
    assert (dataset.mean, dataset.std) == channel_statistics(images, half)
    assert with_statistics(dataset_of(images, True)).mean == channel_statistics(images)[0]


def test_published_statistics_stay(make_images):
    dataset = dataset_of(make_images(20), False)
    assert with_statistics(dataset, torch.arange(10)) is dataset


def test_of_files_a_part_is_read(tmp_path, write_folder, monkeypatch):
    monkeypatch.setattr(statistics, "STREAMED_SAMPLE", 5)
    written = write_folder(tmp_path / "train", {"a": 6, "b": 6})
    write_folder(tmp_path / "val", {"a": 1, "b": 1})
    images = open_folder(tmp_path, 0, "folder:x").train.resized(12)
    every_third = np.concatenate([written["a"], written["b"]])[::3]
    mean = with_statistics(dataset_of(images, True)).mean
    np.testing.assert_allclose(mean, (every_third / 255).mean((0, 1, 2)), rtol=1e-12)
