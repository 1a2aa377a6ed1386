"""A population of networks that each train in a fraction of a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from darts.design_space.options import PopulationOptions, no_overlay
from darts.design_space.stored_population import POPULATION_FILE
from darts.settings.parsing import options_from
from darts.trials.store import TrialStore

SMALL = {
    "dataset": "digits",
    "train_images": 64,
    "test_images": 50,
    "batch_size": 32,
    "epochs": 2,
    "space": "regnetx",
    "macs": "20k-60k",
    "stem_width": 8,
    "n": 4,
    "device": "cpu",
    "threads": 1,
}


def options(out: Path, **settings: Any) -> PopulationOptions:
    """Options: `SMALL`, updated by the given settings."""
    return options_from(PopulationOptions, {**SMALL, "out": str(out), **settings}, no_overlay)


def outcomes(out: Path) -> list[tuple[Any, ...]]:
    """Everything that must be equal however often a population was interrupted."""
    with TrialStore(out / POPULATION_FILE, read_only=True) as store:
        return [
            (trial.key, trial.settings, trial.status, trial.curve, trial.result, trial.error)
            for trial in store.rows()
        ]
