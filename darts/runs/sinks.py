"""Further places that record a run, behind the same `Tracker`: Weights & Biases and MLflow.

Their packages are imported only if the user names them (`--track wandb`). Where the records go is
theirs to say: WANDB_MODE, WANDB_PROJECT, MLFLOW_TRACKING_URI … as their documentation describes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from darts.errors import UserError, in_one_line
from darts.files import atomic_write
from darts.run_files import RunFiles

_PROJECT = "darts"
"""Project or experiment, if the user's environment names none."""


class Sink(Protocol):
    """A place that records a run. It is called by the thread that writes, in order."""

    def scalars(self, values: Mapping[str, float], step: int) -> None: ...

    def image(self, name: str, picture: np.ndarray, step: int) -> None: ...

    def text(self, name: str, text: str, step: int) -> None: ...

    def close(self) -> None: ...


def open_sink(name: str, run: RunFiles, settings: Mapping[str, Any]) -> Sink | None:
    """The place that a user has named; the record of a resumed run is continued.

    Args:
        name: Its name; "none" for no place.
        run: The run. The name of its record there is kept in its directory.
        settings: All settings of the run.

    Raises:
        UserError: Its package is not installed, or it refuses the run.
    """
    if name == "none":
        return None
    try:
        library = import_module(name)
    except ImportError as error:
        raise UserError(f"--track {name}: {error}. Install it: pip install {name}") from None
    record = _kept(run).get(name)
    try:
        sink: WandbSink | MlflowSink
        if name == "wandb":
            sink = WandbSink(library, run, settings, record)
        else:
            sink = MlflowSink(library, run, settings, record)
    except Exception as error:  # Of a service: no login, no connection, a full disk.
        advice = {
            "wandb": "Run `wandb login`, or set WANDB_MODE=offline.",
            "mlflow": "Set MLFLOW_TRACKING_URI to a server that answers, or install all of mlflow.",
        }[name]
        raise UserError(f"--track {name}: {in_one_line(error)}. {advice}") from None
    with atomic_write(run.records) as stream:
        json.dump({**_kept(run), name: sink.record}, stream, indent=1)
    return sink


def _kept(run: RunFiles) -> dict[str, str]:
    """By place, the name of the run's record there."""
    try:
        found = json.loads(run.records.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class WandbSink:
    """A run of Weights & Biases.

    Args:
        wandb: The package.
        run: The run; the package keeps its own files there.
        settings: Its settings.
        record: Identifier of a run to continue.
    """

    def __init__(
        self, wandb: Any, run: RunFiles, settings: Mapping[str, Any], record: str | None
    ) -> None:
        self._wandb = wandb
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", _PROJECT),
            dir=str(run.path),
            name=run.name,
            id=record,
            resume="allow",
            config=dict(settings),
        )
        # A resumed run writes some steps again, which the service's own steps would not allow.
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")

    @property
    def record(self) -> str:
        """Identifier of the run there."""
        return str(self._run.id)

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self._run.log({**values, "step": step})

    def image(self, name: str, picture: np.ndarray, step: int) -> None:
        self._run.log({name: self._wandb.Image(picture), "step": step})

    def text(self, name: str, text: str, step: int) -> None:
        self._run.summary[name] = text

    def close(self) -> None:
        self._run.finish()


class MlflowSink:
    """A run of MLflow.

    Args:
        mlflow: The package.
        run: The run.
        settings: Its settings.
        record: Identifier of a run to continue.
    """

    def __init__(
        self, mlflow: Any, run: RunFiles, settings: Mapping[str, Any], record: str | None
    ) -> None:
        self._client = mlflow.MlflowClient()
        if record is None:
            experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME", _PROJECT)
            known = self._client.get_experiment_by_name(experiment)
            number = (
                self._client.create_experiment(experiment) if known is None else known.experiment_id
            )
            record = str(self._client.create_run(number, run_name=run.name).info.run_id)
            for key, value in settings.items():
                self._client.log_param(record, key, value)
        else:
            self._client.update_run(record, status="RUNNING")
        self.record = record

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._client.log_metric(self.record, name, value, step=step)

    def image(self, name: str, picture: np.ndarray, step: int) -> None:
        from PIL import Image

        self._client.log_image(
            self.record, Image.fromarray(picture), artifact_file=f"{name}-{step}.png"
        )

    def text(self, name: str, text: str, step: int) -> None:
        self._client.log_text(self.record, text, f"{name}.txt")

    def close(self) -> None:
        self._client.set_terminated(self.record)
