"""Options of a detector's training. Torch-free, so that `--help` is instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from darts.settings.options import (
    LoopOptions,
    PlaceOptions,
    PresetOptions,
    SeedOptions,
    option,
)


@dataclass(frozen=True, kw_only=True)
class DetectionOptions(
    LoopOptions,
    PlaceOptions,
    SeedOptions,
    PresetOptions,
):
    """A detector on the feature maps of a network, as in PC-DARTS (arXiv 1907.05737, §4.5).

    Args:
        genotype: Backbone of cells: a name in the zoo or a YAML file.
        model: Any other backbone: regnetx_400mf, resnet50 … or a YAML file.
        pretrained: Start from the weights of a run of evaluate.py: its run directory or checkpoint.
            Without --genotype and --model, the network of that run is the backbone. Or a .pth, .pt
            or .safetensors file of timm, torchvision or the authors of DARTS and PC-DARTS.
        channels: Channels of the first cell of a genotype; by default 48.
        layers: Number of cells of a genotype; by default 14.
        stem: imagenet divides the resolution by 8, cifar keeps it; auto depends on the image size.
        head: ssd predicts with 3x3 convolutions, ssdlite with separable ones; retinanet and
            faster-rcnn are torchvision's on a feature pyramid.
        finest_stride: Predict from the maps of the backbone with this stride or a larger one; 8,
            but 4 for faster-rcnn.
        pyramid_channels: Channels of the feature pyramid of retinanet and faster-rcnn.
        dataset: coco reads data in COCO's format; shapes draws images of circles, squares and
            triangles.
        data_dir: Directory of data in COCO's format: train2017/ or train/, val2017/ or val/, and
            annotations/ with instances_train2017.json or train.json, and so on. Drawn shapes are
            stored there, too. By default $DARTS_DATA, or else ~/.cache/darts/data.
        train_images: Folder of the training images, if --data-dir has another layout.
        train_annotations: JSON file of the training annotations in COCO's format.
        val_images: Folder of the validation images, if --data-dir has another layout. With
            --test-only and without annotations, what is found in them is written to --run-dir.
        val_annotations: JSON file of the validation annotations in COCO's format.
        image_size: Images are resized to squares with this side, in pixels.
        augment: ssd zooms out, crops, mirrors and changes colours; flip only mirrors.
        epochs: Epochs of training; the result is the AP after the last epoch.
        batch_size: Images per step.
        learning_rate: Initial learning rate; it falls to 0 along a cosine.
        lr_warmup_epochs: Epochs during which the learning rate first rises linearly.
        optimiser: sgd, rmsprop or adamw.
        momentum: Momentum of SGD and RMSProp.
        weight_decay: Weight decay.
        decay_norms: Whether weight decay applies to the parameters of batch norms.
        grad_clip: Largest norm of the gradient; 0 for no limit.
        ema: Decay of an exponential moving average of the weights, which is evaluated as well, as
            average_ap; 0 for none.
        test_every: Evaluate every N epochs, for information only; 0: only after the last epoch.
        score_threshold: Detections with a lower score are dropped; 0.01, but 0.05 for retinanet and
            faster-rcnn.
        nms_threshold: If two detections of a class have an IoU above this, the weaker is dropped;
            0.45, but 0.5 for retinanet and faster-rcnn.
        pictures: Number of validation images in detections.png.
        sync_norm: With several processes, compute batch norm statistics over all of them.
        workers: Processes that decode image files.
        checkpoint: Trained detector to test with --test-only: a checkpoint or a run directory.
        test_only: Only evaluate the detector in --checkpoint; nothing is written.
        averaged: With --test-only, evaluate the moving average of the weights.
    """

    genotype: str | None = None
    model: str | None = None
    pretrained: str | None = None
    channels: int | None = None
    layers: int | None = None
    stem: Literal["auto", "cifar", "imagenet"] = "auto"
    head: Literal["ssd", "ssdlite", "retinanet", "faster-rcnn"] = "ssd"
    finest_stride: int = 8
    pyramid_channels: int = 256
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
    ema: float = 0.0
    test_every: int = 10
    score_threshold: float = 0.01
    nms_threshold: float = 0.45
    pictures: int = 8
    sync_norm: bool = False
    workers: int = option(2, where=True, resumable=True)
    checkpoint: str | None = None
    test_only: bool = False
    averaged: bool = False
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
"""Defaults for `--dataset shapes`."""

DETECTION_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {},
    "quick": {"epochs": 12, "log_every": 10},
    "smoke": {"epochs": 2, "log_every": 5, "pictures": 2},
}


_PYRAMID = {"score_threshold": 0.05, "nms_threshold": 0.5}
HEAD_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "ssd": {},
    "ssdlite": {},
    "retinanet": _PYRAMID,
    "faster-rcnn": {**_PYRAMID, "finest_stride": 4},
}
"""Defaults for each head; those of torchvision."""


def detection_overlay(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults that depend on the data set, the head and the preset."""
    shapes = SHAPES_SETTINGS if settings["dataset"] == "shapes" else {}
    return {**shapes, **HEAD_SETTINGS[settings["head"]], **DETECTION_PRESETS[settings["preset"]]}
