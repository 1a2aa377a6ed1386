"""A run directory: one place for all that a run writes, and the way back into it.

| file | content |
|---|---|
| `config.yaml` | every setting, resolved |
| `environment.json` | software versions and machine, one record a start or resume |
| `images.jsonl` | which image files are used; see `darts.data.manifest` |
| `metrics.jsonl` | one JSON object a line |
| `checkpoint.pt`, `checkpoint.previous.pt` | see `darts.runs.checkpoints` |
| `genotype.yaml`, `genotypes/epoch-NNN.yaml` | the derived cell, at the end and after each epoch |
| `cells/` | drawings of the cells |
| `tensorboard/` | TensorBoard events |
| `result.json` | the figures that a script wants |
| `latency.json` | measured latencies of operations, where a search minds them |
| `report.html` | the report |

A line of `metrics.jsonl` has `kind` (`step`, `epoch` …), `step` (finished steps), `epoch`, and what
was measured: `loss`, `accuracy` (%), `learning_rate`, `images_per_second` … A number that is not
finite is written as null, because JSON knows none.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from darts.errors import UserError
from darts.files import atomic_write, locked

_MARKS = ("config.yaml", "metrics.jsonl", "checkpoint.pt", "checkpoint.previous.pt", "result.json")
_PACKAGES = ("torch", "torchvision", "numpy")


@dataclass(frozen=True)
class RunDirectory:
    """The directory `path` of one run; made by `create` or `open`."""

    path: Path

    @classmethod
    def create(
        cls,
        path: Path | str | None = None,
        what: str = "search",
        config: Mapping[str, Any] | None = None,
    ) -> RunDirectory:
        """Start a run in `path`, by default in a new `runs/<YYYYmmdd-HHMMSS>-<what>`.

        Writes `environment.json`, and `config.yaml` where `config` is given.

        Raises:
            UserError: `path` already holds a run, or cannot be made.
        """
        try:
            if path is None:
                path = _new_directory(Path("runs"), what)
            else:
                path = Path(path)
                path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"The run directory {error.filename} cannot be made: {error.strerror}."
            ) from None
        if any((path / mark).exists() for mark in _MARKS):
            raise UserError(
                f"{path} already holds a run. Go on with it by --resume {path}, "
                "or choose another --run-dir."
            )
        run = cls(path)
        if config is not None:
            run.write_config(config)
        run.record_environment()
        return run

    @classmethod
    def open(cls, path: Path | str) -> RunDirectory:
        """The run that stands in `path`, which is only read.

        Raises:
            UserError: There is no run in `path`.
        """
        path = Path(path)
        if not (path / "config.yaml").is_file():
            raise UserError(
                f"{path} is not a run directory: it holds no config.yaml. "
                "Give the directory that an earlier run printed."
            )
        return cls(path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from working on this run at the same time.

        The lock is the operating system's and ends with the process, however that ends; where the
        system has none (Windows, some network drives), nothing is locked.

        Raises:
            UserError: Another process works on this run.
        """
        with locked(
            self.path / ".lock",
            f"Another process is working on {self.path}. Wait for it, stop it, or choose another "
            "run directory.",
        ):
            yield

    @property
    def genotype(self) -> Path:
        return self.path / "genotype.yaml"

    def epoch_genotype(self, epoch: int) -> Path:
        return self.path / "genotypes" / f"epoch-{epoch:03d}.yaml"

    @property
    def cells(self) -> Path:
        return self.path / "cells"

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write plain values to `config.yaml`, in the order given."""
        with atomic_write(self.path / "config.yaml") as stream:
            yaml.safe_dump(dict(config), stream, sort_keys=False, allow_unicode=True)

    def record_environment(self, **details: Any) -> None:
        """Append the present software and machine, and `details`, to `environment.json`."""
        path = self.path / "environment.json"
        records = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        self.write_json(path.name, [*records, {**environment(), **details}])

    def log_metrics(self, record: Mapping[str, Any]) -> None:
        """Append one line to `metrics.jsonl`; it is with the operating system on return.

        Log a step's lines before its checkpoint: a line that a resumed run repeats is dropped by
        `truncate_metrics`, one that was never written is lost.

        Raises:
            ValueError: `kind` or `step` is missing.
        """
        if "kind" not in record or "step" not in record:
            raise ValueError(f"a line of metrics needs 'kind' and 'step', not only {list(record)}")
        line = json.dumps(finite(record), allow_nan=False)
        with self.metrics.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")

    def read_metrics(self) -> list[dict[str, Any]]:
        """All lines of `metrics.jsonl`, without what a kill tore."""
        if not self.metrics.exists():
            return []
        records = []
        for line in self.metrics.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                records.append(record)
        return records

    def truncate_metrics(self, step: int) -> None:
        """On resume from the checkpoint of `step`: drop later lines, and a torn one."""
        kept = [record for record in self.read_metrics() if record.get("step", 0) <= step]
        with atomic_write(self.metrics) as stream:
            stream.writelines(json.dumps(record) + "\n" for record in kept)

    def save_checkpoint(self, state: Mapping[str, Any]) -> None:
        """Write `checkpoint.pt`; see `darts.runs.checkpoints.save`."""
        from darts.runs import checkpoints

        checkpoints.save(state, self.path)

    def load_checkpoint(self, required: tuple[str, ...] = ()) -> dict[str, Any]:
        """The newest whole checkpoint; see `darts.runs.checkpoints.load`."""
        from darts.runs import checkpoints

        return checkpoints.load(self.path, required)

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write `result.json`."""
        self.write_json("result.json", result)

    def write_json(self, name: str, content: Any) -> None:
        """Write a JSON file into the run."""
        text = json.dumps(finite(content), indent=2, allow_nan=False, ensure_ascii=False)
        with atomic_write(self.path / name) as stream:
            stream.write(text + "\n")


def environment() -> dict[str, Any]:
    """Software versions and kind of machine; nothing that names the user, the host or a path."""
    return {
        "time": datetime.now().astimezone().isoformat(timespec="seconds"),
        "python": platform.python_version(),
        **{package: _version(package) for package in _PACKAGES},
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "commit": _commit(),
    }


def _version(package: str) -> str | None:
    # From the metadata, because importing torchvision only for its version takes seconds.
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    root = Path(__file__).resolve().parents[2]
    # Installed as a package, the nearest repository above would be one of the user's own.
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(
            [*command, "--exclude=*"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _new_directory(parent: Path, what: str) -> Path:
    name = f"{datetime.now():%Y%m%d-%H%M%S}-{what}"
    parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        path = parent / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        else:
            return path


def finite(value: Any) -> Any:
    """The same with None for numbers that are not finite, because JSON knows none."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(part) for part in value]
    return value
