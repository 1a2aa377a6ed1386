"""Options of a retraining. Torch-free, so that `--help` is instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from darts.data.options import DataOptions
from darts.errors import UserError
from darts.settings.options import RunOptions


@dataclass(frozen=True, kw_only=True)
class TrainingOptions(DataOptions, RunOptions):
    """A retraining from scratch; the defaults are PC-DARTS' on CIFAR-10 (§4.2, train.py).

    With --baseline, a comparison with networks of the same cost: see python -m darts compare.

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
        compile: Run the network's steps as one compiled graph (torch.compile): on, off, or auto,
            which does so on CUDA. A run keeps its choice; where nothing can be compiled, it goes on
            without.
        batch_size: Images of a step (the authors' code: 96; the paper: 128).
        learning_rate: Learning rate at the start of the schedule.
        schedule: cosine, or linear as for ImageNet, both ending at 0; or exponential.
        lr_decay: Factor of the exponential schedule.
        lr_decay_epochs: Epochs from one such factor to the next.
        lr_warmup_epochs: Epochs in which the learning rate first grows in equal steps.
        optimiser: sgd; rmsprop as in TensorFlow (EfficientNet, FBNetV3); or adamw.
        momentum: Momentum of SGD and RMSProp.
        weight_decay: Weight decay.
        decay_norms: Whether it acts on the parameters of norms, too.
        grad_clip: Largest norm of the gradient; 0 for no limit.
        label_smoothing: Share of the target that is spread over all classes.
        mixup: Mix pairs of images by shares of Beta(mixup, mixup); 0 mixes none.
        ema: Decay of a running mean of the weights, tested as well; 0.9998 or so, 0 is off.
        ema_share: Instead: the share of the training's steps that the mean remembers, from which
            its decay follows; 0.03 or so, more for short trainings, 0 is off.
        teacher: Learn from this trained network, too: its run directory or checkpoint.
        distillation_weight: Weight of the divergence from the teacher; the labels have the rest.
        dropout: Probability of dropping an input of the classifier; by default the model's own.
        auxiliary: Add the auxiliary head to a genotype's network, two thirds down.
        auxiliary_weight: Weight of the auxiliary head's loss.
        drop_path: Probability of dropping a path (stochastic depth); in networks of blocks, that
            of the last block.
        drop_path_schedule: linear grows from 0 over the epochs, constant does not.
        cutout: Side of the square cut out of each training image; 0 for none.
        test_every: Epochs between tests on the way, for watching only; 0 tests the last alone.
        averaged: With --test-only, test the running mean of the weights.
        checkpoint: Trained weights to test with --test-only: a checkpoint or a run directory.
        test_only: Only test the network in --checkpoint.
    """

    resumable = frozenset({"compile"})

    genotype: str | None = None
    model: str | None = None
    pretrained: str | None = None
    dataset: str | None = None  # type: ignore[assignment]
    stem: Literal["auto", "cifar", "imagenet"] = "auto"
    channels: int | None = None
    layers: int | None = None
    epochs: int = 600
    compile: bool | Literal["auto"] = "auto"
    batch_size: int = 96
    learning_rate: float = 0.025
    schedule: Literal["cosine", "linear", "exponential"] = "cosine"
    lr_decay: float = 0.97
    lr_decay_epochs: float = 2.4
    lr_warmup_epochs: int = 0
    optimiser: Literal["sgd", "rmsprop", "adamw"] = "sgd"
    momentum: float = 0.9
    weight_decay: float = 3e-4
    decay_norms: bool = True
    grad_clip: float = 5.0
    label_smoothing: float = 0.0
    mixup: float = 0.0
    ema: float = 0.0
    ema_share: float = 0.0
    teacher: str | None = None
    distillation_weight: float = 0.8
    dropout: float | None = None
    auxiliary: bool = True
    auxiliary_weight: float = 0.4
    drop_path: float = 0.3
    drop_path_schedule: Literal["linear", "constant"] = "linear"
    cutout: int = 16
    test_every: int = 10
    checkpoint: str | None = None
    test_only: bool = False
    averaged: bool = False
    seed: int = 0


WHERE = ("device", "threads", "data_dir", "download", "workers", "memory", "cache")
"""Options that say where and how fast a training runs, not what comes out of it."""


def check_recipe(options: TrainingOptions) -> None:
    """Refuse numbers that cannot be, before anything is read or written.

    Raises:
        UserError: It names the option and what it can be.
    """
    shares = {
        "label_smoothing": options.label_smoothing,
        "drop_path": options.drop_path,
        "dropout": options.dropout or 0.0,
        "ema": options.ema,
        "ema_share": options.ema_share,
    }
    for name, value in shares.items():
        if not 0 <= value < 1:
            raise UserError(f"--{name.replace('_', '-')}: from 0 to below 1, not {value}.")
    if options.ema and options.ema_share:
        raise UserError("--ema, --ema-share: either the decay is given, or the share of the steps.")
    if not 0 <= options.distillation_weight <= 1:
        weight = options.distillation_weight
        raise UserError(f"--distillation-weight: from 0 to 1, not {weight}.")
    if options.mixup < 0:
        raise UserError(f"--mixup: 0 or more, not {options.mixup}.")
    for name in ("lr_decay", "lr_decay_epochs"):
        if getattr(options, name) <= 0:
            raise UserError(
                f"--{name.replace('_', '-')}: more than 0, not {getattr(options, name)}."
            )


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {},
    "quick": {
        "log_every": 10,
        "compile": False,
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
        "compile": False,
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
