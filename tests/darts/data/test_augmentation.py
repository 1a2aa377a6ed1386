import numpy as np
import pytest
import torch

from darts.data.augmentation import (
    Augmentation,
    Normalization,
    crop_and_flip,
    cut_out,
    policy_of,
    stored_size,
)
from darts.data.photographs import PhotographAugmentation
from darts.system.share import Share
from darts.system.torchvision_compat import torchvision

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


def augmentation(**changes):
    return Augmentation(
        **{"mean": MEAN, "std": STD, "crop_padding": 4, "flip": True, "cutout": 0} | changes
    )


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def one_image(pixels, top, left, mirrored, row, column, padding, cutout):
    """Apply the recipe of DARTS to one image `[H, W, 3]` uint8, step by step in float64."""
    height, width, _ = pixels.shape
    padded = np.pad(pixels, ((padding, padding), (padding, padding), (0, 0)))
    crop = padded[top : top + height, left : left + width]
    if mirrored:
        crop = crop[:, ::-1]
    result = (crop / 255 - np.array(MEAN)) / np.array(STD)
    mask = np.ones((height, width, 1))
    mask[
        max(row - cutout // 2, 0) : min(row + cutout // 2, height),
        max(column - cutout // 2, 0) : min(column + cutout // 2, width),
    ] = 0
    return result * mask


@pytest.mark.parametrize("flip", [True, False])
@pytest.mark.parametrize(("height", "width", "padding"), [(32, 32, 4), (28, 20, 3), (8, 8, 1)])
@pytest.mark.parametrize("cutout", [0, 6, 7])
def test_each_image_gets_the_literal_recipe_with_its_own_draws(
    height, width, padding, cutout, flip
):
    batch = 40
    images = torch.randint(256, (batch, 3, height, width), dtype=torch.uint8, generator=stream(7))
    transform = augmentation(crop_padding=padding, cutout=cutout, flip=flip)
    result = transform(images, stream(1))

    replay = stream(1)
    uppers = (2 * padding + 1, 2 * padding + 1, 2, height, width)
    draws = [torch.randint(upper, (batch,), generator=replay).tolist() for upper in uppers]
    for number, (top, left, mirrored, row, column) in enumerate(zip(*draws, strict=True)):
        pixels = images[number].permute(1, 2, 0).numpy()
        expected = one_image(pixels, top, left, mirrored and flip, row, column, padding, cutout)
        np.testing.assert_allclose(result[number].permute(1, 2, 0), expected, atol=2e-6)
    assert result.dtype == torch.float32


def test_crops_and_mirror_images_of_four_pixels():
    image = torch.tensor([[1, 2], [3, 4]], dtype=torch.uint8).expand(4, 1, 2, 2)
    result = crop_and_flip(
        image,
        torch.tensor([1, 0, 0, 2]),
        torch.tensor([1, 0, 0, 1]),
        torch.tensor([False, False, True, True]),
        padding=1,
    )
    assert result[:, 0].tolist() == [
        [[1, 2], [3, 4]],
        [[0, 0], [0, 1]],
        [[0, 0], [1, 0]],
        [[4, 3], [0, 0]],
    ]


def test_cutout_is_clipped_at_the_borders():
    result = cut_out(torch.ones(3, 1, 4, 4), torch.tensor([0, 2, 3]), torch.tensor([0, 2, 0]), 2)
    assert result[:, 0].int().tolist() == [
        [[0, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]],
        [[1, 1, 1, 1], [1, 0, 0, 1], [1, 0, 0, 1], [1, 1, 1, 1]],
        [[1, 1, 1, 1], [1, 1, 1, 1], [0, 1, 1, 1], [0, 1, 1, 1]],
    ]


def test_every_crop_and_both_sides_are_equally_likely():
    # One bright pixel in the middle tells where the crop was and whether it was mirrored.
    image = torch.zeros(1, 3, 5, 5, dtype=torch.uint8)
    image[0, 0, 2, 2] = 255
    image[0, 1, :, 0] = 255
    batch = 9000
    result = Augmentation(mean=(0, 0, 0), std=(1, 1, 1), crop_padding=1, flip=True)(
        image.expand(batch, -1, -1, -1), stream()
    )
    places = result[:, 0].flatten(1).argmax(1)
    counts = places.bincount(minlength=25).view(5, 5)
    assert counts.sum() == counts[1:4, 1:4].sum() == batch
    assert (counts[1:4, 1:4] - 1000).abs().max() < 5 * 1000**0.5
    mirrored = (result[:, 1, :, 3:].sum((1, 2)) > 0).sum().item()
    # A left edge that was cropped away leaves no trace: a third of the crops.
    assert abs(mirrored - batch / 3) < 5 * (batch * 2 / 9) ** 0.5


def test_crops_equal_torchvisions_to_the_bit():
    functional = torchvision.transforms.functional
    images = torch.randint(256, (16, 3, 32, 32), dtype=torch.uint8, generator=stream())
    top, left = torch.randint(9, (2, 16), generator=stream(1))
    flip = torch.rand(16, generator=stream(2)) < 0.5
    result = crop_and_flip(images, top, left, flip, 4)
    for number, image in enumerate(images):
        padded = functional.pad(image, [4])
        expected = functional.crop(padded, int(top[number]), int(left[number]), 32, 32)
        expected = functional.hflip(expected) if flip[number] else expected
        assert torch.equal(result[number], expected)


def test_the_test_transform_takes_the_middle_and_equals_torchvisions():
    images = torch.randint(256, (4, 3, 10, 10), dtype=torch.uint8, generator=stream())
    result = Normalization(mean=MEAN, std=STD, size=6)(images)
    middle = torchvision.transforms.functional.center_crop(images, [6, 6])
    expected = torchvision.transforms.Normalize(MEAN, STD)(middle.float() / 255)
    torch.testing.assert_close(result, expected, atol=2e-6, rtol=0)
    assert images.dtype == torch.uint8


def test_one_state_gives_one_result_and_the_next_another():
    images = torch.randint(256, (8, 3, 16, 16), dtype=torch.uint8, generator=stream())
    generator = stream(3)
    first, second = (augmentation()(images, generator) for _ in range(2))
    assert torch.equal(first, augmentation()(images, stream(3)))
    assert not torch.equal(first, second)


def test_switching_a_change_on_leaves_the_other_draws_alone():
    images = torch.randint(1, 256, (8, 3, 16, 16), dtype=torch.uint8, generator=stream())
    plain, cut, straight = stream(3), stream(3), stream(3)
    without = augmentation()(images, plain)
    with_cutout = augmentation(cutout=4)(images, cut)
    augmentation(flip=False)(images, straight)
    kept = with_cutout != 0
    assert torch.equal(with_cutout[kept], without[kept])
    assert 0 < (~kept).sum() <= 8 * 3 * 16
    assert torch.equal(plain.get_state(), cut.get_state())
    assert torch.equal(plain.get_state(), straight.get_state())


def test_neither_the_images_nor_the_global_generator_are_touched(make_images):
    images = make_images(4, channels=1).fetch(torch.arange(4))
    before, state = images.clone(), torch.get_rng_state()
    augmentation(cutout=4)(images, stream())
    assert torch.equal(images, before)
    assert torch.equal(torch.get_rng_state(), state)


def test_auto_goes_by_the_size():
    assert policy_of("auto", 95) == "cifar"
    assert policy_of("auto", 96) == "imagenet"
    assert policy_of("none", 224) == "none"
    assert stored_size(224, "imagenet") == 256
    assert stored_size(32, "cifar") == stored_size(32, "none") == 32


def test_photographs_in_shares_are_those_of_the_whole_batch(make_images, generator):
    transform = PhotographAugmentation(
        mean=(0.5,) * 3, std=(0.2,) * 3, size=8, flip=True, cutout=4, color_jitter=0.4
    )
    images = make_images(6, 12).pixels
    whole = transform(images, stream(3))
    shares = [
        transform(part, stream(3), Share(index, 3)) for index, part in enumerate(images.chunk(3))
    ]
    torch.testing.assert_close(torch.cat(shares), whole, rtol=0, atol=1e-5)
