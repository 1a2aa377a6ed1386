"""Steps of SGD in which some operations do not take part."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from cells.stacked import StackedOperation
from darts.searching.partial_sgd import partial_step


def network() -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 12, 3, groups=3), nn.Conv2d(12, 4, 1), nn.Conv2d(4, 2, 1))
    return net.to(memory_format=torch.channels_last)


def operations_of(net: nn.Module) -> list[StackedOperation]:
    """The first two convolutions, with 3 and 2 edges."""
    return [
        StackedOperation(0, "one", 0, (0, 1, 2), tuple(net[0].parameters())),
        StackedOperation(0, "two", 1, (0, 1), tuple(net[1].parameters())),
    ]


def steps(net: nn.Module, optimiser: torch.optim.SGD, flags: list, seeds: range) -> None:
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        for parameter in net.parameters():
            gradient = torch.randn(parameter.shape, generator=generator)
            parameter.grad = (
                gradient.to(memory_format=torch.channels_last) if gradient.dim() == 4 else gradient
            )
        partial_step(optimiser, operations_of(net), flags)


SETTINGS = [
    {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01, "fused": True},
    {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01, "fused": True, "nesterov": True},
    {"lr": 0.1, "momentum": 0.9},
    {"lr": 0.1},
]


def assert_same(one: Tensor, other: Tensor, settings: dict) -> None:
    """The fused kernel rounds differently where a tensor ends; the others do not."""
    tolerance = 1e-6 if settings.get("fused") else 0.0
    torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_what_takes_part_moves_as_in_a_plain_step_and_the_rest_not_by_a_bit(settings: dict) -> None:
    net = network()
    twin = copy.deepcopy(net)
    everything = [(True,) * 3, (True,) * 2]
    optimiser = torch.optim.SGD(net.parameters(), **settings)
    plain = torch.optim.SGD(twin.parameters(), **settings)
    steps(net, optimiser, everything, range(3))
    steps(twin, plain, everything, range(3))
    before = copy.deepcopy(net)
    momentum = [
        optimiser.state[parameter].get("momentum_buffer", torch.zeros(1)).clone()
        for parameter in net.parameters()
    ]
    steps(net, optimiser, [(True, False, True), (False, False)], range(5, 6))
    steps(twin, plain, everything, range(5, 6))
    ours, theirs, old = (list(one.parameters()) for one in (net, twin, before))
    flags = [[True, False, True]] * 2 + [[False, False]] * 2 + [[True]] * 2
    for place, keeps in enumerate(flags):
        for row, flag in enumerate(keeps):
            size = len(ours[place]) // len(keeps)
            part = slice(row * size, (row + 1) * size)
            assert ours[place][part].equal(old[place][part]) == (not flag)
            if flag:
                assert_same(ours[place][part], theirs[place][part], settings)
            if settings.get("momentum"):
                buffer = optimiser.state[ours[place]]["momentum_buffer"]
                of_twin = plain.state[theirs[place]]["momentum_buffer"]
                assert buffer[part].equal(momentum[place][part]) == (not flag)
                if flag:
                    assert_same(buffer[part], of_twin[part], settings)
    assert all(parameter.grad is not None for parameter in ours)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_first_step_of_some_rows(settings: dict) -> None:
    net = network()
    twin = copy.deepcopy(net)
    optimiser = torch.optim.SGD(net.parameters(), **settings)
    plain = torch.optim.SGD(twin.parameters(), **settings)
    for seeds in (range(1), range(1, 2)):
        steps(net, optimiser, [(True, False, True), (True, True)], seeds)
        steps(twin, plain, [(True,) * 3, (True,) * 2], seeds)
    for ours, theirs in zip(net[0].parameters(), twin[0].parameters(), strict=True):
        rows = [0, 1, 2, 3, 8, 9, 10, 11]
        assert_same(ours[rows], theirs[rows], settings)


def test_operations_without_gradients_are_passed_over() -> None:
    net = network()
    before = copy.deepcopy(net)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    partial_step(optimiser, operations_of(net), [(True, False, True), (True, True)])
    for ours, theirs in zip(net.parameters(), before.parameters(), strict=True):
        assert ours.equal(theirs)


def test_a_parameter_takes_part_for_the_first_time_after_others() -> None:
    net = network()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, fused=True)
    steps(net, optimiser, [(True, False, True), (False, False)], range(1))
    before = net[1].weight.detach().clone()
    steps(net, optimiser, [(False, False, True), (True, True)], range(1, 2))
    assert not (net[1].weight == before).any()
