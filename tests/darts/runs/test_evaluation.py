"""A network is evaluated in evaluation mode and left as it was."""

import torch
from torch import nn

from darts.runs.evaluation import tallied
from darts.targets.single import SINGLE

BATCHES = [
    (torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0])),
    (torch.tensor([[0.0, 3.0]]), torch.tensor([1])),
]


def test_scores_are_those_of_all_images() -> None:
    found = tallied(nn.Identity(), BATCHES, lambda images: images, SINGLE.tally("ab"))
    images, labels = (torch.cat(parts) for parts in zip(*BATCHES, strict=True))
    torch.testing.assert_close(
        found.loss, nn.functional.cross_entropy(images, labels).item(), rtol=1e-6, atol=0
    )
    assert found.quality == 200 / 3


def test_the_mode_of_the_network_is_put_back() -> None:
    network = nn.Dropout(0.5).train()
    modes = []

    def forward(images: torch.Tensor) -> torch.Tensor:
        modes.append(network.training)
        return images

    tallied(network, BATCHES, forward, SINGLE.tally("ab"))
    assert modes == [False, False]
    assert network.training
