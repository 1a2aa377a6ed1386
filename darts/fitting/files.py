"""The files in the directory of a fit.

| file | content |
|---|---|
| `fit.yaml` | what was asked for |
| `spent.json` | seconds that all processes have spent |
| `decisions.json` | what was decided by the time, see `darts.fitting.decisions` |
| `data.json`, `machine.json` | the summary of the data; how fast this machine is |
| `plan.json`, `plan.md` | the plan, for scripts and for people |
| `searches/seed-N/` | the run directory of each search |
| `trials.sqlite` | searches and short trainings, see `darts.trials.store` |
| `field.json` | the competing networks with their costs |
| `winner.yaml` | the winner, as `evaluate.py` reads it |
| `final/` | the run directory of the final training |
| `test.json` | what the test images say of the final network |
| `network.onnx`, `network.pt2`, `exports.json` | the exported network and its checks |
| `fit.json`, `report.html` | the outcome, for scripts and for people |
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darts.errors import UserError
from darts.files import atomic_write, read_json_file
from darts.runs.directory import finite


@dataclass(frozen=True)
class FitFiles:
    """The files of the fit in the directory `path`, whether or not they exist.

    >>> FitFiles(Path("fits/digits")).search(3).as_posix()
    'fits/digits/searches/seed-3'
    """

    path: Path

    @property
    def asked(self) -> Path:
        return self.path / "fit.yaml"

    @property
    def spent(self) -> Path:
        return self.path / "spent.json"

    @property
    def decisions(self) -> Path:
        return self.path / "decisions.json"

    @property
    def data(self) -> Path:
        return self.path / "data.json"

    @property
    def machine(self) -> Path:
        return self.path / "machine.json"

    @property
    def plan(self) -> Path:
        return self.path / "plan.json"

    @property
    def plan_text(self) -> Path:
        return self.path / "plan.md"

    def search(self, seed: int) -> Path:
        """The run directory of a search."""
        return self.path / "searches" / f"seed-{seed}"

    @property
    def field(self) -> Path:
        return self.path / "field.json"

    @property
    def winner(self) -> Path:
        return self.path / "winner.yaml"

    @property
    def final(self) -> Path:
        return self.path / "final"

    @property
    def test(self) -> Path:
        return self.path / "test.json"

    @property
    def onnx(self) -> Path:
        return self.path / "network.onnx"

    @property
    def program(self) -> Path:
        return self.path / "network.pt2"

    @property
    def exports(self) -> Path:
        return self.path / "exports.json"

    @property
    def outcome(self) -> Path:
        return self.path / "fit.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"


def read_values(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        UserError: It cannot be read.
    """
    try:
        return read_json_file(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None


def write_values(path: Path, content: Any) -> None:
    """Write plain values as JSON; numbers that are not finite become null."""
    with atomic_write(path) as stream:
        json.dump(finite(content), stream, indent=2, allow_nan=False, ensure_ascii=False)


def kept(path: Path, make: Callable[[], Any]) -> Any:
    """The plain values in a JSON file, which `make` makes if there is no such file."""
    if not path.is_file():
        write_values(path, make())
    return read_values(path)
