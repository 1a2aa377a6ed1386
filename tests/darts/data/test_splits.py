import pytest
import torch

from darts.data.splits import (
    balanced_subset,
    class_counts,
    file_half,
    hold_out,
    lacking,
    small_class_notes,
    split_halves,
    strata,
)
from darts.errors import UserError


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def is_a_partition(parts, total):
    return torch.equal(torch.cat(parts).sort().values, torch.arange(total))


@pytest.mark.parametrize("fraction", [0.5, 0.8, 0.1, 1 / 3, 0.29])
@pytest.mark.parametrize("order", ["by class", "mixed"])
def test_every_class_is_divided_in_proportion(fraction, order):
    labels = torch.tensor([0] * 100 + [1] * 37 + [2] * 63)
    if order == "mixed":
        labels = labels[torch.randperm(200, generator=stream(5))]
    parts = split_halves(labels, fraction, stream())
    assert is_a_partition(parts, 200)
    assert len(parts[0]) == int(200 * fraction + 1e-9)
    for number, size in enumerate((100, 37, 63)):
        assert abs((labels[parts[0]] == number).sum() - fraction * size) < 1
    assert all(torch.equal(part, part.sort().values) for part in parts)


def test_the_draw_depends_on_the_generator_alone():
    labels = torch.arange(60) % 3
    one, same, other = (split_halves(labels, 0.5, stream(seed))[0] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_each_image_is_as_likely_in_either_part():
    labels = torch.tensor([0] * 5 + [1] * 6)
    generator, count = stream(), torch.zeros(11)
    for _ in range(2000):
        count[split_halves(labels, 0.5, generator)[0]] += 1
    # floor(11 / 2) = 5 of 11: of the first class 2, of the second 3.
    assert (count[:5] / 2000 - 2 / 5).abs().max() < 0.06
    assert (count[5:] / 2000 - 3 / 6).abs().max() < 0.06


def test_the_papers_rule_goes_by_file_order():
    labels = torch.arange(9) % 2
    first, second = split_halves(labels, 0.5, method="paper")
    assert first.tolist() == [0, 1, 2, 3]
    assert second.tolist() == [4, 5, 6, 7, 8]


@pytest.mark.parametrize("fraction", [0.0, 1.0, 0.01, -1.0])
def test_an_empty_part_is_refused(fraction):
    with pytest.raises(UserError, match="20 training images"):
        split_halves(torch.arange(20) % 2, fraction, stream())


def test_a_class_with_one_image_is_in_one_part_and_the_other_lacks_it():
    labels = torch.tensor([0] * 10 + [1])
    parts = split_halves(labels, 0.5, stream())
    assert is_a_partition(parts, 11)
    assert sorted(lacking(labels, part) for part in parts) == [[], [1]]


def test_subsets_are_balanced_and_nested():
    labels = torch.tensor([0] * 50 + [1] * 4 + [2] * 30)
    chosen = balanced_subset(labels, 24, stream())
    assert labels[chosen].bincount().tolist() == [10, 4, 10]
    assert chosen.unique().tolist() == chosen.tolist()
    larger = balanced_subset(labels, 60, stream())
    assert set(chosen.tolist()) < set(larger.tolist())
    assert balanced_subset(labels, 84, stream()).tolist() == list(range(84))


def test_a_remainder_differs_by_one_at_most():
    counts = (torch.arange(90) % 3)[balanced_subset(torch.arange(90) % 3, 31, stream())].bincount()
    assert sorted(counts.tolist()) == [10, 10, 11]


@pytest.mark.parametrize("count", [0, -1, 11])
def test_more_images_than_there_are_are_refused(count):
    with pytest.raises(UserError, match="out of 10"):
        balanced_subset(torch.arange(10) % 2, count, stream())


def test_every_fifth_image_of_a_class_is_held_out():
    labels = torch.tensor([0, 1] * 5 + [0] * 5 + [1])
    train, test = hold_out(labels)
    assert test.tolist() == [8, 9, 14]
    assert is_a_partition((train, test), 16)


def test_of_small_classes_one_image_is_held_out_unless_it_is_the_only_one():
    labels = torch.tensor([0] * 9 + [1] * 4 + [2])
    train, test = hold_out(labels)
    assert labels[test].tolist() == [0, 1]
    assert is_a_partition((train, test), 14)
    assert small_class_notes(labels, ["a", "b", "c"], 5) == [
        "Class b (4) has fewer than 5 images; one is held out.",
        "Class c has one image; it is trained on and not tested.",
    ]
    with pytest.raises(UserError, match="each class has only one image"):
        hold_out(torch.tensor([0, 1]))


def test_images_with_several_labels_are_divided_by_their_rarest():
    labels = torch.tensor([[1, 0, 0]] * 10 + [[1, 1, 0]] * 10 + [[0, 1, 1]] * 5 + [[0, 0, 0]] * 5)
    assert strata(labels).bincount().tolist() == [10, 10, 5, 5]
    _, test = hold_out(labels)
    assert class_counts(labels[test], 3).tolist() == [4, 3, 1]
    first, second = split_halves(labels, 0.5, stream())
    assert is_a_partition((first, second), 30)
    counts = class_counts(labels[first], 3) - class_counts(labels[second], 3)
    assert counts.abs().max() <= 1
    assert class_counts(labels[balanced_subset(labels, 4, stream())], 3).min() >= 1


def test_halves_in_file_order():
    labels = torch.tensor([0, 1] * 5 + [0])
    first, second = (file_half(labels, half, "x", "ab") for half in ("first", "second"))
    assert first.tolist() == [0, 1, 2, 3, 4]
    assert is_a_partition((first, second), 11)
    with pytest.raises(UserError, match="--half first: x has no image of class dog in this"):
        file_half(torch.tensor([0, 0, 1, 1]), "first", "x", ("cat", "dog"))
