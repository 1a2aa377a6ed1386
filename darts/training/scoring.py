"""How well a network does on test images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from darts.data.dataset import Dataset
from darts.data.loader import evaluation_batches
from darts.data.transforms import evaluation_transform
from darts.system import distributed
from darts.system.device import dtype_of, precision_context


@dataclass(frozen=True)
class Scores:
    """What a network reaches on test images: mean loss, and accuracy (%) at 1 and 5 guesses."""

    loss: float
    accuracy: float
    top5_accuracy: float

    def as_dict(self) -> dict[str, float]:
        return {
            "test_loss": self.loss,
            "test_accuracy": self.accuracy,
            "test_top5_accuracy": self.top5_accuracy,
        }


@torch.no_grad()
def score(
    network: nn.Module,
    dataset: Dataset,
    *,
    batch_size: int,
    device: torch.device,
    precision: str = "fp32",
) -> Scores:
    """Test `network`, whose forward gives (logits, …), on all test images of `dataset`.

    Several processes test a part each; the scores are those of all images.
    """
    was_training = network.training
    network.eval()
    loss = correct = among_five = 0.0
    for images, labels in evaluation_batches(
        dataset.test,
        max(1, batch_size // distributed.world()),
        device,
        evaluation_transform(dataset),
        indices=torch.arange(distributed.rank(), len(dataset.test), distributed.world()),
        dtype=dtype_of(precision),
    ):
        with precision_context(precision, device):
            logits, _ = network(images)
        logits = logits.float()
        loss += functional.cross_entropy(logits, labels, reduction="sum").item()
        guesses = logits.topk(min(5, logits.shape[1]), dim=1).indices == labels[:, None]
        correct += guesses[:, 0].sum().item()
        among_five += guesses.any(dim=1).sum().item()
    network.train(was_training)
    loss, correct, among_five = distributed.total([loss, correct, among_five])
    total = len(dataset.test)
    return Scores(loss / total, 100 * correct / total, 100 * among_five / total)
