"""What the RegNet paper and its code report, as reference lines beside our own measurements.

The figures and their sources stand in published.yaml. None was measured here, and none mixes with
results of ours: they have their own types.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, kw_only=True)
class PublishedModel:
    """One row of the paper's tables: ImageNet, errors in percent; see published.yaml for sources.

    Attributes:
        model: Our name of the model.
        params: Number of parameters.
        flops: Multiply-adds by the rule of pycls.
        acts: Activations by the rule of pycls.
        top1_error: Mean top-1 error of 5 runs.
        deviation: Its standard deviation.
        zoo_top1_error: Of the one trained model that the authors offer.
        zoo_top5_error: Of the same model.
        imagenet_v2_error: Top-1 error on ImageNetV2.
        original_error: Top-1 error that the model's own paper reports.
        inference_ms: Time of 64 images on a V100.
        training_hours: Time of 100 epochs on 8 V100.
    """

    model: str
    params: int
    flops: int
    acts: int
    top1_error: float
    deviation: float
    zoo_top1_error: float
    zoo_top5_error: float
    imagenet_v2_error: float | None
    original_error: float | None
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup_epochs: int
    train_resolution: int
    test_resolution: int
    inference_ms: float
    training_hours: float


@dataclass(frozen=True, kw_only=True)
class PublishedLegend:
    """Smallest and mean error of a population in a figure of the paper.

    `certain` is False where the figure was pieced together.
    """

    figure: str
    setting: str
    space: str
    minimum: float | None
    mean: float | None
    certain: bool


def published_models() -> tuple[PublishedModel, ...]:
    """RegNets, ResNe(X)ts and EfficientNets of the paper's tables."""
    return tuple(PublishedModel(**row) for row in _rows("columns", "models"))


def published_legends() -> tuple[PublishedLegend, ...]:
    """Error distributions of the paper's design spaces."""
    return tuple(PublishedLegend(**row) for row in _rows("legend_columns", "legends"))


def _rows(columns: str, rows: str) -> list[dict[str, Any]]:
    text = Path(__file__).with_name("published.yaml").read_text(encoding="utf-8")
    tables = yaml.safe_load(text)
    return [dict(zip(tables[columns], row, strict=True)) for row in tables[rows]]
