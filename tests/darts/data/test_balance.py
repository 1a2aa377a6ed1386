"""Balanced sampling: equally many images of each class, and the same after a resumption."""

import pytest
import torch

from darts.data.augmentation import Normalization
from darts.data.balance import balanced_order
from darts.data.dataset import ImageTensor
from darts.data.loader import BatchLoader
from darts.errors import UserError
from darts.system.share import WHOLE, Share

LABELS = torch.tensor([0] * 12 + [1] * 3 + [2] * 2)


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def test_each_class_has_its_share_and_small_ones_are_gone_through_evenly() -> None:
    order = balanced_order(LABELS)
    generator, more = stream(), set()
    for _ in range(20):
        chosen = order(generator)
        counts = LABELS[chosen].bincount()
        assert sorted(counts.tolist()) == [5, 6, 6]
        more.add(int(counts.argmin()))
        times = chosen.bincount(minlength=17)
        assert times[:12].max() == 1
        assert times[12:15].max() - times[12:15].min() <= 1
    assert more == {0, 1, 2}
    assert not torch.equal(order(stream(1)), order(stream(2)))


def test_images_with_several_labels_are_refused() -> None:
    with pytest.raises(UserError, match="--class-weights balanced"):
        balanced_order(torch.zeros(3, 2))


def loader(share=WHOLE):
    pixels = torch.arange(17, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 4, 4)
    plain = Normalization(mean=(0.0,) * 3, std=(1 / 255,) * 3, size=4)
    return BatchLoader(
        ImageTensor(pixels.contiguous(), LABELS),
        torch.arange(17),
        4,
        "cpu",
        plain,
        stream(3),
        stream(4),
        epoch_order=balanced_order(LABELS),
        share=share,
    )


def numbers(batches) -> list[int]:
    return [round(value) for images, _ in batches for value in images[:, 0, 0, 0].tolist()]


def test_a_resumed_loader_continues_the_order_and_processes_share_it() -> None:
    whole = loader()
    seen = numbers(whole.next_batch() for _ in range(6))
    first = loader()
    begun = numbers(first.next_batch() for _ in range(2))
    state, generator = first.state_dict(), first._order.get_state()
    again = loader()
    again._order.set_state(generator)
    again.load_state_dict(state)
    assert begun + numbers(again.next_batch() for _ in range(4)) == seen
    halves = [loader(Share(index, 2)) for index in range(2)]
    assert numbers(one.next_batch() for _ in range(4) for one in halves) == seen[:16]
