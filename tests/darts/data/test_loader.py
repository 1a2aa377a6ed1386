import copy

import pytest
import torch

from darts.data.augmentation import Augmentation, Normalization
from darts.data.dataset import ImageTensor
from darts.data.folders import open_folder
from darts.data.loader import BatchLoader, evaluation_batches
from darts.errors import UserError
from darts.system.share import Share

PLAIN = Normalization(mean=(0.0, 0.0, 0.0), std=(1 / 255, 1 / 255, 1 / 255), size=8)
RANDOM = Augmentation(mean=(0.5,) * 3, std=(0.2,) * 3, crop_padding=1, flip=True, cutout=2)


@pytest.fixture
def numbered():
    """23 uniform images: image i has the value i everywhere, and the label i."""
    pixels = torch.arange(23, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 8, 8)
    return ImageTensor(pixels.contiguous(), torch.arange(23))


@pytest.fixture(params=["memory", "files", "workers"])
def image_set(request, make_images, tmp_path, write_folder):
    if request.param == "memory":
        return make_images(11)
    write_folder(tmp_path / "train", {"a": 5, "b": 6})
    write_folder(tmp_path / "val", {"a": 1, "b": 1})
    workers = 2 if request.param == "workers" else 0
    return open_folder(tmp_path, workers, "folder:x").train.resized(8)


def loader(images, batch_size=4, transform=PLAIN, indices=None, seed=0, **options):
    order, noise = (torch.Generator().manual_seed(seed + k) for k in (1, 2))
    indices = torch.arange(len(images)) if indices is None else indices
    made = BatchLoader(images, indices, batch_size, "cpu", transform, order, noise, **options)
    return made, order, noise


def numbers(images):
    return images[:, 0, 0, 0].round().int().tolist()


def test_an_epoch_shows_each_image_once_and_the_next_has_another_order(numbered):
    batches, _, _ = loader(numbered, drop_last=False)
    assert batches.steps_per_epoch == 6
    epochs = [[n for _ in range(6) for n in numbers(batches.next_batch()[0])] for _ in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(23))
    assert epochs[0] != epochs[1]


def test_an_incomplete_batch_is_dropped(numbered):
    batches, _, _ = loader(numbered)
    assert batches.steps_per_epoch == 5
    seen = [n for _ in range(5) for n in numbers(batches.next_batch()[0])]
    assert len(set(seen)) == len(seen) == 20


def test_images_keep_their_labels_and_only_the_chosen_ones_come(numbered):
    indices = torch.tensor([20, 3, 5, 9, 11])
    batches, _, _ = loader(numbered, 5, indices=indices)
    images, labels = batches.next_batch()
    assert sorted(labels.tolist()) == [3, 5, 9, 11, 20]
    assert numbers(images) == labels.tolist()
    assert labels.dtype == torch.int64


def test_without_shuffling_the_order_is_kept_and_nothing_is_drawn(numbered):
    batches, order, _ = loader(numbered, shuffle=False)
    before = order.get_state()
    assert numbers(batches.next_batch()[0]) == [0, 1, 2, 3]
    assert torch.equal(order.get_state(), before)


def test_every_order_is_possible():
    images = ImageTensor(
        torch.arange(3, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 8, 8), torch.arange(3)
    )
    batches, _, _ = loader(images, 3)
    seen = {tuple(numbers(batches.next_batch()[0])) for _ in range(100)}
    assert len(seen) == 6


def test_layout_and_number_format(numbered):
    images, _ = loader(numbered)[0].next_batch()
    assert images.shape == (4, 3, 8, 8)
    assert images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    images, _ = loader(numbered, dtype=torch.float64, channels_last=False)[0].next_batch()
    assert images.dtype == torch.float64
    assert images.is_contiguous()


