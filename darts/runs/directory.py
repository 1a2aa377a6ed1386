"""A run directory as the run itself uses it: created or opened, locked, written to.

The names of the files and how they are read: `darts.run_files`.
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from darts.errors import UserError
from darts.files import atomic_write, locked
from darts.run_files import RunFiles
from darts.system.versions import commit, version_of
from ops.native.target import describe_target

_PACKAGES = ("torch", "torchvision", "numpy")


@dataclass(frozen=True)
class RunDirectory(RunFiles):
    """The directory `path` of one run; construct it with `create` or `open`."""

    @classmethod
    def create(
        cls,
        path: Path | str | None = None,
        what: str = "search",
        config: Mapping[str, Any] | None = None,
        **details: Any,
    ) -> RunDirectory:
        """Start a run in `path`, by default in a new `runs/<YYYYmmdd-HHMMSS>-<what>`.

        Writes `environment.json`, and `config.yaml` if `config` is given.

        Args:
            path: An empty or new directory.
            what: Kind of run; the end of a default directory's name.
            config: The settings of the run, as plain values.
            **details: Further entries of `environment.json`.

        Raises:
            UserError: `path` already holds a run, or cannot be created.
        """
        try:
            if path is None:
                path = _new_directory(Path("runs"), what)
            else:
                path = Path(path)
                path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"The run directory {error.filename} cannot be created: {error.strerror}."
            ) from None
        run = cls(path)
        results = (run.config, run.metrics, run.checkpoint, run.previous_checkpoint, run.result)
        if any(file.exists() for file in results):
            raise UserError(
                f"{path} already holds a run. Continue it with --resume {path}, "
                "or choose another --run-dir."
            )
        if config is not None:
            run.write_config(config)
        run.record_environment(**details)
        return run

    @classmethod
    def open(cls, path: Path | str) -> RunDirectory:
        """Open the existing run in `path`; nothing is written.

        Raises:
            UserError: There is no run in `path`.
        """
        run = cls(Path(path))
        if not run.config.is_file():
            raise UserError(
                f"{path} is not a run directory: it holds no {run.config.name}. "
                "Give the directory that an earlier run printed."
            )
        return run

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from working on this run at the same time.

        It is a lock of the operating system, which releases it when the process ends. Systems
        without such locks (Windows, some network drives) do not lock anything.

        Raises:
            UserError: Another process is working on this run.
            DiskError: The disk refused something within the block.
        """
        with locked(
            self.path / ".lock",
            f"Another process is working on {self.path}. Wait for it, stop it, or choose another "
            "run directory.",
            f"continue with --resume {self.path}",
        ):
            yield

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write plain values to `config.yaml`, in the order given."""
        with atomic_write(self.config) as stream:
            yaml.safe_dump(dict(config), stream, sort_keys=False, allow_unicode=True)

    def record_environment(self, **details: Any) -> None:
        """Append the current software, the machine and `details` to `environment.json`."""
        records = self.read_environment() if self.environment.exists() else []
        self.write_json(self.environment, [*records, {**environment(), **details}])

    def log_metrics(self, record: Mapping[str, Any]) -> None:
        """Append one line to `metrics.jsonl`; on return the operating system has it.

        Log the lines of a step before its checkpoint: `truncate_metrics` drops lines that a resumed
        run repeats, but a line that was never written is lost.

        Raises:
            ValueError: `kind` or `step` is missing.
        """
        if "kind" not in record or "step" not in record:
            raise ValueError(
                f"a line of metrics needs 'kind' and 'step', but has only {list(record)}"
            )
        line = json.dumps(finite(record), allow_nan=False)
        with self.metrics.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")

    def truncate_metrics(self, step: int) -> None:
        """Drop incomplete lines and those after `step`, the step of the resumed checkpoint."""
        kept = [record for record in self.read_metrics() if record.get("step", 0) <= step]
        with atomic_write(self.metrics) as stream:
            stream.writelines(json.dumps(record) + "\n" for record in kept)

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write `result.json`."""
        self.write_json(self.result, result)

    def write_json(self, file: Path, content: Any) -> None:
        """Write one of the run's files as JSON; numbers that are not finite become null."""
        text = json.dumps(finite(content), indent=2, allow_nan=False, ensure_ascii=False)
        with atomic_write(file) as stream:
            stream.write(text + "\n")


def environment() -> dict[str, Any]:
    """Software versions and type of machine; no name of a user or host, and no path."""
    return {
        "time": datetime.now().astimezone().isoformat(timespec="seconds"),
        "python": platform.python_version(),
        **{package: version_of(package) for package in _PACKAGES},
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "darts_backend": os.environ.get("DARTS_BACKEND", "auto"),
        "native_target": describe_target(),
        "commit": commit(),
    }


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
    """The value with None in place of NaN and infinity, which JSON does not have.

    >>> finite({"loss": float("nan"), "steps": (1, 2)})
    {'loss': None, 'steps': [1, 2]}
    """
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(part) for part in value]
    return value
