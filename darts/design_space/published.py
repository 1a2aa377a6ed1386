"""Results that the RegNet paper and its code report, as references beside our own measurements.

The numbers and their sources are in published.yaml. None was measured by this toolkit, and separate
types keep them apart from our own results.
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
        model: Name of the model in this toolkit.
        params: Number of parameters.
        flops: Multiply-adds as counted by the authors' code (facebookresearch/pycls).
        acts: Activations as counted by the authors' code.
        top1_error: Mean top-1 error of 5 runs.
        deviation: Standard deviation of these errors.
        zoo_top1_error: Top-1 error of the trained model that the authors offer.
        zoo_top5_error: Top-5 error of the same model.
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

    Attributes:
        figure: Number of the figure.
        setting: What the figure compares.
        space: Name of the design space.
        minimum: Smallest error.
        mean: Mean error.
        certain: False if the assignment of the numbers to the space is uncertain.
    """

    figure: str
    setting: str
    space: str
    minimum: float | None
    mean: float | None
    certain: bool


def published_models() -> tuple[PublishedModel, ...]:
    """RegNets, ResNe(X)ts and EfficientNets of the paper's tables.

    >>> next(m.top1_error for m in published_models() if m.model == "regnetx_4.0gf")
    21.4
    """
    return tuple(PublishedModel(**row) for row in _rows("columns", "models"))


def published_legends() -> tuple[PublishedLegend, ...]:
    """Error distributions of the paper's design spaces."""
    return tuple(PublishedLegend(**row) for row in _rows("legend_columns", "legends"))


def _rows(columns: str, rows: str) -> list[dict[str, Any]]:
    text = Path(__file__).with_name("published.yaml").read_text(encoding="utf-8")
    tables = yaml.safe_load(text)
    return [dict(zip(tables[columns], row, strict=True)) for row in tables[rows]]
