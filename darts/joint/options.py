"""Options of a joint search. Torch-free, so that `--help` is instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from darts.data.options import DataOptions
from darts.settings.options import names_of, tagged
from darts.settings.recipes import read_recipe
from darts.training.options import RecipeOptions, TrainingOptions, training_overlay
from darts.trials.options import ExecutorOptions


@dataclass(frozen=True, kw_only=True)
class JointOptions(TrainingOptions, ExecutorOptions):
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
        min_macs: Smallest number of multiply-adds of a candidate, such as 50M; 50 means 50M.
        max_macs: Largest number of multiply-adds of a candidate, such as 0.4G; 400: 400M.
        max_params: Largest number of parameters of a candidate, such as 5.2M; 5.2: 5.2M.
        hold_out: Every Nth training image of each class is held out to score candidates; the test
            set is never used.
        rank_correlation: Later rounds stop at the first epoch whose rank correlation with the final
            accuracies exceeds this.
        strategy: predictor, or random for a baseline that trains quasi-random candidates fully.
    """

    space: str = "recipe"
    epochs: int = 150
    rounds: int = 5
    candidates: int = 48
    pool: int = 20_000
    min_macs: str | float = 0.0
    max_macs: str | float | None = None
    max_params: str | float | None = None
    hold_out: int = 5
    rank_correlation: float = 0.92
    strategy: Literal["predictor", "random"] = "predictor"
    test_every: int = 1


JOINT_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {},
    "quick": {"rounds": 4, "candidates": 8, "pool": 4000, "epochs": 10},
    "smoke": {"rounds": 2, "candidates": 4, "pool": 500, "epochs": 2},
}


def joint_overlay(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults that follow from the data set and the preset: on ImageNet FBNetV3's recipe."""
    implied = training_overlay(settings)
    if implied["dataset"] == "imagenet":
        shared = read_recipe("joint_fbnetv3")
        names = set(names_of(RecipeOptions, DataOptions)) - {"dataset", "classes"}
        implied |= {name: value for name, value in shared.items() if name in names}
    own = {name: value for name, value in implied.items() if name != "epochs"}
    return {**own, "test_every": 1, **JOINT_PRESETS[settings["preset"]]}


def recipe_names() -> tuple[str, ...]:
    """The options of a training that a recipe's variables may decide."""
    return tagged(TrainingOptions, "tunable")
