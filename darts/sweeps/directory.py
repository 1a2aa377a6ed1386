"""The directory of a sweep.

| file | content |
|---|---|
| `sweep.yaml` | what the latest command asked for |
| `trials.sqlite` | searches and retrainings, see `darts.trials.store` |
| `runs/CONFIGURATION-seed-N/` | the run directory of each search |
| `sweep.json` | the outcome, for scripts |
| `report.html`, `plots/` | the report |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from darts.errors import UserError
from darts.files import atomic_write, read_yaml_file
from darts.settings.options import names_of
from darts.sweeps.options import SweepOptions
from darts.trials.options import TrialOptions
from darts.trials.schema import TRIALS_FILE
from darts.trials.store import Trial, TrialStore

OUTCOME_FILE = "sweep.json"
_PLAN_FILE = "sweep.yaml"


@dataclass(frozen=True)
class SweepRecord:
    """A sweep, finished or not.

    Attributes:
        options: What the latest command asked for.
        trials: All trials by their keys.
    """

    options: SweepOptions
    trials: Mapping[str, Trial]


def is_sweep(directory: Path) -> bool:
    """Whether a directory holds a sweep."""
    return (directory / _PLAN_FILE).is_file() and (directory / TRIALS_FILE).is_file()


def write_plan(options: SweepOptions) -> None:
    """Write what a command asks for to `sweep.yaml`."""
    names = [name for name in names_of(SweepOptions) if name not in names_of(TrialOptions)]
    plan = {name: _plain(getattr(options, name)) for name in names if name != "out"}
    with atomic_write(Path(options.out) / _PLAN_FILE) as stream:
        yaml.safe_dump(plan, stream, sort_keys=False, allow_unicode=True)


def _plain(value: Any) -> Any:
    """The value with lists and dictionaries in place of other sequences and mappings."""
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value


def read_sweep(directory: Path | str, **changes: Any) -> SweepRecord:
    """Read a sweep, also while it runs; nothing is written.

    Args:
        directory: `--out` of the sweep.
        changes: Options that differ, such as `table` or `reference`.

    Raises:
        UserError: It is not the directory of a sweep, or a file is damaged.
    """
    path = Path(directory) / _PLAN_FILE
    try:
        plan = read_yaml_file(path)
    except FileNotFoundError:
        raise UserError(
            f"{directory} is not the directory of a sweep: it holds no {_PLAN_FILE}. Give --out of "
            "python -m darts sweep."
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    if not isinstance(plan, dict) or not set(plan) <= set(names_of(SweepOptions)):
        raise UserError(f"{path} is not the plan of a sweep.")
    options = SweepOptions(**{**plan, "out": str(directory), **changes})
    with TrialStore(Path(directory) / TRIALS_FILE, read_only=True) as store:
        return SweepRecord(options, {trial.key: trial for trial in store.rows()})
