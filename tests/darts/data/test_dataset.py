import numpy as np
import pytest
import torch
from PIL import Image

from darts.data.dataset import Dataset, ImageTensor


def test_images_are_fetched_by_number(make_images):
    images = make_images(9)
    batch = images.fetch(torch.tensor([4, 0, 4]))
    assert torch.equal(batch, images.pixels[[4, 0, 4]])
    assert batch.dtype == torch.uint8


def test_grey_images_are_shown_as_three_equal_channels(make_images):
    images = make_images(5, channels=1)
    batch = images.fetch(torch.arange(5))
    assert batch.shape == (5, 3, 8, 8)
    assert all(torch.equal(batch[:, channel], images.pixels[:, 0]) for channel in range(3))


def test_a_reader_keeps_the_order(make_images):
    images = make_images(9)
    plan = [torch.tensor([8, 1]), torch.tensor([0]), torch.tensor([2, 2, 3])]
    for batch, indices in zip(images.reader()(plan), plan, strict=True):
        assert torch.equal(batch, images.pixels[indices])


def test_a_subset_is_renumbered(make_images):
    images = make_images(9)
    subset = images.subset(torch.tensor([7, 2]))
    assert len(subset) == 2
    assert subset.labels.tolist() == [7 % 3, 2]
    assert torch.equal(subset.fetch(torch.tensor([0])), images.pixels[7:8])


@pytest.mark.parametrize("shape", [(20, 20), (20, 30), (31, 20)])
@pytest.mark.parametrize("size", [8, 20, 32])
def test_resizing_equals_pillow_within_rounding(shape, size):
    pixels = np.random.default_rng(0).integers(0, 256, (2, *shape, 3), np.uint8)
    images = ImageTensor(torch.from_numpy(pixels).permute(0, 3, 1, 2), torch.tensor([0, 1]))
    result = images.resized(size).pixels
    assert result.shape == (2, 3, size, size)
    short, height, width = min(shape), size * shape[0], size * shape[1]
    height, width = height // short, width // short
    left, top = round((width - size) / 2), round((height - size) / 2)
    for number in range(2):
        scaled = Image.fromarray(pixels[number]).resize((width, height), Image.BILINEAR)
        expected = np.asarray(scaled.crop((left, top, left + size, top + size)), int)
        ours = result[number].permute(1, 2, 0).numpy().astype(int)
        assert np.abs(ours - expected).max() <= 1


def test_images_of_the_right_size_are_not_copied(make_images):
    images = make_images(3)
    assert images.resized(8) is images


def test_the_card_is_plain(make_images):
    images = make_images(3)
    dataset = Dataset(
        name="own",
        classes=("a", "b", "c"),
        image_size=8,
        stored_size=9,
        mean=(0.1, 0.2, 0.3),
        std=(1.0, 2.0, 3.0),
        measured=True,
        flip=True,
        train=images,
        test=images,
    )
    assert dataset.num_classes == 3
    assert dataset.card() == {
        "name": "own",
        "task": "single-label",
        "classes": ["a", "b", "c"],
        "image_size": 8,
        "stored_size": 9,
        "mean": [0.1, 0.2, 0.3],
        "std": [1.0, 2.0, 3.0],
    }
    assert dataset.to("cpu").train.fetch(torch.arange(3)).equal(images.pixels)
