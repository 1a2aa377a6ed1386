"""Small runs for tests, and what makes two of them equal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from darts.runs.checkpoints import load_checkpoint
from darts.searching.options import SearchOptions, search_overlay
from darts.settings.parsing import options_from
from darts.training.options import TrainingOptions, training_overlay

SMALL = {
    "preset": "smoke",
    "dataset": "digits",
    "train_images": 200,
    "batch_size": 20,
    "device": "cpu",
    "threads": 1,
    "log_every": 1,
}


def search_options(run_dir: Path, **settings: Any) -> SearchOptions:
    """A search of a second: 3 cells, 2 nodes, 10 steps."""
    nodes = {} if settings.get("space") == "nasbench201" else {"nodes": 2}
    settings = {**SMALL, **nodes, "run_dir": str(run_dir), **settings}
    return options_from(SearchOptions, settings, search_overlay)


def training_options(run_dir: Path, **settings: Any) -> TrainingOptions:
    """A retraining of about a second: 3 cells, 20 steps."""
    settings = {**SMALL, "genotype": "pcdarts_cifar10", "run_dir": str(run_dir), **settings}
    return options_from(TrainingOptions, settings, training_overlay)


def assert_same(one: Any, other: Any, where: str = "state") -> None:
    """Equal to the last bit, all the way down."""
    assert type(one) is type(other), where
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype, where
        assert one.equal(other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for index, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f"{where}[{index}]")
    else:
        assert one == other, where


def assert_same_run(one: Path, other: Path) -> None:
    """The same final checkpoint and the same metrics, times apart."""
    states = [load_checkpoint(path) for path in (one, other)]
    for state in states:
        del state["seconds"]
    assert_same(*states)
    lines = []
    for path in (one, other):
        records = map(json.loads, (path / "metrics.jsonl").read_text().splitlines())
        lines.append([_timeless(record) for record in records])
    assert_same(*lines, "metrics")


def _timeless(record: dict[str, Any]) -> dict[str, Any]:
    # A genotype is named after its run directory.
    return {
        k: v for k, v in record.items() if k not in ("seconds", "images_per_second", "genotype")
    }
