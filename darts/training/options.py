"""Options of a retraining. Torch-free, so that `--help` is instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from darts.data.options import DataOptions
from darts.options import RunOptions


@dataclass(frozen=True, kw_only=True)
class TrainingOptions(DataOptions, RunOptions):
    """A retraining from scratch; the defaults are PC-DARTS' on CIFAR-10 (§4.2, train.py).

    Args:
        genotype: Name in the zoo, or a YAML file.
        model: Instead of a genotype, any other network: regnetx_400mf, resnet50 … or a YAML file.
        pretrained: Begin with the weights of another run: its directory or checkpoint. Classifiers
            are loaded only where the classes are the same. Without a genotype or a model, that
            run's network is taken.
        dataset: As for a search; by default what the genotype was searched on, else cifar10.
        stem: cifar keeps the resolution, imagenet divides it by 8, auto goes by the image size.
        channels: Channels of a genotype's first cell; by default 36 (stem cifar) or 48 (imagenet).
        layers: Number of a genotype's cells; by default 20 (stem cifar) or 14 (imagenet).
        epochs: Epochs of training; the last one's accuracy is the result.
        batch_size: Images of a step (the authors' code: 96; the paper: 128).
        learning_rate: Learning rate at the start of the schedule.
        schedule: cosine, or linear as for ImageNet; both end at 0.
        lr_warmup_epochs: Epochs in which the learning rate first grows in equal steps.
        momentum: Momentum of SGD.
        weight_decay: Weight decay.
        grad_clip: Largest norm of the gradient; 0 for no limit.
        label_smoothing: Share of the target that is spread over all classes.
        auxiliary: Add the auxiliary head to a genotype's network, two thirds down.
        auxiliary_weight: Weight of the auxiliary head's loss.
        drop_path: Probability of dropping a path at the end; it grows linearly from 0.
        cutout: Side of the square cut out of each training image; 0 for none.
        test_every: Epochs between tests on the way, for watching only; 0 tests the last alone.
        checkpoint: Trained weights to test with --test-only: a checkpoint or a run directory.
        test_only: Only test the network in --checkpoint.
    """

    genotype: str | None = None
    model: str | None = None
    pretrained: str | None = None
    dataset: str | None = None  # type: ignore[assignment]
    stem: Literal["auto", "cifar", "imagenet"] = "auto"
    channels: int | None = None
    layers: int | None = None
    epochs: int = 600
    batch_size: int = 96
    learning_rate: float = 0.025
    schedule: Literal["cosine", "linear"] = "cosine"
    lr_warmup_epochs: int = 0
    momentum: float = 0.9
    weight_decay: float = 3e-4
    grad_clip: float = 5.0
    label_smoothing: float = 0.0
    auxiliary: bool = True
    auxiliary_weight: float = 0.4
    drop_path: float = 0.3
    cutout: int = 16
    test_every: int = 10
    checkpoint: str | None = None
    test_only: bool = False
    seed: int = 0


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {},
    "quick": {
        "log_every": 10,
        "channels": 16,
        "layers": 5,
        "epochs": 30,
        "batch_size": 64,
        "auxiliary": False,
        "drop_path": 0.1,
        "cutout": 0,
    },
    "smoke": {
        "log_every": 5,
        "channels": 8,
        "layers": 3,
        "epochs": 2,
        "batch_size": 32,
        "auxiliary": False,
        "drop_path": 0.1,
        "cutout": 0,
        "train_images": 320,
        "test_images": 100,
    },
}
