"""Options of a detector's training. Torch-free, so that `--help` is instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from darts.errors import UserError
from darts.settings.options import RunOptions


@dataclass(frozen=True, kw_only=True)
class DetectionOptions(RunOptions):
    """An SSD on the feature maps of a network, as in PC-DARTS (§4.5).

    Args:
        genotype: Backbone: name of a cell in the zoo, or a YAML file.
        model: Instead of a genotype, any other network: regnetx_400mf, resnet50 … or a YAML file.
        pretrained: Begin with the backbone of a retraining: its run directory or checkpoint.
            Without a genotype or a model, that run's network is taken.
        channels: Channels of a genotype's first cell; by default 48.
        layers: Number of a genotype's cells; by default 14.
        stem: imagenet divides the resolution by 8, cifar keeps it; auto goes by the image size.
        head: ssd predicts by 3x3 convolutions, ssdlite by separable ones.
        finest_stride: Predict from the backbone's maps of this stride and coarser ones.
        dataset: coco is any data in COCO's format; shapes draws its own circles, squares and
            triangles.
        data_dir: Directory of data in COCO's format: train2017/ or train/, val2017/ or val/, and
            annotations/ with instances_train2017.json or train.json, and so on. Also where shapes
            are kept; by default $DARTS_DATA or else ~/.cache/darts/data.
        train_images: Folder of the training images, if it is not found in data_dir.
        train_annotations: Their annotations, a JSON file in COCO's format.
        val_images: Folder of the validation images.
        val_annotations: Their annotations.
        image_size: Side of the squares that images are brought to, in pixels.
        augment: ssd zooms out, crops, mirrors and changes colours; flip only mirrors.
        epochs: Epochs of training; the last one's AP is the result.
        batch_size: Images of a step.
        learning_rate: Learning rate at the start of the schedule, a cosine that ends at 0.
        lr_warmup_epochs: Epochs in which the learning rate first grows, step by step.
        optimiser: sgd, rmsprop or adamw.
        momentum: Momentum of SGD and RMSProp.
        weight_decay: Weight decay.
        decay_norms: Whether it acts on the parameters of norms, too.
        grad_clip: Largest norm of the gradient; 0 for no limit.
        test_every: Epochs between evaluations on the way, for watching only; 0 is the last alone.
        score_threshold: Detections below this score are dropped.
        nms_threshold: Of two detections of a class that overlap more than this, the better stays.
        pictures: Validation images to draw detections into.
        workers: Processes that decode image files.
        checkpoint: Trained detector to test with --test-only: a checkpoint or a run directory.
        test_only: Only evaluate the detector in --checkpoint.
    """

    fixed = frozenset({"accumulate", "recompute_cells", "sync_norm"})

    genotype: str | None = None
    model: str | None = None
    pretrained: str | None = None
    channels: int | None = None
    layers: int | None = None
    stem: Literal["auto", "cifar", "imagenet"] = "auto"
    head: Literal["ssd", "ssdlite"] = "ssd"
    finest_stride: int = 8
    dataset: Literal["coco", "shapes"] = "coco"
    data_dir: str | None = None
    train_images: str | None = None
    train_annotations: str | None = None
    val_images: str | None = None
    val_annotations: str | None = None
    image_size: int = 320
    augment: Literal["ssd", "flip", "none"] = "ssd"
    epochs: int = 120
    batch_size: int = 32
    learning_rate: float = 0.01
    lr_warmup_epochs: int = 1
    optimiser: Literal["sgd", "rmsprop", "adamw"] = "sgd"
    momentum: float = 0.9
    weight_decay: float = 5e-4
    decay_norms: bool = True
    grad_clip: float = 5.0
    test_every: int = 10
    score_threshold: float = 0.01
    nms_threshold: float = 0.45
    pictures: int = 8
    workers: int = 2
    checkpoint: str | None = None
    test_only: bool = False
    seed: int = 0


SHAPES_SETTINGS: Mapping[str, Any] = {
    "image_size": 96,
    "augment": "flip",
    "epochs": 20,
    "batch_size": 16,
    "learning_rate": 2e-3,
    "optimiser": "adamw",
    "weight_decay": 1e-2,
    "workers": 0,
    "log_every": 10,
}
"""What `--dataset shapes` implies."""

DETECTION_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {},
    "quick": {"epochs": 12, "log_every": 10},
    "smoke": {"epochs": 2, "log_every": 5, "pictures": 2},
}


def detection_overlay(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the data set and the preset imply."""
    shapes = SHAPES_SETTINGS if settings["dataset"] == "shapes" else {}
    return {**shapes, **DETECTION_PRESETS[settings["preset"]]}


def check_detection_options(options: DetectionOptions) -> None:
    """Refuse numbers that cannot be, before anything is read or written.

    Raises:
        UserError: It names the option and what it can be.
    """
    for name in ("epochs", "batch_size", "image_size", "finest_stride"):
        if getattr(options, name) < 1:
            flag = name.replace("_", "-")
            raise UserError(f"--{flag}: 1 or more, not {getattr(options, name)}.")
    for name in ("score_threshold", "nms_threshold"):
        if not 0 <= getattr(options, name) <= 1:
            flag = name.replace("_", "-")
            raise UserError(f"--{flag}: from 0 to 1, not {getattr(options, name)}.")
    for name in ("pictures", "workers", "test_every", "lr_warmup_epochs"):
        if getattr(options, name) < 0:
            flag = name.replace("_", "-")
            raise UserError(f"--{flag}: 0 or more, not {getattr(options, name)}.")
    if not options.learning_rate > 0:
        raise UserError(f"--learning-rate: more than 0, not {options.learning_rate}.")
