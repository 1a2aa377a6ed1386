"""Scores of several processes are those of all images."""

from pathlib import Path

import pytest
import torch

from darts.system import distributed
from darts.targets.kinds import LEARNING_TASKS
from tests.darts.processes import together

NAMES = ("a", "b", "c")
LOGITS = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
LABELS = {
    "single-label": torch.tensor([0, 1, 2, 2, 0, 1, 1]),
    "multi-label": (LOGITS.roll(1) > 0).to(torch.uint8),
}


def check_scores(wanted: dict[str, dict[str, float]]) -> None:
    """Of seven images one process has four, the other three."""
    for kind, target in LEARNING_TASKS.items():
        tally = target.tally(NAMES)
        own = slice(distributed.rank(), None, distributed.world())
        tally.add(LOGITS[own], LABELS[kind][own])
        scores = tally.scores()
        assert scores.as_dict() == pytest.approx(wanted[kind], rel=1e-6)
        images = 7 if kind == "single-label" else int(LABELS[kind].sum())
        assert sum(one.images for one in scores.classes) == images


def test_two_processes_give_the_scores_of_one(tmp_path: Path) -> None:
    alone = {}
    for kind, target in LEARNING_TASKS.items():
        tally = target.tally(NAMES)
        tally.add(LOGITS, LABELS[kind])
        alone[kind] = tally.scores().as_dict()
    together(tmp_path / "printed", check_scores, alone)
