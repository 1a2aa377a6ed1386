"""Read a population from its directory, also while it is being trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from darts.design_space.population import Population
from darts.errors import UserError
from darts.models.anynet.config import AnyNetConfig
from darts.models.arrays import FloatArray
from darts.trials.store import Trial, TrialStore

POPULATION_FILE = "population.sqlite"
# Parameters of a RegNet that do not follow from its stages.
_REGNET = ("w0", "wa", "wm")
_COSTS = ("params", "macs", "activations")


def open_population(directory: Path | str) -> TrialStore:
    """Open the trials of a population for reading.

    Raises:
        UserError: The directory holds no population.
    """
    path = Path(directory)
    if not (path / POPULATION_FILE).is_file():
        raise UserError(
            f"{directory} holds no population ({POPULATION_FILE}); give the directory of --out."
        )
    return TrialStore(path / POPULATION_FILE, read_only=True)


def load_population(directory: Path | str, name: str | None = None) -> Population:
    """The finished networks of `python -m darts space train --out DIRECTORY`.

    Their properties are params, macs, activations, seconds (of training and testing), and for
    RegNets w0, wa and wm; `darts.design_space.trends.with_structure` adds those of the configs.

    Args:
        directory: The directory of the population.
        name: By default the name of the space.

    Raises:
        UserError: The directory holds no population, or no training has finished.
    """
    with open_population(directory) as store:
        configuration, trials = store.configuration, store.rows()
    done = [trial for trial in trials if trial.result is not None]
    if not done:
        raise UserError(f"{directory}: no network of this population has been trained yet.")
    return Population(
        name=name or configuration["space"],
        errors=np.array([_result(trial)["test_error"] for trial in done]),
        properties={
            **{cost: np.array([_result(trial)[cost] for trial in done]) for cost in _COSTS},
            "seconds": np.array([trial.seconds for trial in done], np.float64),
            **_regnet_parameters(done),
        },
        configs=tuple(config_of(trial) for trial in done),
        labels=tuple(trial.key for trial in done),
        recipe=configuration,
        missing=len(trials) - len(done),
    )


def config_of(trial: Trial) -> AnyNetConfig:
    """The network that a trial of a population trains."""
    return AnyNetConfig.from_dict(trial.settings["model"]["anynet"])


def _result(trial: Trial) -> dict[str, Any]:
    return dict(trial.result or {})


def _regnet_parameters(trials: list[Trial]) -> dict[str, FloatArray]:
    known = [trial.settings["regnet"] for trial in trials if trial.settings["regnet"]]
    if len(known) < len(trials):
        return {}
    return {name: np.array([regnet[name] for regnet in known], np.float64) for name in _REGNET}
