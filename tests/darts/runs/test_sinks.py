"""Further places that record a run: with a stand-in for their packages, and with the real ones."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from darts.errors import UserError
from darts.run_files import RunFiles
from darts.runs.sinks import open_sink
from darts.runs.tracking import Tracker

PICTURE = np.zeros((2, 3, 3), np.uint8)


class FakeRun:
    """What wandb.init returns."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given, self.id = given, given["id"] or "new"
        self.logged: list[dict[str, Any]] = []
        self.summary: dict[str, str] = {}
        self.finished = False

    def define_metric(self, *names: str, **settings: str) -> None:
        pass

    def log(self, values: dict[str, Any]) -> None:
        self.logged.append(values)

    def finish(self) -> None:
        self.finished = True


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> list[FakeRun]:
    runs: list[FakeRun] = []

    def init(**given: Any) -> FakeRun:
        runs.append(FakeRun(given))
        return runs[-1]

    fake = SimpleNamespace(init=init, Image=lambda picture: picture.shape)
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return runs


def test_a_run_is_recorded_and_continued(tmp_path: Path, wandb: list[FakeRun]) -> None:
    run = RunFiles(tmp_path)
    for resumed in (None, 3):
        sink = open_sink("wandb", run, {"epochs": 2})
        with Tracker(None, resumed, sink) as tracker:
            tracker.scalars({"epoch/loss": 0.5, "unknown": None}, 4)
            tracker.image("cells/normal", PICTURE, 4)
            tracker.text("cell", "normal  0: skip k-1", 4)
    first, second = wandb
    assert first.logged == [{"epoch/loss": 0.5, "step": 4}, {"cells/normal": (2, 3, 3), "step": 4}]
    assert first.summary == {"cell": "normal  0: skip k-1"}
    assert first.finished
    assert first.given["config"] == {"epochs": 2}
    assert first.given["dir"] == str(tmp_path)
    assert (first.given["id"], second.given["id"]) == (None, "new")
    assert json.loads(run.records.read_text()) == {"wandb": "new"}


def test_a_missing_package_and_a_refusal_are_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(UserError, match=r"--track mlflow: .*pip install mlflow"):
        open_sink("mlflow", RunFiles(tmp_path), {})

    def init(**given: Any) -> None:
        raise ConnectionError("no key")

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    with pytest.raises(UserError, match=r"ConnectionError: no key. .*WANDB_MODE=offline"):
        open_sink("wandb", RunFiles(tmp_path), {})


def test_nothing_is_opened_unasked(tmp_path: Path) -> None:
    assert open_sink("none", RunFiles(tmp_path), {}) is None
    assert not list(tmp_path.iterdir())


def test_the_real_mlflow_keeps_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file:{tmp_path / 'server'}")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    run = RunFiles(tmp_path / "run")
    run.path.mkdir()
    for step in (1, 2):
        sink = open_sink("mlflow", run, {"epochs": 2})
        with Tracker(None, None, sink) as tracker:
            tracker.scalars({"epoch/loss": 1.0 / step}, step)
            tracker.image("cells/normal", PICTURE, step)
            tracker.text("cell", "normal", step)
    client, record = mlflow.MlflowClient(), json.loads(run.records.read_text())["mlflow"]
    kept = client.get_run(record)
    assert kept.data.params == {"epochs": "2"}
    assert [one.value for one in client.get_metric_history(record, "epoch/loss")] == [1.0, 0.5]
    assert {one.path for one in client.list_artifacts(record)} == {"cell.txt", "cells"}
    assert kept.info.status == "FINISHED"


def test_the_real_wandb_works_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    with Tracker(None, None, open_sink("wandb", RunFiles(tmp_path), {"epochs": 2})) as tracker:
        tracker.scalars({"epoch/loss": 1.0}, 1)
        tracker.image("cells/normal", PICTURE, 1)
    assert list(tmp_path.glob("wandb/offline-run-*/*.wandb"))
