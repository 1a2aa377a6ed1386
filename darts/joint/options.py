"""Options of a joint search. Torch-free, so that `--help` is instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from darts.data.options import DataOptions
from darts.settings.options import RunOptions
from darts.training.options import TrainingOptions


@dataclass(frozen=True, kw_only=True)
class JointOptions(TrainingOptions):
    """A joint search of architecture and recipe (FBNetV3, arXiv 2006.02049).

    The other options are those of a retraining, for what the space leaves open: data, batch size,
    the genotype or model of a space that has none of its own.

    Args:
        space: Search space: a built-in name, a YAML file, or two joined by "+", such as
            darts-cell+recipe. `python -m darts joint show` lists them.
        epochs: Epochs of a full training; the first round's tells where later ones stop.
        rounds: Rounds of trainings.
        candidates: Trainings of a round.
        pool: Candidates to choose from.
        min_macs: Fewest multiply-adds of a candidate, in millions.
        max_macs: Most multiply-adds of a candidate, in millions.
        max_params: Most parameters of a candidate, in millions.
        hold_out: Candidates are judged by every so-manieth training image of each class, set aside
            from training; test images judge none.
        rank_correlation: Later rounds stop at the first epoch whose accuracies correlate in rank
            with the last one's by more than this.
        strategy: predictor, or random for a baseline that trains quasi-random candidates fully.
        executor: Where trainings run: one after the other here, in several processes of this
            machine, or on a Ray cluster.
        parallel: Trainings at the same time, with the executors processes and ray; 0 for as many
            as there is room for.
        gpus_per_trial: What a Ray task asks for; a part of 1 shares a GPU.
    """

    resumable = frozenset({"executor", "parallel", "gpus_per_trial"})

    space: str = "recipe"
    epochs: int = 150
    rounds: int = 5
    candidates: int = 48
    pool: int = 20_000
    min_macs: float = 0.0
    max_macs: float | None = None
    max_params: float | None = None
    hold_out: int = 5
    rank_correlation: float = 0.92
    strategy: Literal["predictor", "random"] = "predictor"
    executor: Literal["in-process", "processes", "ray"] = "in-process"
    parallel: int = 0
    gpus_per_trial: float = 0.0
    test_every: int = 1


JOINT_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {},
    "quick": {"rounds": 4, "candidates": 8, "pool": 4000, "epochs": 10},
    "smoke": {"rounds": 2, "candidates": 4, "pool": 500, "epochs": 2},
}

# What a recipe may decide of the data's options: how images are changed, not which ones they are.
_OF_IMAGES = ("image_size", "augment", "flip", "cutout", "color_jitter")
_FIXED = (
    *(field.name for field in fields(RunOptions)),
    *(field.name for field in fields(DataOptions) if field.name not in _OF_IMAGES),
    *("genotype", "model", "pretrained", "stem", "teacher", "epochs", "test_every"),
    *("checkpoint", "test_only", "averaged", "compile"),
)


def recipe_names() -> tuple[str, ...]:
    """Options of a training that a recipe's variables may decide."""
    return tuple(field.name for field in fields(TrainingOptions) if field.name not in _FIXED)
