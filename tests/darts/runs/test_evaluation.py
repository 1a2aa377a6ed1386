"""The evaluation loop: sums over batches, in evaluation mode."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from darts.runs.evaluation import loss_sum, number_correct, sums_over_batches

BATCHES = [
    (torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0])),
    (torch.tensor([[0.0, 3.0]]), torch.tensor([1])),
]


def test_sums_are_those_of_all_batches_together() -> None:
    images, labels = (torch.cat(parts) for parts in zip(*BATCHES, strict=True))
    loss, correct = sums_over_batches(
        nn.Identity(), BATCHES, lambda images: images, [loss_sum, number_correct]
    )
    assert loss == pytest.approx(loss_sum(images, labels).item())
    assert correct == 2


@pytest.mark.parametrize("training", [True, False])
def test_the_network_evaluates_without_gradients_and_keeps_its_mode(training: bool) -> None:
    network, seen = nn.Linear(2, 2).train(training), []

    def forward(images: torch.Tensor) -> torch.Tensor:
        logits = network(images)
        seen.append((network.training, logits.requires_grad))
        return logits

    sums_over_batches(network, BATCHES, forward, [number_correct])
    assert seen == [(False, False)] * 2
    assert network.training == training


def test_no_batches_give_zeros() -> None:
    measures = [loss_sum, number_correct]
    assert sums_over_batches(nn.Identity(), [], lambda images: images, measures) == [0.0, 0.0]
