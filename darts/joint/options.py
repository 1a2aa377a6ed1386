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

    The other options are those of `evaluate.py`. They decide what the space leaves open, such as
    the data, the batch size, and the network of a space of recipes.

    Args:
        space: Search space: a built-in name, a YAML file, or two joined by "+", such as
            darts-cell+recipe. `python -m darts joint show` lists the built-in spaces.
        epochs: Epochs of a full training, as in the first round; later rounds may stop earlier.
        rounds: Number of rounds.
        candidates: Candidates that are trained in each round.
        pool: Number of candidates to choose from.
        min_macs: Smallest number of multiply-adds of a candidate, in millions.
        max_macs: Largest number of multiply-adds of a candidate, in millions.
        max_params: Largest number of parameters of a candidate, in millions.
        hold_out: Every Nth training image of each class is held out to score candidates; the test
            set is never used.
        rank_correlation: Later rounds stop at the first epoch whose rank correlation with the final
            accuracies exceeds this.
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

# Data options that a recipe may decide: how images are changed, but not which ones are used.
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
