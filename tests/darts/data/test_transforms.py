import dataclasses

import pytest
import torch
from PIL import Image

from darts.data.augmentation import Augmentation, Normalization
from darts.data.dataset import Dataset
from darts.data.options import DataOptions
from darts.data.photographs import PhotographAugmentation
from darts.data.transforms import evaluation_transform, load_image, training_transform
from darts.errors import UserError


@pytest.fixture
def dataset(make_images):
    return Dataset(
        name="own",
        classes=("a", "b", "c"),
        image_size=32,
        stored_size=32,
        mean=(0.1, 0.2, 0.3),
        std=(0.4, 0.5, 0.6),
        measured=True,
        flip=True,
        train=make_images(6, size=32),
        test=make_images(3, size=32),
    )


def test_small_images_get_the_recipe_of_cifar(dataset):
    assert training_transform(dataset, DataOptions(cutout=16)) == Augmentation(
        mean=dataset.mean, std=dataset.std, crop_padding=4, flip=True, cutout=16
    )


@pytest.mark.parametrize(("size", "padding"), [(28, 3), (8, 1), (4, 1)])
def test_the_padding_is_an_eighth(dataset, size, padding):
    small = dataclasses.replace(dataset, image_size=size)
    assert training_transform(small, DataOptions()).crop_padding == padding


def test_large_images_get_the_recipe_of_imagenet(dataset):
    large = dataclasses.replace(dataset, image_size=224, stored_size=256, flip=False)
    assert training_transform(large, DataOptions(color_jitter=0.4)) == PhotographAugmentation(
        mean=dataset.mean, std=dataset.std, size=224, flip=False, color_jitter=0.4
    )
    assert evaluation_transform(large) == Normalization(
        mean=dataset.mean, std=dataset.std, size=224
    )


def test_no_augmentation_is_the_evaluation_transform(dataset, generator):
    images = dataset.train.fetch(torch.arange(6))
    plain = training_transform(dataset, DataOptions(augment="none"))(images, generator)
    assert torch.equal(plain, evaluation_transform(dataset)(images, generator))


@pytest.mark.parametrize("cutout", [32, 100, -2])
def test_a_cutout_as_large_as_the_image_is_refused(dataset, cutout):
    with pytest.raises(UserError, match=f"cutout {cutout}: .*32 pixels"):
        training_transform(dataset, DataOptions(cutout=cutout))


def test_color_jitter_belongs_to_photographs(dataset):
    with pytest.raises(UserError, match="--augment imagenet"):
        training_transform(dataset, DataOptions(color_jitter=0.4))


def test_an_image_file_is_treated_as_the_test_images_are(dataset, tmp_path):
    pixels = dataset.test.fetch(torch.tensor([1]))
    Image.fromarray(pixels[0].permute(1, 2, 0).numpy()).save(tmp_path / "image.png")
    result = load_image(tmp_path / "image.png", dataset.card())
    assert torch.equal(result, evaluation_transform(dataset)(pixels, torch.Generator()))
    larger = dataset.card() | {"stored_size": 256, "image_size": 224}
    assert load_image(tmp_path / "image.png", larger).shape == (1, 3, 224, 224)
    with pytest.raises(UserError, match=r"absent\.png"):
        load_image(tmp_path / "absent.png", dataset.card())
