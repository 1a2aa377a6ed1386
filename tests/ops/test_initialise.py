"""Weight initialisation: the distributions, and the generator that they use."""

import pytest
import torch
from torch import nn

from ops.initialise import initialise, initialise_by_fan_out, initialise_by_group_fan_out


def model() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 6, 3, groups=2),
        nn.Linear(6, 5),
    )


def test_equal_to_torch_by_default() -> None:
    torch_rng = torch.random.get_rng_state()
    torch.manual_seed(7)
    expected = model().state_dict()
    torch.random.set_rng_state(torch_rng)
    ours = model()
    initialise(ours, torch.Generator().manual_seed(7))
    for name, value in ours.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_does_not_use_the_global_generator() -> None:
    net = model()
    before = torch.random.get_rng_state()
    initialise(net, torch.Generator().manual_seed(0))
    assert torch.equal(before, torch.random.get_rng_state())


def test_same_numbers_in_every_memory_layout() -> None:
    plain, channels_last = model(), model().to(memory_format=torch.channels_last)
    for net in (plain, channels_last):
        initialise(net, torch.Generator().manual_seed(3))
    for first, second in zip(plain.parameters(), channels_last.parameters(), strict=True):
        assert torch.equal(first, second)


def test_norms_stay_constant() -> None:
    net = model()
    initialise(net, torch.Generator().manual_seed(0))
    assert torch.equal(net[1].weight, torch.ones(8))
    assert torch.equal(net[1].bias, torch.zeros(8))


def wide() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(64, 96, 3, groups=8, bias=False), nn.Conv2d(64, 128, 1), nn.Linear(300, 200)
    )


def test_by_fan_out() -> None:
    net = wide()
    initialise_by_fan_out(net, torch.Generator().manual_seed(0))
    grouped, biased, linear = net
    # sqrt(2 / (9 · 96)) for any number of groups, sqrt(2 / 128); the sampling error is about 1 %.
    assert grouped.weight.std().item() == pytest.approx(0.048113, rel=0.03)
    assert biased.weight.std().item() == pytest.approx(0.125, rel=0.03)
    assert linear.weight.std().item() == pytest.approx(0.01, rel=0.03)
    # Normal, not uniform: 4.55 % are beyond two standard deviations.
    assert (grouped.weight.abs() > 2 * 0.048113).double().mean().item() == pytest.approx(
        0.0455, abs=0.01
    )
    assert torch.equal(linear.bias, torch.zeros(200))
    assert biased.bias.abs().max() <= 1 / 8
    assert biased.bias.abs().max() > 0.9 / 8


def test_by_fan_out_repeats_from_a_seed_alone() -> None:
    first, second = wide(), wide()
    before = torch.random.get_rng_state()
    for net in (first, second):
        initialise_by_fan_out(net, torch.Generator().manual_seed(5))
    assert torch.equal(before, torch.random.get_rng_state())
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_by_group_fan_out() -> None:
    net = nn.Sequential(
        nn.Conv2d(600, 600, 5, groups=600, bias=False),
        nn.Conv2d(64, 128, 1),
        nn.Linear(300, 400),
    )
    initialise_by_group_fan_out(net, torch.Generator().manual_seed(0))
    depthwise, pointwise, linear = net
    # A depthwise kernel counts one output: sqrt(2 / 25). Then sqrt(2 / 128) and 1 / sqrt(400).
    assert depthwise.weight.std().item() == pytest.approx(0.282843, rel=0.03)
    assert pointwise.weight.std().item() == pytest.approx(0.125, rel=0.03)
    assert 0.0499 < linear.weight.abs().max().item() <= 0.05
    assert linear.weight.std().item() == pytest.approx(0.05 / 3**0.5, rel=0.03)
    assert not pointwise.bias.any()
    assert not linear.bias.any()
