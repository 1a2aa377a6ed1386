"""The running mean of weights, against its recursion."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from darts.training.ema import create_average


def test_it_begins_as_a_copy_and_follows_the_recursion_in_weights_and_statistics() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1)).double()
    decay, weights, means = 0.9, [], []
    average = create_average(network, decay)
    assert average is not None
    before = network[0].weight.item()
    assert average.module[0].weight.item() == before
    generator = torch.Generator().manual_seed(0)
    for value in (1.0, -2.0, 5.0):
        with torch.no_grad():
            network[0].weight.fill_(value)
        network(torch.randn(2, 1, 3, 3, generator=generator, dtype=torch.float64))
        average.update_parameters(network)
        weights.append(value)
        means.append(network[1].running_mean.item())
    expected, statistic = before, 0.0
    for value, mean in zip(weights, means, strict=True):
        expected = decay * expected + (1 - decay) * value
        statistic = decay * statistic + (1 - decay) * mean
    assert average.module[0].weight.item() == pytest.approx(expected, rel=1e-12)
    assert average.module[1].running_mean.item() == pytest.approx(statistic, rel=1e-12)
    assert not any(parameter.requires_grad for parameter in average.parameters())
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_decay_0_is_no_mean() -> None:
    assert create_average(nn.Linear(1, 1), 0.0) is None