def test_resuming_is_exact_from_every_step(image_set):
    def compare(one, other):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])

    steps = 5  # two epochs of two batches and the first step of the third
    batches, order, noise = loader(image_set, transform=RANDOM)
    states, expected = [], []
    for _ in range(steps):
        states.append(copy.deepcopy((batches.state_dict(), order.get_state(), noise.get_state())))
        expected.append(batches.next_batch())
    for start, (state, order_state, noise_state) in enumerate(states):
        resumed, order, noise = loader(image_set, transform=RANDOM, seed=100)
        resumed.load_state_dict(state)
        order.set_state(order_state)
        noise.set_state(noise_state)
        for step in range(start, steps):
            compare(resumed.next_batch(), expected[step])


def test_a_loader_can_be_sent_back(image_set):
    batches, order, noise = loader(image_set, transform=RANDOM)
    batches.next_batch()
    state, states = batches.state_dict(), (order.get_state(), noise.get_state())
    expected = [batches.next_batch()[0] for _ in range(4)]
    batches.load_state_dict(state)
    for generator, saved in zip((order, noise), states, strict=True):
        generator.set_state(saved)
    assert all(torch.equal(batches.next_batch()[0], images) for images in expected)


def test_the_state_is_plain_and_small(numbered):
    batches, _, _ = loader(numbered)
    assert batches.state_dict()["position"] == batches.position == 0
    batches.next_batch()
    state = batches.state_dict()
    assert state["position"] == 1
    assert sorted(state["order"].tolist()) == list(range(23))


def test_a_state_of_other_data_is_refused(numbered):
    batches, _, _ = loader(numbered)
    for state in ({"order": torch.arange(22), "position": 0},
                  {"order": torch.arange(23), "position": 6}):  # fmt: skip
        with pytest.raises(UserError, match="has changed since the checkpoint"):
            batches.load_state_dict(state)


def test_fewer_images_than_a_batch(numbered):
    with pytest.raises(UserError, match="23 images are fewer than one batch of 24"):
        loader(numbered, 24)
    assert loader(numbered, 24, drop_last=False)[0].steps_per_epoch == 1
    with pytest.raises(UserError, match="0 images"):
        loader(numbered, 4, indices=torch.empty(0, dtype=torch.int64), drop_last=False)


def test_the_global_generator_is_left_alone(image_set):
    state = torch.get_rng_state()
    batches, _, _ = loader(image_set, transform=RANDOM)
    for _ in range(5):
        batches.next_batch()
    list(evaluation_batches(image_set, 4, "cpu", PLAIN))
    assert torch.equal(torch.get_rng_state(), state)


def test_evaluation_sees_every_image_once_in_order(numbered):
    batches = list(evaluation_batches(numbered, 5, "cpu", PLAIN))
    assert [n for images, _ in batches for n in numbers(images)] == list(range(23))
    assert [n for _, labels in batches for n in labels.tolist()] == list(range(23))
    assert len(batches[-1][0]) == 3
    some = list(evaluation_batches(numbered, 5, "cpu", PLAIN, indices=torch.tensor([9, 2])))
    assert numbers(some[0][0]) == [9, 2]


def test_all_kinds_of_image_sets_evaluate_alike(image_set):
    images = torch.cat([images for images, _ in evaluation_batches(image_set, 4, "cpu", PLAIN)])
    expected = image_set.fetch(torch.arange(len(image_set))).float()
    torch.testing.assert_close(images, expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("parts", [2, 4])
def test_shares_make_up_the_whole_batch(make_images, parts):
    images = make_images(23)
    whole, _, _ = loader(images, batch_size=8, transform=RANDOM)
    shared = [
        loader(images, batch_size=8, transform=RANDOM, share=Share(index, parts))[0]
        for index in range(parts)
    ]
    for _ in range(5):  # Over the end of an epoch.
        pieces = [one.next_batch() for one in shared]
        for expected, found in zip(whole.next_batch(), zip(*pieces, strict=True), strict=True):
            assert torch.equal(expected, torch.cat(found))


def test_a_batch_that_cannot_be_shared_is_refused(numbered):
    with pytest.raises(ValueError, match="batches of 8 cannot be shared by 3"):
        loader(numbered, batch_size=8, share=Share(0, 3))
