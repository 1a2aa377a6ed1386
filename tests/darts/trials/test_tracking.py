"""Trials become rows of TensorBoard's table of runs, and runs of the place that --track names."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from darts.errors import UserError
from darts.settings.options import TrackOptions
from darts.trials.executors import run_trials
from darts.trials.store import TrialStore
from darts.trials.tracking import FOLDER, TrialTracking

from .work import raises_at_two


def events(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def run(folder: Path, track: str = "none") -> None:
    tracking = TrialTracking(folder, TrackOptions(track=track))  # type: ignore[arg-type]
    with TrialStore(folder / "trials.sqlite") as store:
        store.add_all(
            {f"a {seed}": {"seed": seed, "candidate": {"depth": seed + 3}} for seed in (1, 2, 3)}
        )
        run_trials(store, raises_at_two, tracking=tracking)


def test_a_trial_that_ended_well_has_its_settings_epochs_and_result(tmp_path: Path) -> None:
    run(tmp_path)
    # The one that failed has no result to compare.
    assert {path.name for path in (tmp_path / FOLDER).iterdir()} == {"a-1", "a-3"}
    found = events(tmp_path / FOLDER / "a-3")
    assert [(one.step, one.value) for one in found.Scalars("epoch/loss")] == [
        (1, 3.0),
        (2, 1.5),
        (3, 1.0),
    ]
    assert [one.value for one in found.Scalars("result/test_error")] == [9.0]
    content = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    session = HParamsPluginData.FromString(content).session_start_info
    settings = {name: one.number_value for name, one in session.hparams.items()}
    assert settings == {"seed": 3.0, "candidate.depth": 6.0}


def test_what_was_not_recorded_is_recorded_by_the_next_call(tmp_path: Path) -> None:
    with TrialStore(tmp_path / "trials.sqlite") as store:
        store.add("a 1", {"seed": 1, "candidate": {"depth": 4}})
        run_trials(store, raises_at_two)
    assert not (tmp_path / FOLDER).exists()
    # A call that was killed while it recorded has left this.
    (tmp_path / FOLDER / "a-1.part").mkdir(parents=True)
    run(tmp_path)
    assert {path.name for path in (tmp_path / FOLDER).iterdir()} == {"a-1", "a-3"}
    first = events(tmp_path / FOLDER / "a-1").Scalars("result/test_error")
    assert [one.value for one in first] == [1.0]


def test_the_place_that_a_user_names_gets_each_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[dict[str, Any]] = []

    def init(**given: Any) -> SimpleNamespace:
        logged: list[dict[str, Any]] = []
        opened.append({**given, "logged": logged})
        return SimpleNamespace(
            id=f"id{len(opened)}",
            define_metric=lambda *_, **__: None,
            log=logged.append,
            finish=lambda: logged.append({"finished": True}),
        )

    wandb = ModuleType("wandb")
    wandb.init = init  # type: ignore[attr-defined]
    wandb.__spec__ = SimpleNamespace()  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    run(tmp_path, "wandb")
    assert [one["config"] for one in opened] == [
        {"seed": 1, "candidate.depth": 4},
        {"seed": 3, "candidate.depth": 6},
    ]
    logged = opened[0]["logged"]
    assert logged[0] == {"epoch/loss": 1.0, "step": 1}
    assert logged[-2:] == [{"result/test_error": 1.0, "step": 3}, {"finished": True}]


def test_a_missing_package_is_named_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darts.trials.tracking.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install mlflow"):
        TrialTracking(tmp_path, TrackOptions(track="mlflow"))
