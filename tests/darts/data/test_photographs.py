import math

import pytest
import torch
import torch.nn.functional as F

from darts.data import photographs
from darts.data.augmentation import normalise
from darts.data.photographs import (
    PhotographAugmentation,
    cropped_one_by_one,
    random_boxes,
    resized_crop,
)
from darts.system.torchvision_compat import torchvision

SCALE, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def random_images(batch, size):
    return torch.randint(256, (batch, 3, size, size), dtype=torch.uint8, generator=stream(9))


def augmentation(**changes):
    plain = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.4), "size": 14, "flip": True}
    return PhotographAugmentation(**plain | changes)


@pytest.mark.parametrize("size", [16, 20, 7])
def test_each_crop_equals_interpolating_it_alone(size):
    images = random_images(24, 20)
    boxes = random_boxes(24, 20, 20, SCALE, RATIO, stream())
    flip = torch.arange(24) % 2 == 1
    result = resized_crop(images, boxes, flip, size)
    for number, (top, left, height, width) in enumerate(boxes.T.tolist()):
        crop = images[number : number + 1, :, top : top + height, left : left + width].float()
        expected = F.interpolate(crop, (size, size), mode="bilinear", align_corners=False)
        expected = expected.flip(3) if flip[number] else expected
        torch.testing.assert_close(result[number : number + 1], expected, atol=0.01, rtol=0)


def test_the_whole_image_at_its_own_size_is_itself():
    images = random_images(2, 9)
    boxes = torch.tensor([[0, 0], [0, 0], [9, 9], [9, 9]])
    result = resized_crop(images, boxes, torch.tensor([False, True]), 9)
    torch.testing.assert_close(result[0], images[0].float(), atol=1e-3, rtol=0)
    torch.testing.assert_close(result[1], images[1].float().flip(2), atol=1e-3, rtol=0)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_crops_one_by_one_are_those_rounded(layout):
    images = random_images(20, 24)
    boxes = random_boxes(20, 24, 24, SCALE, RATIO, stream())
    flip = torch.arange(20) % 2 == 1
    exact = resized_crop(images, boxes, flip, 16)
    rounded = cropped_one_by_one(images.contiguous(memory_format=layout), boxes, flip, 16)
    assert rounded.dtype == torch.uint8
    error = (rounded.float() - exact).abs()
    assert error.max() <= 1
    assert error.mean() < 0.3


def test_a_batch_is_augmented_in_parts_as_if_image_by_image():
    images, generator = random_images(19, 16), stream(4)
    jittering = augmentation(color_jitter=0.4, cutout=4)
    whole = jittering(images, stream(4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(photographs, "_PART", 1)
        torch.testing.assert_close(jittering(images, generator), whole, atol=1e-5, rtol=1e-5)


def test_boxes_lie_inside_and_keep_area_and_shape():
    top, left, height, width = random_boxes(5000, 256, 256, SCALE, RATIO, stream())
    assert top.min() == left.min() == 0
    assert (top + height).max() == (left + width).max() == 256
    area = height * width / 256**2
    assert 0.075 < area.min() < 0.09
    assert 0.95 < area.max() <= 1
    shape = width / height
    assert 0.73 < shape.min() < 0.77
    assert 1.31 < shape.max() < 1.36


def test_boxes_are_distributed_as_torchvisions():
    count = 4000
    ours = random_boxes(count, 64, 64, SCALE, RATIO, stream()).double()
    image = torch.empty(3, 64, 64)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        draw = torchvision.transforms.RandomResizedCrop.get_params
        theirs = torch.tensor(
            [draw(image, list(SCALE), list(RATIO)) for _ in range(count)], dtype=torch.float64
        ).T
    for mine, other in zip(ours, theirs, strict=True):
        error = math.sqrt((mine.var() + other.var()) / count)
        assert abs(mine.mean() - other.mean()) < 4 * error
        assert abs(mine.std() - other.std()) < 4 * error


def test_a_crop_that_never_fits_is_the_whole_image():
    boxes = random_boxes(3, 10, 10, (1.0, 1.0), (2.0, 2.0), stream())
    assert boxes.tolist() == [[0] * 3, [0] * 3, [10] * 3, [10] * 3]


def test_the_recipe_crops_mirrors_and_normalises():
    images = random_images(6, 16)
    result = augmentation()(images, stream(4))
    replay = stream(4)
    boxes = random_boxes(6, 16, 16, SCALE, RATIO, replay)
    flip = torch.randint(2, (6,), generator=replay).bool()
    expected = normalise(resized_crop(images, boxes, flip, 14), (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    # Crops are rounded on a CPU: a grey level at most, divided by the smallest deviation.
    torch.testing.assert_close(result, expected, atol=1 / 255 / 0.2 + 1e-5, rtol=0)
    straight = augmentation(flip=False)(images, stream(4))
    torch.testing.assert_close(straight[flip], result[flip].flip(3), atol=1e-4, rtol=0)
    assert torch.equal(straight[~flip], result[~flip])


def test_jitter_and_cutout_leave_the_other_draws_alone():
    images = random_images(6, 16)
    streams = [stream(4) for _ in range(3)]
    plain, jittered, cut = (
        augmentation(**changes)(images, generator)
        for changes, generator in zip(
            ({}, {"color_jitter": 0.4}, {"cutout": 4}), streams, strict=True
        )
    )
    assert not torch.allclose(plain, jittered, atol=0.1)
    torch.testing.assert_close(cut[cut != 0], plain[cut != 0])
    assert (cut == 0).any()
    assert all(torch.equal(s.get_state(), streams[0].get_state()) for s in streams)


def test_a_faint_jitter_changes_little():
    images = random_images(4, 16)
    plain = augmentation()(images, stream(4))
    faint = augmentation(color_jitter=1e-5)(images, stream(4))
    torch.testing.assert_close(plain, faint, atol=1e-3, rtol=0)
