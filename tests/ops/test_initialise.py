"""Initial weights: torch's own distributions, from a stream of our own."""

import torch
from torch import nn

from ops.initialise import initialise


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


def test_leaves_the_global_stream_alone() -> None:
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
