"""Save a candidate as a recipe that `evaluate.py --config` trains and tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from darts.files import atomic_write
from darts.joint.problem import JointCandidate
from darts.models.registry import save_model
from darts.settings.options import (
    IntervalOptions,
    PlaceOptions,
    PresetOptions,
    RunOptions,
    SeedOptions,
    StepOptions,
    UseOptions,
    names_of,
)
from darts.training.options import (
    CheckpointOptions,
    ModelOptions,
    PretrainedOptions,
    TrainingOptions,
)
from genotypes import Genotype, save_genotype

# Options that a recipe leaves to the training: where it runs, and that it uses the test images.
_LEFT_OUT = (
    *names_of(PresetOptions, SeedOptions, PlaceOptions, StepOptions, RunOptions, IntervalOptions),
    *names_of(UseOptions, ModelOptions, PretrainedOptions, CheckpointOptions),
    *("hold_out", "test_every"),
)


def write_recipe(
    candidate: JointCandidate, config: Mapping[str, Any], path: Path, comment: str
) -> None:
    """Write a candidate as a recipe file, and its network as `NAME-network.yaml` beside it.

    Args:
        candidate: Network and recipe.
        config: Settings of the search, for options that the recipe does not decide.
        path: Path of the recipe file.
        comment: A comment for the first line of the file.
    """
    names = [name for name in names_of(TrainingOptions) if name not in _LEFT_OUT]
    shared = {name: config[name] for name in names if config.get(name) is not None}
    network = path.with_name(f"{path.stem}-network.yaml").resolve()
    network.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(candidate.model, Genotype):
        save_genotype(candidate.model, network)
        given = {"genotype": str(network)}
    else:
        save_model(candidate.model, network)
        given = {"model": str(network)}
    with atomic_write(path) as stream:
        stream.write(f"# {comment}\n")
        yaml.safe_dump({**given, **shared, **candidate.options}, stream, sort_keys=False)
