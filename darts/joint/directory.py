"""Read and write the directory of a joint search.

| file | content |
|---|---|
| `config.yaml` | every setting |
| `space.yaml` | the space |
| `setting.yaml`, `model.yaml` | settings that all candidates share |
| `trials.sqlite` | every candidate with its curve, time, status and software |
| `predictor.pt` | the predictor after the last finished round |
| `result.json` | the result, for scripts |
| `best.yaml` | the most accurate trained candidate as a recipe for `evaluate.py --config` |
| `evolved/` | the best predicted candidates under ceilings, as such recipes |
| `report.html` | the report |
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from darts.errors import UserError, state_of
from darts.files import atomic_write, read_yaml_file
from darts.joint.costs import Limits
from darts.joint.iterate import Round, TrainedCandidates, rank_correlations, stop_epoch
from darts.joint.networks.setting import NetworkSetting
from darts.joint.predictor import Predictor, load_predictor
from darts.joint.problem import Problem
from darts.joint.space import Space
from darts.joint.space_file import describe_space, load_space
from darts.models.registry import find_model, save_model
from darts.run_files import RunFiles
from darts.settings.quantities import parse_millions
from darts.trials.schema import TRIALS_FILE
from darts.trials.store import Trial, TrialStore
from genotypes import Genotype, save_genotype

PREDICTOR, BEST = "predictor.pt", "best.yaml"
_MILLION = 1e6


@dataclass(frozen=True, kw_only=True)
class SearchRecord:
    """The content of the directory of a search, finished or not.

    Attributes:
        path: The directory.
        config: All settings.
        problem: The space and its networks.
        trials: All trials.
        rounds: The finished rounds; a failed trial has an empty curve.
        correlations: Rank correlation of each epoch of the first round with its last epoch; empty
            until the first round is finished.
        stop_epoch: Epoch whose accuracies are compared; None until the first round is finished.
        predictor: The predictor after the last finished round; None before the first.
        result: Content of `result.json`; None if the search is not finished.
    """

    path: Path
    config: Mapping[str, Any]
    problem: Problem
    trials: Sequence[Trial]
    rounds: Sequence[Round]
    correlations: tuple[float, ...]
    stop_epoch: int | None
    predictor: Predictor | None
    result: Mapping[str, Any] | None

    @property
    def limits(self) -> Limits:
        """Limits that the search was given."""
        names = ("min_macs", "max_macs", "max_params")
        return limits_of(*(self.config.get(name) for name in names))


def read_search(directory: Path | str) -> SearchRecord:
    """Read the directory of a search.

    Raises:
        UserError: It is not the directory of a joint search, or a file is damaged.
    """
    path = Path(directory)
    problem = read_problem(path)
    with state_of(path, "a joint search"):
        files = RunFiles(path)
        config = files.read_config()
        with TrialStore(path / TRIALS_FILE, read_only=True) as store:
            trials = store.rows()
        rounds: list[Round] = []
        for number in range(config["rounds"]):
            members = [trial for trial in trials if trial.settings["round"] == number]
            if not members or any(trial.status in ("pending", "running") for trial in members):
                break
            trained = trained_of(problem.space, members)
            epochs, costs = members[0].settings["stop"], problem.costs(trained.genes)
            rounds.append(Round(**vars(trained), costs=costs, epochs=epochs))
        correlations: tuple[float, ...] = ()
        stop = None
        if rounds:
            correlations = rank_correlations(rounds[0].curves, rounds[0].epochs)
            stop = stop_epoch(correlations, config["rank_correlation"], config["strategy"])
        has_predictor = (path / PREDICTOR).is_file()
        return SearchRecord(
            path=path,
            config=config,
            problem=problem,
            trials=trials,
            rounds=rounds,
            correlations=correlations,
            stop_epoch=stop,
            predictor=load_predictor(path / PREDICTOR)[0] if has_predictor else None,
            result=files.read_result() if files.result.is_file() else None,
        )


def trained_of(space: Space, trials: Sequence[Trial]) -> TrainedCandidates:
    """Convert the trials of a round; a trial that failed or is not done has an empty curve."""
    guesses = [trial.settings["predicted"] for trial in trials]
    return TrainedCandidates(
        genes=space.genes([trial.settings["candidate"] for trial in trials]),
        predicted=np.array([math.nan if guess is None else guess for guess in guesses]),
        curves=tuple(
            tuple(measured["accuracy"] for measured in trial.curve)
            if trial.status == "done"
            else ()
            for trial in trials
        ),
    )


def write_problem(problem: Problem, directory: Path) -> None:
    """Write the space and the shared settings as YAML files."""
    setting = problem.setting
    values: dict[str, Any] = {
        name: getattr(setting, name)
        for name in ("resolution", "num_classes", "stem", "channels", "layers")
    }
    for name, content in (("space", describe_space(problem.space)), ("setting", values)):
        with atomic_write(directory / f"{name}.yaml") as stream:
            yaml.safe_dump(content, stream, sort_keys=False, allow_unicode=True)
    if isinstance(setting.model, Genotype):
        save_genotype(setting.model, directory / "model.yaml")
    elif setting.model is not None:
        save_model(setting.model, directory / "model.yaml")


def read_problem(directory: Path) -> Problem:
    """Read the space and the shared settings; the inverse of `write_problem`.

    Raises:
        UserError: It is not the directory of a joint search, or a file is damaged.
    """
    path = directory / "setting.yaml"
    try:
        values: Mapping[str, Any] = read_yaml_file(path)
        _check_setting(values)
        file = directory / "model.yaml"
        model = find_model(str(file)) if file.is_file() else None
        setting = NetworkSetting(**values, model=model)
    except FileNotFoundError:
        raise UserError(
            f"{directory} is not the directory of a joint search: it has no {path.name}."
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path} is damaged: {error}") from None
    return Problem(load_space(directory / "space.yaml"), setting)


def _check_setting(values: Any) -> None:
    """Check the shared settings of a file.

    Raises:
        ValueError: One is of another kind.
    """
    if not isinstance(values, dict):
        raise ValueError("a mapping of settings is needed")
    stem = values.get("stem", "cifar")
    if stem not in ("cifar", "imagenet"):
        raise ValueError(f"stem is {str(stem)[:80]!r}")
    for name in ("resolution", "num_classes", "channels", "layers"):
        value = values.get(name, 1)
        open_one = value is None and name in ("channels", "layers")
        if not (open_one or (type(value) is int and 0 < value <= 65536)):
            raise ValueError(f"{name} is {str(value)[:80]!r}")


def limits_of(
    min_macs: str | float | None, max_macs: str | float | None, max_params: str | float | None
) -> Limits:
    """Convert limits such as 300M; a plain number is in millions, None means no limit.

    >>> limits_of(None, 300, None).max_macs, limits_of(None, "0.3G", None).max_macs
    (300000000.0, 300000000.0)

    Raises:
        UserError: One is no amount.
    """

    def amount(value: str | float | None, flag: str, absent: float) -> float:
        return absent if value is None else parse_millions(value, flag) * _MILLION

    return Limits(
        min_macs=amount(min_macs, "--min-macs", 0),
        max_macs=amount(max_macs, "--max-macs", math.inf),
        max_params=amount(max_params, "--max-params", math.inf),
    )
