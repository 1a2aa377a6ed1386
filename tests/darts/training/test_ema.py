"""The moving average of the weights follows its recursion."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from darts.training.ema import create_average, decay_of, short_run_warning
from darts.training.task import TrainingTask
from genotypes import load_genotype
from tests.darts.runs_support import training_options


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


def test_a_share_of_the_steps_gives_the_decay() -> None:
    # FBNetV3's 0.99985 in 400 epochs of 1,281,167 images in batches of 2,048.
    assert decay_of(0.0266, 400 * 626) == pytest.approx(0.99985, abs=1e-6)
    steps, share = 1000, 0.1
    assert decay_of(share, steps) ** steps == pytest.approx(math.exp(-1 / share), rel=0.1)
    assert decay_of(0.0, steps) == 0
    assert decay_of(0.1, 5) == 0  # Half a step: the mean is the weights.


def test_a_decay_too_slow_for_the_run_is_told() -> None:
    words = short_run_warning(0.9998, 200)
    assert words is not None
    assert "96%" in words
    assert short_run_warning(0.9998, 100_000) is None
    assert short_run_warning(0.0, 200) is None


def test_a_training_takes_the_decay_from_its_length(tmp_path: Path) -> None:
    options = training_options(tmp_path, epochs=2, ema_share=0.25)
    task = TrainingTask(options, load_genotype("pcdarts_cifar10"))
    decay = decay_of(0.25, 2 * task.steps_per_epoch)
    assert 0 < decay < 1
    before = {name: p.detach().clone() for name, p in task.network.named_parameters()}
    task.begin_epoch(0)
    task.step()
    assert task.average is not None
    name, weights = next(iter(task.network.named_parameters()))
    expected = decay * before[name] + (1 - decay) * weights.detach()
    assert not weights.equal(before[name])
    averages = dict(task.average.module.named_parameters())
    assert torch.allclose(averages[name], expected, rtol=1e-5, atol=1e-8)
