"""Test scores of a network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from darts.data.dataset import Dataset
from darts.data.loader import evaluation_batches
from darts.data.sources import open_dataset
from darts.data.transforms import evaluation_transform
from darts.errors import UserError
from darts.runs.evaluation import Measure, loss_sum, sums_over_batches
from darts.system import distributed
from darts.system.device import dtype_of, precision_context, resolve_device
from darts.training.options import TrainingOptions
from darts.training.predict import load_trained


@dataclass(frozen=True)
class Scores:
    """Scores on the test images.

    Attributes:
        loss: Mean cross entropy.
        accuracy: Accuracy in %.
        top5_accuracy: Share of images, in %, whose label is among the five largest logits.
    """

    loss: float
    accuracy: float
    top5_accuracy: float

    def as_dict(self) -> dict[str, float]:
        return {
            "test_loss": self.loss,
            "test_accuracy": self.accuracy,
            "test_top5_accuracy": self.top5_accuracy,
        }


def score(
    network: nn.Module,
    dataset: Dataset,
    *,
    batch_size: int,
    device: torch.device,
    precision: str = "fp32",
) -> Scores:
    """Test `network`, whose forward pass returns (logits, …), on all test images of `dataset`.

    Each of several processes tests a part of the images; the scores are those of all images.
    """

    def forward(images: Tensor) -> Tensor:
        with precision_context(precision, device):
            logits, _ = network(images)
        return logits.float()

    batches = evaluation_batches(
        dataset.test,
        max(1, batch_size // distributed.world()),
        device,
        evaluation_transform(dataset),
        indices=torch.arange(distributed.rank(), len(dataset.test), distributed.world()),
        dtype=dtype_of(precision),
    )
    measures: list[Measure] = [
        loss_sum,
        partial(_number_among, best=1),
        partial(_number_among, best=5),
    ]
    loss, correct, among_five = sums_over_batches(network, batches, forward, measures)
    total = len(dataset.test)
    return Scores(loss / total, 100 * correct / total, 100 * among_five / total)


def _number_among(logits: Tensor, labels: Tensor, best: int) -> Tensor:
    """Number of images whose label is among the `best` (up to 5) largest logits."""
    guesses = logits.topk(min(5, logits.shape[1]), dim=1).indices == labels[:, None]
    return guesses[:, :best].any(dim=1).sum()


def score_checkpoint(options: TrainingOptions) -> Scores:
    """Test the trained network in `options.checkpoint` on the test images of `options.dataset`.

    Raises:
        UserError: There is no such checkpoint, or it does not fit the data set.
    """
    if options.checkpoint is None:
        raise UserError("--test-only needs --checkpoint: a checkpoint.pt or a run directory.")
    device = resolve_device(options.device, distributed.local_rank())
    trained = load_trained(options.checkpoint, device, averaged=options.averaged)
    # The network's own image size and channel statistics, as in its training.
    card = trained.card
    options = replace(options, image_size=options.image_size or card["image_size"])
    dataset = open_dataset(options, options.seed, device)
    if dataset.classes != trained.classes:
        raise UserError(
            f"{options.checkpoint} was trained on {len(trained.classes)} classes "
            f"({', '.join(trained.classes[:3])}, …), but {options.dataset} has "
            f"{dataset.num_classes} ({', '.join(dataset.classes[:3])}, …)."
        )
    dataset = replace(dataset, mean=tuple(card["mean"]), std=tuple(card["std"]))
    return score(
        trained.network,
        dataset,
        batch_size=options.batch_size,
        device=device,
        precision=options.precision,
    )
