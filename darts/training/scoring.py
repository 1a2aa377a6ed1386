"""Test scores of a network."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from darts.data.dataset import Dataset
from darts.data.loader import evaluation_batches
from darts.data.sources import open_dataset
from darts.data.transforms import evaluation_transform
from darts.errors import UserError
from darts.runs.evaluation import tallied
from darts.system import distributed
from darts.system.device import dtype_of, precision_context, resolve_device
from darts.targets.scores import Scores
from darts.training.network import prepare_trainee
from darts.training.options import TrainingOptions
from darts.training.predict import load_trained
from darts.training.pretrained import is_run, with_normalisation


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
    return tallied(network, batches, forward, dataset.target.tally(dataset.classes))


def score_checkpoint(options: TrainingOptions) -> Scores:
    """Test the trained network in `options.checkpoint` on the test images of `options.dataset`.

    Raises:
        UserError: There is no such checkpoint, or it does not fit the data set.
    """
    device = resolve_device(options.device, distributed.local_rank())
    if options.checkpoint is None and options.pretrained is not None:
        return _score_pretrained(options, options.pretrained, device)
    if options.checkpoint is None:
        raise UserError(
            "--test-only needs --checkpoint: a checkpoint.pt or a run directory; or --pretrained "
            "with a file of weights."
        )
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
    if dataset.target != trained.target:
        raise UserError(
            f"{options.checkpoint} was trained as {trained.target.kind}, but {options.dataset} is "
            f"{dataset.target.kind}. Give --task {trained.target.kind} if the labels fit it."
        )
    dataset = replace(dataset, mean=tuple(card["mean"]), std=tuple(card["std"]))
    return score(
        trained.network,
        dataset,
        batch_size=options.batch_size,
        device=device,
        precision=options.precision,
    )


def _score_pretrained(options: TrainingOptions, file: str, device: torch.device) -> Scores:
    """Test the network of another program's file of weights.

    Raises:
        UserError: The file has another number of classes than the data set.
    """
    from darts.training.choice import plan_training

    if is_run(file):
        raise UserError(f"--test-only --pretrained {file}: this is a run; use --checkpoint.")
    plan = plan_training(options)
    options = plan.options
    dataset = with_normalisation(
        open_dataset(options, options.seed, device), file, None, options.pretrained_as
    )
    network, origin = prepare_trainee(
        replace(options, auxiliary=False),
        plan.model,
        dataset,
        device,
        torch.Generator().manual_seed(0),
    )
    if origin is not None and any(name.startswith("classifier.") for name in origin.left):
        raise UserError(
            f"--test-only: the network of {file} has other classes than the "
            f"{dataset.num_classes} of {options.dataset}. Train it on them first."
        )
    return score(
        network,
        dataset,
        batch_size=options.batch_size,
        device=device,
        precision=options.precision,
    )
