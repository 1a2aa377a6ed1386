"""The kinds of tasks by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from darts.targets.multi import MULTI
from darts.targets.single import SINGLE
from darts.targets.target import LearningTask

LEARNING_TASKS: dict[str, LearningTask] = {target.kind: target for target in (SINGLE, MULTI)}


def target_of_kind(kind: str | None) -> LearningTask:
    """The task of this kind; checkpoints of earlier versions name none and have one label.

    >>> target_of_kind(None).measure
    'accuracy'
    """
    return LEARNING_TASKS["single-label" if kind is None else kind]


def target_of_scores(scores: Mapping[str, Any], part: str) -> LearningTask:
    """The task whose main measure is among scores by name, such as the content of `result.json`.

    >>> target_of_scores({"test_map": 50.0}, "test").kind
    'multi-label'
    """
    found = (one for one in LEARNING_TASKS.values() if f"{part}_{one.key}" in scores)
    return next(found, SINGLE)


def quality_of(scores: Mapping[str, Any], part: str) -> float:
    """The main measure (%) among scores by name.

    >>> quality_of({"test_loss": 1.2, "test_accuracy": 90.0}, "test")
    90.0
    """
    return float(scores[f"{part}_{target_of_scores(scores, part).key}"])
